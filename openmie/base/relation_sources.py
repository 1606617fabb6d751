"""Training pairs of the open corpora with relations: which hold, and which are known not to."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from openmie.base.sources import marked_pairs, spans_of
from openmie.data.document import Document
from openmie.datasets.conll04 import read_sentences

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
    """All pairs of entities of CoNLL04's sentences, with their relations."""
    for document in read_sentences(path):
        if not isinstance(document, Document):
            continue
        spans = spans_of(document)
        number = {id: i for i, id in enumerate(spans)}
        found: dict[tuple[int, int], set[str]] = {}
        for link in document.relations:
            found.setdefault((number[link.head], number[link.tail]), set()).add(f"conll04:{link.label}")
        order = range(len(spans))
        pairs = tuple((i, j, frozenset(found.get((i, j), ()))) for i in order for j in order if i != j)
        if pairs and len(document.words) <= 100:
            yield PairExample(words=document.word_texts(), spans=tuple(spans.values()), pairs=pairs, corpus="conll04")


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
    for document in marked_pairs(path):
        relation, places = document.relations[0].label, spans_of(document)
        if relation.startswith("P") and len(document.words) <= 80 and places["h"] != places["t"]:
            yield PairExample(
                words=document.word_texts(), spans=(places["h"], places["t"]), pairs=((0, 1, frozenset([relation])),),
                corpus="wikidata", unsure=frozenset(beside.get(relation, ())),
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
