"""Progress of commands that work through posts: how many of how many, how fast, time left, failures; and a last line.

The bar is on stderr, and only where that is a terminal. `PostCounts` counts what passes; its line says it at the end.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from openmie.formats.sources import expand

CHUNK = 1 << 20  # bytes
SHOWN_NOTES = 3
COUNTED_BY_LINES = (".jsonl", ".ndjson", ".csv", ".tsv", ".txt")


@dataclass
class PostCounts:
    """What has passed.

    Args:
        posts: documents.
        mentions: theirs.
        failed: documents with an error.
        noted: other documents with a note, by which nothing is lost.
        pictured: documents with an image.
        records: what the errors say.
        notes: what the first `SHOWN_NOTES` notes say.
    """

    posts: int = 0
    mentions: int = 0
    failed: int = 0
    noted: int = 0
    pictured: int = 0
    records: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def count(self, document: Any) -> None:
        """Count a document."""
        errors = [str(e) for e in document.errors if not e.note]
        self.posts, self.mentions = self.posts + 1, self.mentions + len(document.mentions)
        self.failed, self.pictured = self.failed + bool(errors), self.pictured + bool(document.images)
        self.records.extend(errors)
        if len(errors) < len(document.errors):
            self.noted += not errors
            left = max(SHOWN_NOTES - len(self.notes), 0)
            self.notes.extend(str(e) for e in [e for e in document.errors if e.note][:left])

    def line(self, where: str) -> str:
        """The last line of a command: posts, mentions, failures, notes if there are any, and where they are."""
        noted = f", {self.noted:,} with notes" if self.noted else ""
        counts = f"{number(self.posts, 'post')}, {number(self.mentions, 'mention')}, {self.failed:,} failed{noted}"
        return f"{counts}, in {where}"


def number(count: int, noun: str) -> str:
    """The count with the noun in the right number."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def watched(
    documents: Iterable[Any],
    description: str,
    counts: PostCounts,
    total: Callable[[], int | None] = lambda: None,
    shown: bool = True,
    more: Callable[[], str] = lambda: "",
) -> Iterator[Any]:
    """Pass documents on and count them, with a bar where stderr is a terminal.

    Args:
        documents: as they become ready.
        description: what is done, before the bar.
        counts: counts them.
        total: how many there will be, asked only where there is a bar; None: not known.
        shown: False: no bar.
        more: what else stands beside the bar, such as tokens and cost.
    """
    if not (shown and sys.stderr is not None and sys.stderr.isatty()):
        for document in documents:
            counts.count(document)
            yield document
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from openmie.cli.terminal_console import stderr_console

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"), TimeElapsedColumn())
    count, began = total(), monotonic()
    with Progress(*columns, console=stderr_console(), transient=True) as bar:
        task = bar.add_task(description, total=count, told="")
        for document in documents:
            counts.count(document)
            beside = [progress_text(counts, count, monotonic() - began), more()]
            bar.update(task, completed=counts.posts, told=", ".join(part for part in beside if part))
            yield document


def progress_text(counts: PostCounts, total: int | None, seconds: float) -> str:
    """What stands beside the bar: "120/2,000, 4.1 posts/s, 7:38 left, 3 failed"."""
    rate = counts.posts / seconds if seconds > 0 else 0.0
    parts = [f"{counts.posts:,}/{total:,}" if total else f"{counts.posts:,}", f"{rate:.3g} posts/s"]
    if total and rate and counts.posts < total:
        parts.append(f"{clock((total - counts.posts) / rate)} left")
    return ", ".join([*parts, *([f"{counts.failed:,} failed"] if counts.failed else [])])


def clock(seconds: float) -> str:
    """Seconds as 0:07, 12:30 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def count_file(path: str) -> int | None:
    """How many posts a file has, by its lines or its footer, without reading the posts; None: not known so."""
    file = Path(path)
    suffix = file.suffix.lower()
    try:
        if suffix == ".parquet":
            import pyarrow.parquet

            return int(pyarrow.parquet.ParquetFile(file).metadata.num_rows)
        if suffix not in COUNTED_BY_LINES or not file.is_file():
            return None
        lines, last = 0, b"\n"
        with file.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                lines, last = lines + chunk.count(b"\n"), chunk
        return max(lines + (not last.endswith(b"\n")) - (suffix in (".csv", ".tsv")), 0)
    except Exception:  # whatever is wrong with it is told where it is read
        return None


def count_files(sources: Sequence[str]) -> int | None:
    """How many posts files and patterns have together; None: not known of one of them."""
    if any("#" in source and not os.path.lexists(source) for source in sources):
        return None  # a split of a corpus, which counting would read
    counts = [count_file(path) for path in expand(sources)]
    return None if None in counts or not counts else sum(n for n in counts if n is not None)


def count_sources(spec: str | Sequence[str], sources: Mapping[str, Iterable[Any]], corpus: Any) -> int | None:
    """How many documents a corpus has, which is read once more for it, or files."""
    if corpus is None:
        return count_files([spec] if isinstance(spec, str) else spec)
    return sum(1 for documents in sources.values() for _ in documents)
