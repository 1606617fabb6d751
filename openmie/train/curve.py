"""Loss and dev score of a training over time, in a file, so that a training that goes on has the whole of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from openmie.train.loop import Event

WINDOW = 20  # steps that a point of the loss is the mean of


class Curve:
    """A line of JSON for each step and each dev score.

    Args:
        path: the file; what is behind the step at which a training goes on is replaced.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []

    def note(self, event: Event) -> None:
        """Take what an event of `openmie.train.fit` says, and write it down."""
        if event.kind == "resume":
            self.rows = [row for row in self._read() if row["step"] <= event.step]
        if event.kind in ("resume", "start"):
            self.path.write_text("".join(json.dumps(row) + "\n" for row in self.rows), encoding="utf8")
        value = {"step": "loss", "dev": "f1"}.get(event.kind)
        if value:
            row = {"step": event.step, "epoch": event.epoch, value: event.values[value]}
            self.rows.append(row)
            with self.path.open("a", encoding="utf8") as file:
                file.write(json.dumps(row) + "\n")

    def losses(self) -> list[tuple[float, float]]:
        """(step, mean loss of the last `WINDOW` steps), at each `WINDOW`-th step."""
        found = [row for row in self.rows if "loss" in row]
        return [
            (float(row["step"]), sum(r["loss"] for r in found[n - WINDOW + 1 : n + 1]) / WINDOW)
            for n, row in enumerate(found)
            if row["step"] % WINDOW == 0 and n + 1 >= WINDOW
        ]

    def dev(self) -> list[tuple[float, float]]:
        """(epoch from 1, F1 in percent)."""
        return [(row["epoch"] + 1.0, row["f1"]) for row in self.rows if "f1" in row]

    def _read(self) -> list[dict[str, Any]]:
        """The rows of the file; a line that a kill cut off, and those behind it, are left out."""
        rows: list[dict[str, Any]] = []
        try:
            for line in self.path.read_text(encoding="utf8", errors="replace").splitlines():
                row = json.loads(line)
                if not isinstance(row, dict) or not {"step", "epoch"} <= row.keys():
                    break
                rows.append(row)
        except (OSError, ValueError):
            pass
        return rows
