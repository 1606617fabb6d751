"""Published tables as they are printed: rows of numbers behind a name."""

from __future__ import annotations


def read_table(table: str, columns: list[str]) -> dict[str, dict[str, float | None]]:
    """Rows of numbers behind a name; a dash: printed as one."""
    rows: dict[str, dict[str, float | None]] = {}
    for line in table.strip().splitlines():
        name, *numbers = line.rsplit(None, len(columns))
        rows[name] = {c: float(n) for c, n in zip(columns, numbers) if n != "-"}
    return rows
