"""Training pairs of the open corpora with relations: which hold, and which are known not to."""

from __future__ import annotations

import ast
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from openmie.base.sources import runs

CONLL04 = {
    "Work_For": ("works for", "works for: a person is employed by an organization"),
    "Live_In": ("lives in", "lives in: a person lives in a place or comes from it"),
    "Located_In": ("located in", "located in: a place lies in a larger place"),
    "OrgBased_In": ("based in", "based in: an organization has its seat in a place"),
    "Kill": ("killed", "killed: a person killed another person"),
}
SANWEN = {
    "Create": ("creator of", "创作"),
    "Family": ("family relation", "家庭关系"),
    "General-Special": ("kind of", "一般与特殊"),
    "Located": ("located in", "位于"),
    "Near": ("near", "附近"),
    "Ownership": ("owns", "拥有"),
    "Part-Whole": ("part of", "部分与整体"),
    "Social": ("social relation: friends or acquaintances", "社会关系"),
    "Use": ("uses", "使用"),
}
INVERSE = (  # relations of which one may hold where the other does
    ("P22", "P40"), ("P25", "P40"), ("P155", "P156"), ("P527", "P361"), ("P355", "P749"), ("P36", "P1376"),
    ("P150", "P131"), ("P1344", "P710"), ("P17", "P131"), ("P206", "P131"),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PairExample:
    """A sentence with spans, and pairs of them with their relations.

    Attributes:
        words: of the sentence.
        spans: start and end of each.
        pairs: head, tail and the relations that hold.
        corpus: that it is of.
        unsure: relations that may hold as well.
        spaced: whether a blank stands before each word; None: before every one.
    """

    words: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    pairs: tuple[tuple[int, int, frozenset[str]], ...]
    corpus: str
    unsure: frozenset[str] = frozenset()
    spaced: tuple[bool, ...] | None = None


def conll04(path: Path) -> Iterator[PairExample]:
    """CoNLL04 in the multi-head format: relations stand at the last words of their arguments."""
    for block in path.read_text(encoding="utf8").split("#doc")[1:]:
        rows = [line.split("\t") for line in block.splitlines()[1:] if "\t" in line]
        words, tags = [r[1] for r in rows], [r[2] for r in rows]
        spans = [(a, b) for a, b, _ in runs(tags)]
        last = {b - 1: i for i, (_, b) in enumerate(spans)}
        found: dict[tuple[int, int], set[str]] = {}
        for at, row in enumerate(rows):
            for name, to in zip(ast.literal_eval(row[3]), ast.literal_eval(row[4])):
                if name != "N" and at in last and to in last:
                    found.setdefault((last[at], last[to]), set()).add(f"conll04:{name}")
        pairs = [
            (i, j, frozenset(found.get((i, j), ()))) for i in range(len(spans)) for j in range(len(spans)) if i != j
        ]
        if pairs and len(words) <= 100:
            yield PairExample(words=tuple(words), spans=tuple(spans), pairs=tuple(pairs), corpus="conll04")


def redocred(path: Path, seed: int) -> Iterator[PairExample]:
    """Pairs of Re-DocRED whose entities meet in a sentence; twice as many pairs without a relation as with one."""
    drawn = random.Random(seed)
    for doc in json.loads(path.read_text(encoding="utf8")):
        links: dict[tuple[int, int], set[str]] = {}
        for link in doc["labels"]:
            links.setdefault((link["h"], link["t"]), set()).add(link["r"])
        for number, words in enumerate(doc["sents"]):
            where: dict[int, tuple[int, int]] = {}
            for at, entity in enumerate(doc["vertexSet"]):
                for m in entity:
                    if m["sent_id"] == number and m["pos"][1] <= len(words):
                        where.setdefault(at, (m["pos"][0], m["pos"][1]))
            order = sorted(where)
            held = [(i, j) for i in order for j in order if i != j and (i, j) in links]
            free = [(i, j) for i in order for j in order if i != j and (i, j) not in links]
            chosen = held + drawn.sample(free, min(len(free), 2 * len(held) + 1))
            place = {at: k for k, at in enumerate(order)}
            if held and len(words) <= 80:
                pairs = tuple((place[i], place[j], frozenset(links.get((i, j), ()))) for i, j in chosen)
                yield PairExample(
                    words=tuple(words), spans=tuple(where[at] for at in order), pairs=pairs, corpus="redocred"
                )


def fewrel(path: Path) -> Iterator[PairExample]:
    """One pair a sentence, with its relation; what may hold beside it is unknown."""
    beside: dict[str, set[str]] = {}
    for a, b in INVERSE:
        beside.setdefault(a, set()).add(b)
        beside.setdefault(b, set()).add(a)
    for relation, rows in json.loads(path.read_text(encoding="utf8")).items():
        if not relation.startswith("P"):
            continue
        for row in rows:
            (h, t) = row["h"][2][0], row["t"][2][0]
            spans = ((h[0], h[-1] + 1), (t[0], t[-1] + 1))
            if len(row["tokens"]) <= 80 and spans[0] != spans[1]:
                yield PairExample(
                    words=tuple(row["tokens"]), spans=spans, pairs=((0, 1, frozenset([relation])),), corpus="wikidata",
                    unsure=frozenset(beside.get(relation, ())),
                )  # fmt: skip


def chinese(path: Path, corpus: str) -> Iterator[PairExample]:
    """Rows of head, tail, relation and sentence, in characters."""
    for line in path.read_text(encoding="utf8").splitlines():
        parts = line.split("\t")
        if len(parts) != 4:
            continue
        head, tail, relation, text = (p.strip() for p in parts)
        text = re.sub(r"\s+", "", text)
        head, tail = re.sub(r"\s+", "", head), re.sub(r"\s+", "", tail)
        h, t = text.find(head), text.find(tail)
        if h < 0 or t < 0 or len(text) > 110 or h == t:
            continue
        held = frozenset() if relation == "unknown" else frozenset([f"{corpus}:{relation}"])
        spans = ((h, h + len(head)), (t, t + len(tail)))
        yield PairExample(
            words=tuple(text),
            spans=spans,
            pairs=((0, 1, held),),
            corpus=corpus,
            spaced=tuple(i == 0 for i in range(len(text))),
        )


def texts(folder: Path) -> dict[str, tuple[str, ...]]:
    """Names and descriptions of every relation."""
    found = {f"conll04:{k}": v for k, v in CONLL04.items()}
    found |= {f"sanwen:{k}": v for k, v in SANWEN.items()}
    for line in (folder / "chinese_nre/FinRE/relation2id.txt").read_text(encoding="utf8").splitlines():
        if line.split() and (name := line.split()[0]) != "unknown":
            found[f"finre:{name}"] = (name, f"关系: {name}")
    for key, (name, description) in json.loads((folder / "fewrel/pid2name.json").read_text(encoding="utf8")).items():
        found[key] = (name, f"{name}: {description}")
    own = {
        "P577": "publication date", "P569": "date of birth", "P571": "founding date", "P570": "date of death",
        "P585": "point in time", "P580": "start time", "P576": "dissolution date", "P582": "end time",
    }  # fmt: skip
    return found | {k: (v,) for k, v in own.items()}


def all_pairs(folder: Path, seed: int) -> dict[str, list[PairExample]]:
    """Training pairs by source."""
    made = {
        "conll04": list(conll04(folder / "conll04/train.txt")),
        "redocred": list(redocred(folder / "redocred/dev_revised.json", seed)),
        "wikidata": [e for f in ("val_wiki", "val_nyt") for e in fewrel(folder / f"fewrel/{f}.json")],
        "finre": list(chinese(folder / "chinese_nre/FinRE/train.txt", "finre")),
        "sanwen": list(chinese(folder / "chinese_nre/SanWen/train.txt", "sanwen")),
    }
    for name, rows in made.items():
        random.Random(f"{seed} {name}").shuffle(rows)
    return made
