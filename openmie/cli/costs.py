"""What a job with a vision-language model costs: before it, while it runs, at its end, and kept with its result."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any

from openmie.cli import console, options
from openmie.data import replace_file as writing
from openmie.errors import OpenMIEError
from openmie.formats.result_place import place_of
from openmie.formats.shard_manifest import SUMMARY


@dataclass
class JobCosts:
    """Requests, tokens and cost of the model of a job, asked by this process or by workers.

    Args:
        price: of a million prompt tokens and of a million answer tokens; None: no cost is told.
        model: its name, once it is known.
        usage: a `JobUsage`, once the model may be asked.
    """

    price: tuple[float, float] | None = None
    model: str = ""
    usage: Any = None
    _lock: Any = field(default_factory=Lock)
    _began: float = field(default_factory=monotonic)
    _when: datetime = field(default_factory=lambda: datetime.now(UTC))

    def of(self, backend: Any) -> Any:
        """Count what this backend, a `Cached`, is asked, and pass it on."""
        self.model, self.usage = backend.name, backend.usage
        return backend

    def take(self) -> dict[str, Any]:
        """What was asked since the last call, as JSON values for `add` of another process; {}: nothing."""
        return {} if self.usage is None else {"model": self.model, **self.usage.take()}

    def add(self, taken: Mapping[str, Any]) -> None:
        """Count what a worker asked, which its `take` tells; several threads may call it."""
        from openmie.vlm.usage import JobUsage

        if not taken:
            return
        with self._lock:
            self.model, self.usage = taken["model"], self.usage or JobUsage()
            self.usage.merge(JobUsage.of_counts(taken))

    def line(self) -> str:
        """What stands beside the bar; "" where no vision-language model is asked."""
        return self.usage.line(self.price) if self.usage is not None else ""

    def tell(self) -> None:
        """Say at the end what was asked."""
        if line := self.line():
            console.say_line(f"model {self.model}: {line}")

    @contextmanager
    def summary_in(self, folder: str | Path) -> Iterator[None]:
        """Keep what the block costs, even where it is stopped."""
        try:
            yield
        finally:
            self.keep(folder)

    def keep(self, folder: str | Path) -> None:
        """Add this run to the summary in the folder of the result: a list of runs, and their sums."""
        if self.usage is None:
            return
        place, runs = place_of(folder), []
        path = place.fetch(SUMMARY)
        if path.is_file():
            try:
                runs = list(json.loads(path.read_text(encoding="utf8"))["runs"])
            except (ValueError, KeyError, TypeError):
                runs = []
        told = self.usage.facts(self.price)
        runs.append({
            "began": f"{self._when:%Y-%m-%dT%H:%M:%SZ}", "lasted": round(monotonic() - self._began, 1),
            "model": self.model, **told,
        })  # fmt: skip
        names = ("requests", "known", "without_answer", "prompt_tokens", "answer_tokens", "cost")
        sums = {name: sum(run.get(name, 0) for run in runs) for name in names if any(name in run for run in runs)}
        text = json.dumps({"all_runs": sums, "runs": runs}, indent=1, ensure_ascii=False)
        writing.replace_text(path, text + "\n")
        place.keep(path)


def estimated(request: Any, posts: Any, estimate: bool, price: str, labels: Any = None) -> bool:
    """Print what a job would ask for, where `--estimate` is given; whether it is.

    Args:
        request: an ExtractionRequest, or None for another model.
        posts: of the job; read only where an estimate is wanted.
        estimate: as given.
        price: as given.
        labels: of the corpus.

    Raises:
        OpenMIEError: an estimate or a price for another model.
    """
    if request is None and (estimate or price):
        flag = "--estimate" if estimate else "--price"
        raise OpenMIEError(
            f"{flag} without --system",
            expected="a vision-language model, which costs tokens",
            remedy=f"name one with --system and --model, or leave {flag} out",
        )
    if estimate:
        print_estimate(request.estimate(posts, labels), options.prices(price))
    return estimate


def print_estimate(estimate: Any, price: tuple[float, float] | None) -> None:
    """Print what a job would ask for."""
    console.table(["of the job", "estimate"], [list(line) for line in estimate.lines(price)])
