"""What every file format keeps of the corpora that are here: documents there and back, every lost value counted.

    python benchmarks/format_losses.py --corpora DIR [--sample 200] [--only twitter2017] [--out losses.json]

A sample of each corpus, drawn by seed 0, is written in each format and read again. A value that does not come back is
told where the report of the writer counts its field, as the format's `CANNOT_HOLD` or for this document's data, or a
record of the writer or the reader names its document; else it is unexplained, and the exit code is 1. A place in a text
is a number of characters that are no white space: a format that changes blanks loses the text, not its mentions.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

from openmie import corpora
from openmie.data.document import Document
from openmie.errors import ErrorRecord
from openmie.formats import registry as files

CORPORA = {
    "twitter2017": "twitter:{}/twitter2017#test",
    "mnre": "mnre:{}/mnre#test",
    "gmner": "gmner:{}/gmner#test",
    "m3d en": "m3d:{}/m3d?lang=en#dev",
    "m3d zh": "m3d:{}/m3d?lang=zh#dev",
    "wnut17": "conll:{}/open/wnut17/emerging.test.annotated",
    "crossner ai": "conll:{}/open/crossner/ai#test",
    "conll04": "conll04:{}/open/conll04#test",
    "redocred": "docred:{}/open/redocred#dev",
    "fewrel": "fewrel:{}/open/fewrel/val_wiki.json",
    "weibo": "conll:{}/open/weibo/weiboNER_2nd_conll.test?positions=true",
    "litbank": "brat:{}/open/litbank/entities/brat",
}
SUFFIXES = {"jsonl": ".jsonl", "json": ".json", "parquet": ".parquet", "conll": ".conll", "coco": ".json",
            "labelstudio": ".json"}  # fmt: skip
ONE_WAY = ("csv",)  # written of predictions, read as posts


def documents_of(spec: str, sample: int) -> list[Document]:
    """A sample of a split, of a corpus' only split, or of a folder of files."""
    kind, _, rest = spec.partition(":")
    named, _, split = spec.partition("#")
    if kind in corpora.DATASETS:
        loaded = corpora.load(named)
        items: Any = loaded.split(split or next(iter(loaded.sources)))
    else:
        items = files.read_items(rest, kind)
    found = [d for d in items if isinstance(d, Document)]
    chosen = sorted(random.Random(0).sample(range(len(found)), min(sample, len(found))))
    return [found[n] for n in chosen]


def values(document: Document) -> dict[str, Counter[str]]:
    """What each field says, by names and places in place of ids, which formats choose themselves."""
    at = list(accumulate((not c.isspace() for c in document.text), initial=0))
    place = {m.id: f"{at[m.start]}:{at[m.end]}:{''.join(m.text.split())}" for m in document.mentions}
    place |= {c.id: "|".join(sorted(place.get(m, m) for m in c.mentions)) for c in document.chains}
    order = {i.id: str(n) for n, i in enumerate(document.images)}
    rows: dict[str, list[Any]] = {
        "text": [document.text] if document.text else [],
        "words": [(at[w.start], at[w.end]) for w in document.words],
        "mentions": [(place[m.id], m.label) for m in document.mentions],
        "mentions.status": [m.status for m in document.mentions if m.status != "located"],
        "chains": [(place[c.id], c.label) for c in document.chains],
        "relations": [(place.get(r.head), place.get(r.tail), r.label) for r in document.relations],
        "images": [order[i.id] for i in document.images],
        "images.kind": [i.kind for i in document.images if i.kind != "main"],
        "images.time": [i.time for i in document.images if i.time is not None],
        "images.relevance": [i.relevance for i in document.images if i.relevance],
        "regions": [(order.get(r.image), r.label, tuple(round(x) for x in r.box)) for r in document.regions],
        "regions.of": [place.get(r.of, r.of) for r in document.regions if r.of],
        "phrases": list(document.phrases),
        "captions": list(document.captions.items()),
        "summary": [document.summary] if document.summary else [],
        "times": list(document.times),
        "lang": [document.lang] if document.lang else [],
        "source": sorted(document.source),
    }
    return {name: Counter(map(str, row)) for name, row in rows.items()}


def _names(record: ErrorRecord, id: str) -> bool:
    """Whether a record is of a document's annotation; that its images lie elsewhere explains no loss of it."""
    of = record.where.rpartition("document ")[2]
    return record.expected != "images beside the file" and (of == id or of.startswith(f"{id},"))


def _explains(record: ErrorRecord, field: str) -> bool:
    """Whether a record of a document can be why the field lost a value: one of an image is of images and regions."""
    return ", image " not in record.where or field.split(".")[0] in ("images", "regions")


def losses(made: list[Document], format: str) -> tuple[Counter[str], Counter[str]]:
    """Values that do not come back in a format, by field: those that are told, and those that are not."""
    told: Counter[str] = Counter()
    silent: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"there{SUFFIXES.get(format, '')}"
        report = files.write(made, path, format)
        back: dict[str, Document] = {}
        records: list[ErrorRecord] = list(report.records)
        for item in files.read_items(path, format) if report.documents else ():
            if isinstance(item, Document):
                back[item.id] = item
                records += item.errors
            else:
                records.append(item)
    empty = Document(id="none")
    for document in made:
        twin = back.get(document.id, empty)
        after = values(twin)
        own = [r for r in records if _names(r, document.id)] + [e for e in twin.errors if e not in document.errors]
        for field, before in values(document).items():
            if lost := sum((before - after[field]).values()):
                known = field in report.dropped or field.split(".")[0] in report.dropped
                known = known or any(_explains(r, field) for r in own)
                (told if known else silent)[field] += lost
    return told, silent


def measured(folder: Path, sample: int, only: str) -> Iterator[tuple[str, str, int, Counter[str], Counter[str]]]:
    """Corpus, format, number of documents, told and silent losses, one after the other."""
    for corpus, spec in CORPORA.items():
        if only and only != corpus:
            continue
        made = documents_of(spec.format(folder), sample)
        for format, row in files.FORMATS.items():
            if row.reader and row.writer and format not in ONE_WAY:
                yield corpus, format, len(made), *losses(made, format)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--only", default="")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    rows = []
    for corpus, format, count, told, silent in measured(given.corpora, given.sample, given.only):
        rows.append({"corpus": corpus, "format": format, "documents": count, "told": told, "unexplained": silent})
        fields = ", ".join(f"{field} {n}" for field, n in sorted(told.items())) or "nothing lost"
        print(f"{corpus:12} {format:12} {count:4}  {fields}", flush=True)
        for field, n in silent.items():
            print(f"  UNEXPLAINED {field} {n}", file=sys.stderr, flush=True)
    if given.out:
        given.out.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return int(any(row["unexplained"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
