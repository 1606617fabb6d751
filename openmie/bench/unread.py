"""What a run could not read of its corpora: kept beside its numbers, and told when the bench ends."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from openmie.bench.run_spec import RunSpec
from openmie.errors import ErrorRecord

KEPT = 20  # records that a run keeps; all are counted


def unread(records: Iterable[ErrorRecord]) -> dict[str, Any]:
    """Number and first records of what was lost; notes are none."""
    lost = dict.fromkeys(str(record) for record in records if not record.note)
    return {"count": len(lost), "records": list(lost)[:KEPT]}


def joined(first: Mapping[str, Any] | None, second: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the training and those of the test split, which are read one after the other."""
    first = first or {"count": 0, "records": []}  # a training of before they were kept
    return {
        "count": first["count"] + second["count"],
        "records": [*first["records"], *second["records"]][:KEPT],
    }


def say_unread(cells: Iterable[RunSpec], out: str | Path) -> bool:
    """Tell on stderr, once a corpus, what the runs that are done could not read of it; whether there was any."""
    found = {}
    for cell in cells:
        told = (cell.record(out) or {}).get("unread", {})
        if told.get("count"):
            found[cell.source, cell.test] = told
    for (source, test), told in found.items():
        for line in told["records"][:10]:
            print(f"not read: {line}", file=sys.stderr)
        where = f"{source} and {test}" if test else source
        print(f"{told['count']} records of what could not be read: {where}", file=sys.stderr)
    return bool(found)
