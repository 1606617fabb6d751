"""FewRel: sentences with one marked pair of entities, by relation; one document per sentence.

A file is a JSON object, relation -> list of `{tokens, h, t}`; `h` and `t` are `[name, id, places]`, a place being the
list of its token indices. Head and tail have the ids "h" and "t" and no label of their own; where one has several
places, the others are mentions "h.1", "t.1", ..., and a chain "head" or "tail" holds all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from openmie.data.corpus import Corpus, Item
from openmie.data.document import Chain, Document, Mention, Relation
from openmie.datasets.reading.split_files import one_file_per_split, split_files, split_of
from openmie.datasets.twitter import word_spans
from openmie.errors import CorpusError
from openmie.formats.text_lines import catch_invalid_document, line_error, read_text, shorten

EXPECTED = "tokens, and h and t as [name, id, lists of consecutive token indices]"


def load_fewrel(path: Path, *, domain: str = "") -> Corpus:
    """Load one file, such as `val_wiki.json`, or a folder such as the published one, with files of several domains.

    Args:
        path: the file or folder.
        domain: what stands beside the split in the names of the files: `wiki` of `val_wiki.json`. Where a split has
            several, that of the training file is the default.

    Raises:
        CorpusError: files that are not there, or several for one split of which none is chosen.
    """
    found = split_files(path, (".json",))
    if domain and domain not in (known := sorted({_domain(f) for files in found.values() for f in files})):
        raise CorpusError.unknown("domain", domain, known, where=str(path))
    trained = {_domain(f) for f in found.get("train", ())}
    usual = trained.pop() if len(trained) == 1 else None
    files = {}
    for split, several in found.items():
        own = [f for f in several if _domain(f) == (domain or usual)]
        if own or not domain:
            files[split] = own or several
    names = [f.name for several in files.values() if len(several) > 1 for f in several]
    if names and not domain:
        raise CorpusError(
            f"{', '.join(names)}: several files for one split, and no training file that tells the domain",
            expected="one domain",
            where=str(path),
            remedy=f"name it: fewrel:{path}?domain={_domain(Path(names[0]))}, or name one file: "
            f"fewrel:{path / names[0]}",
        )
    chosen = one_file_per_split(files)
    return Corpus(f"fewrel:{path}", {s: partial(read_pairs, f, s) for s, f in chosen.items()})


def _domain(file: Path) -> str:
    """`wiki` of `val_wiki.json`, "" of `val.json`."""
    words = re.findall(r"[^\W_]+", file.stem.lower())
    return "_".join(word for word in words if not split_of(Path(word)))


def read_pairs(path: Path, split: str) -> Iterator[Item]:
    """One document per sentence, or a record for one that cannot be read; a broken file is one record."""
    text, errors = read_text(path)
    yield from errors
    begin = len(text) - len(text.lstrip())
    try:
        relations, end = json.JSONDecoder().raw_decode(text, begin)
    except (ValueError, RecursionError) as error:
        yield line_error(path, 0, f"no JSON ({error})", "an object: relation -> sentences", "mend the file")
        return
    if not isinstance(relations, dict) or not relations:
        yield line_error(path, 0, shorten(relations), "an object: relation -> sentences", "mend the file")
        return
    if behind := text[end:].strip():
        yield line_error(path, 0, f"{shorten(behind)} behind the object", "one object", "remove it; it was left out")
    for label, rows in relations.items():
        for number, row in enumerate(rows if isinstance(rows, list) else [rows]):
            items = _document(path, f"{split}-{label}-{number}", label, row)
            yield from catch_invalid_document(items, path, 0)


def _document(path: Path, id: str, label: str, row: object) -> Iterator[Item]:
    tokens = row.get("tokens") if isinstance(row, dict) else None
    words = tokens if isinstance(tokens, list) and all(isinstance(t, str) and t for t in tokens) else []
    places = [_places(row.get(end), len(words)) if isinstance(row, dict) else [] for end in ("h", "t")]
    if not words or not all(places) or not label:
        yield line_error(
            path, 0, f"relation {label!r}, {shorten(row)}", EXPECTED, "mend or remove the row; it was left out"
        )
        return
    spans = word_spans(words)
    mentions, chains = [], []
    for end, name, found in (("h", "head", places[0]), ("t", "tail", places[1])):
        made = [
            Mention(id=f"{end}.{k}" if k else end, start=spans[a].start, end=spans[b - 1].end)
            for k, (a, b) in enumerate(found)
        ]
        mentions += made
        if len(made) > 1:
            chains.append(Chain(id=name, mentions=tuple(m.id for m in made)))
    yield Document(
        id=id,
        text=" ".join(words),
        words=spans,
        mentions=tuple(mentions),
        chains=tuple(chains),
        relations=(Relation(head="h", tail="t", label=label),),
        source={"corpus": "fewrel", "file": path.name},
        lang="en",
    )


def _places(end: object, count: int) -> list[tuple[int, int]]:
    """Half-open token spans of an argument; none where any of them is wrong."""
    given = end[2] if isinstance(end, list) and len(end) == 3 else None
    if not isinstance(given, list):
        return []
    found = []
    for place in given:
        if not (isinstance(place, list) and place and all(type(n) is int for n in place)):
            return []
        if place != list(range(place[0], place[0] + len(place))) or place[0] < 0 or place[-1] >= count:
            return []
        found.append((place[0], place[-1] + 1))
    return found
