"""Disagreements of annotators as a file: written for adjudication, and read back with decisions."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from openmie.data import replace_file as writing
from openmie.errors import MetricError

Layer = Literal["spans", "chains", "relations", "boxes", "links"]
ALLOWED = {
    "spans": ("a", "b", "none", "label: X"),
    "chains": ("a", "b"),
    "relations": ("a", "b", "none", "label: X"),
    "boxes": ("a", "b", "none", "label: X"),
    "links": ("a", "b", "none"),
}
NEEDED = ("document", "layer", "where", "decision")
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """One unit that two annotators annotated differently, and the decision.

    `decision`: "a" or "b", the annotation of that annotator; "none", neither; "label: X", the unit with label X
    (several: "X+Y"); "" is undecided. Chains allow a and b; links a, b and none.
    """

    document: str
    layer: str
    where: str  # with document and layer, names it; made to be read back, not changed
    what: str = ""  # the words, or the boxes, it is about
    a: str = ""  # the annotation of A
    b: str = ""
    decision: str = ""
    note: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.document, self.layer, self.where

    def parsed_decision(self) -> tuple[str, str]:
        """The decision as ("a" | "b" | "none" | "label" | "", label). `MetricError` for anything else."""
        word, colon, label = self.decision.strip().partition(":")
        word, label = word.strip().casefold(), label.strip()
        allowed = ALLOWED.get(self.layer, ())
        known = (word == "label" and label and "label: X" in allowed) if colon else (word in allowed or not word)
        if not known:
            raise MetricError(
                f"decision {self.decision!r} on {self.layer}",
                expected=" or ".join(allowed) or f"a layer of {', '.join(ALLOWED)}",
                where=f"document {self.document}, {self.where}",
                remedy="write one of these, or leave the cell empty while it is open",
            )
        return word, label


def write(disagreements: Iterable[Disagreement], path: str | os.PathLike[str]) -> int:
    """Write disagreements to a .json file (a list of objects), or else as CSV; returns their number.

    The CSV is UTF-8 with a byte-order mark, by which Excel knows it; a cell that a spreadsheet would run as a formula
    gets an apostrophe in front, which `read_decisions` takes off.
    """
    rows = [asdict(d) for d in disagreements]
    if Path(path).suffix == ".json":
        text = json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
    else:
        file = io.StringIO()
        table = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        table.writerow([f.name for f in fields(Disagreement)])
        table.writerows([[_guarded(cell) for cell in row.values()] for row in rows])
        text = "\ufeff" + file.getvalue()
    try:
        data = text.encode("utf8")
    except UnicodeEncodeError as error:
        raise MetricError(
            f"{text[error.start : error.end]!r}, half a character",
            expected="text that UTF-8 can hold",
            where=str(path),
            remedy="mend the documents' text, and compare them again",
        ) from None
    with writing.replace_file(path) as stream:
        stream.write(data)
    return len(rows)


def read_decisions(path: str | os.PathLike[str]) -> list[Disagreement]:
    """The disagreements of a file that `write` wrote, with what was decided.

    Columns may be in any order, and others be there; cells may be divided by commas, semicolons or tabs.
    `MetricError` with the row (as a spreadsheet counts): a file that is neither, a column that is not there, a decision
    that its layer does not know, a disagreement twice.
    """
    found: list[Disagreement] = []
    at: dict[tuple[str, str, str], int] = {}
    names = {f.name for f in fields(Disagreement)}
    for number, row in _rows(Path(path)):
        made = Disagreement(**{k: v for k, v in row.items() if k in names})
        if (before := at.setdefault(made.key, number)) != number:
            raise MetricError(
                f"two rows on {' '.join(made.key)!r}",
                expected="one row a disagreement",
                where=f"{path}, rows {before} and {number}",
                remedy="remove one of them",
            )
        try:
            made.parsed_decision()
        except MetricError as error:
            record = error.record.model_copy(update={"where": f"{path}, row {number}"})
            raise MetricError.of(record) from None
        found.append(made)
    return found


def _guarded(cell: str) -> str:
    return "'" + cell if cell.lstrip("' ").startswith(_FORMULA) or cell[:1] in _FORMULA else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and _guarded(cell[1:]) == cell else cell


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
        if path.suffix == ".json":
            yield from _objects(json.loads(text), path)
        else:
            yield from _cells(text, path)
    except (UnicodeDecodeError, json.JSONDecodeError, csv.Error, RecursionError) as error:
        raise _unreadable(path, str(error)) from None


def _unreadable(path: Path, found: str) -> MetricError:
    return MetricError(
        found,
        expected="the file of disagreements, as UTF-8 CSV or JSON",
        where=str(path),
        remedy="read the file that was written for the decisions, saved in the format it had",
    )


def _objects(data: Any, path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    for number, row in enumerate(data if isinstance(data, list) else [data], 1):
        if not isinstance(row, dict) or not all(isinstance(v, str) for v in row.values()) or set(NEEDED) - row.keys():
            raise _unreadable(path, f"entry {number}: {str(row)[:100]}")
        yield number, row


def _cells(text: str, path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    head = text.split("\n", 1)[0]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
    header = [cell.strip().casefold() for cell in next(rows, [])]
    if lacking := [name for name in NEEDED if header.count(name) != 1]:
        raise _unreadable(path, f"{header.count(lacking[0])} columns {lacking[0]!r} in {','.join(header)[:100]!r}")
    for number, cells in enumerate(rows, 2):
        if any(cell.strip() for cell in cells):
            if len(cells) < len(header):
                raise _unreadable(path, f"{len(cells)} cells in row {number}, {len(header)} in the header")
            yield number, {name: _unguarded(cell) for name, cell in zip(header, cells)}
