"""The table of merges: a row for each entity of each document, which can be edited and read back.

The column `entity` says what the row belongs to. Rows with one value are one entity: another value moves a row, a value
that no other row has splits it off, an equal one merges. An edited table wins over all rules; rows of documents that
it does not have follow the rules.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from pathlib import Path

from openmie.errors import OpenMIEError
from openmie.formats import output
from openmie.formats.csv_table import csv_line, escape_formula
from openmie.graph.fact_store import AS_BEFORE, FactStore

COLUMNS = ("entity", "title", "document", "reading", "member", "name", "type", "rule", "reason")
NEEDED = ("entity", "document", "reading", "member")


def write_merges(store: FactStore, path: str | os.PathLike[str]) -> None:
    """Write the table as CSV in UTF-8, entity by entity; "-" is standard output."""
    with output.open_output(path) as file:
        file.write(csv_line(COLUMNS))
        for m in store.memberships():
            cells = (m.key, m.title, m.document, str(m.reading), m.local, m.name, m.type, m.rule, m.reason)
            file.write(csv_line(map(_escaped, cells)))


def apply_merges(store: FactStore, path: str | os.PathLike[str]) -> tuple[int, int]:
    """Read a table and assign the entities of its rows.

    Args:
        store: whose entities have been merged by rules.
        path: of the table.

    Returns:
        How many rows differ from the rules, and how many name what no document has.

    Raises:
        OpenMIEError: no such file, no CSV in UTF-8, or columns missing.
    """
    changed, unknown = 0, 0
    targets: dict[str, int] = {}
    for key, document, reading, local in _rows(path):
        found = store.connection.execute(
            """SELECT m.n, r.key, r.type, m.title FROM member m JOIN document d ON m.n = d.n JOIN entity e ON m.e = e.e
               JOIN entity r ON e.root = r.e WHERE d.id = ? AND d.reading = ? AND m.local = ?""",
            (document, reading, local),
        ).fetchone()
        if found is None:
            unknown += 1
            continue
        n, before, type_, name = found
        key = key or f"{type_}/@{document}{f'~{reading}' if reading > 1 else ''}#{local}"
        if key == before:
            store.connection.execute("UPDATE member SET edited = ? WHERE n = ? AND local = ?", (AS_BEFORE, n, local))
            continue
        if key not in targets:
            targets[key] = store.entity(key, name, type_, members=0)
        store.move(n, local, targets[key])
        changed += 1
    store.settle_moves(targets.values())
    return changed, unknown


def _rows(path: str | os.PathLike[str]) -> Iterator[tuple[str, str, int, str]]:
    where = os.fspath(path)
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            if missing := [name for name in NEEDED if name not in (table.fieldnames or ())]:
                raise _refused(f"no column {', '.join(missing)}", where)
            for row in table:
                cells = [_plain(row.get(name) or "") for name in NEEDED]
                if not re.fullmatch("[0-9]{1,9}", cells[2]):
                    raise _refused(f"the reading {cells[2][:50]!r}", f"{where}:{table.line_num}")
                yield cells[0].strip(), cells[1], int(cells[2]), cells[3]
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _refused(f"a table that cannot be read ({reason})", where) from None


def _refused(found: str, where: str) -> OpenMIEError:
    return OpenMIEError(
        found,
        expected=f"CSV in UTF-8 with the columns {', '.join(NEEDED)}, as `openmie graph build` writes it",
        where=where,
        remedy="edit the column entity alone, and save as CSV in UTF-8",
    )


def _escaped(cell: str) -> str:
    """A cell that no spreadsheet runs; one that begins with an apostrophe gets a second, so that it can be told."""
    return "'" + cell if cell.startswith("'") else escape_formula(cell)


def _plain(cell: str) -> str:
    return cell.removeprefix("'")
