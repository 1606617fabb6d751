"""What the command line prints: progress, tables, scores, and what could not be read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from io import StringIO
from time import monotonic
from typing import Any

import typer

from openmie.characters import printable
from openmie.cli.exit_codes import PARTIAL
from openmie.cli.progress import PostCounts
from openmie.errors import ErrorRecord, OpenMIEError


def progress(name: str, events: Iterable[Any]) -> Iterator[Any]:
    """Pass events on, with a progress bar on stderr and a line for each dev score."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from openmie.cli.terminal_console import stderr_console

    console = stderr_console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(name, total=None)
        for event in events:
            bar.update(task, completed=event.step, total=event.steps or None)
            if event.kind == "step":
                bar.update(task, description=f"{name}  loss {event.values['loss']:.3f}")
            elif event.kind == "dev":
                console.print(
                    f"{name}: epoch {event.epoch + 1}, dev F1 {event.values['f1']:.2f}"
                    + (" (best so far)" if event.values["better"] else "")
                )
            elif event.kind == "start":
                rates = ", ".join(f"{what} {lr:g}" for what, lr in event.values.get("lr", {}).items())
                console.print(f"{name}: learning rates: {rates}", markup=False)
            if event.kind == "start" and "context" in event.values:
                told = event.values["context"]
                without = f", {told['without']} have none" if told["without"] else ""
                console.print(
                    f"{name}: the context is the caption of {told['generator']}, which {told['documents']} training "
                    f"documents have{without}",
                    markup=False,
                )
            if event.kind == "start" and (cut := event.values.get("span_edges")):
                console.print(
                    f"{name}: of the spans that cut words, {cut['moved']} are learnt as whole words and "
                    f"{cut['refused']} left open (training.span_edges={cut['rule']})",
                    markup=False,
                )
            if event.kind == "resume":
                console.print(f"{name}: going on from {event.values['from']}")
            if event.kind == "done":
                rows = ", ".join(f"{k} {v}" for k, v in event.values["rows"].items())
                console.print(f"{name}: rows of each loss in an epoch: {rows}", markup=False)
            if event.kind in ("start", "done") and event.values.get("skipped"):
                console.print(f"{name}: {event.values['skipped']} pieces of gold, images or captions not used, such as")
                for record in event.values["records"][:3]:
                    console.print(f"  {record}", markup=False)
            yield event


def steps(name: str) -> Any:
    """What a fine-tuning tells, as lines on stderr: every look at dev, and a step a minute."""
    last = 0.0

    def told(kind: str, values: Any) -> None:
        nonlocal last
        now = monotonic()
        if kind == "dev" or (kind == "step" and now - last > 60):
            last = now if kind == "step" else last
            what = "dev loss" if kind == "dev" else "loss"
            print(f"{name}: step {values['step']} of {values['steps']}, {what} {values['loss']:.4f}", file=sys.stderr)

    return told


def write_results(documents: Iterable[Any], format: str, out: str) -> list[str]:
    """What could not be written: a record is in its place."""
    from openmie.cli.result_files import choose_format
    from openmie.formats.partial_output import write_file

    written = write_file(documents, out, choose_format(format, out).write)
    return [str(record) for record in written.records] if written.lost else []


def table(columns: list[str], data: Iterable[list[Any]], out: str = "-") -> None:
    from rich.markup import escape
    from rich.table import Table

    from openmie.cli.terminal_console import TerminalConsole
    from openmie.formats import output

    table = Table(*map(escape, columns))
    for row in data:
        table.add_row(*(f"{x:.2f}" if isinstance(x, float) else escape(printable(str(x))) for x in row))
    if out == "-":
        TerminalConsole(width=None if sys.stdout.isatty() else 120).print(table)
    else:
        text = StringIO()
        TerminalConsole(file=text, width=160).print(table)
        with output.open_output(out) as file:
            file.write(output.encode_utf8(text.getvalue(), out))


def scores(found: Any, by_label: bool = True) -> None:
    from openmie import metrics

    lines = []
    for name, whole in found.items():
        numbers = [s for s in metrics.table({name: whole}) if by_label or not s["label"]]
        for s in numbers:
            counts = [s["precision"], s["recall"], s["f1"], s["gold"], s["predicted"]]
            last = ["", ""] if s["label"] else [interval(whole), whole.accuracy if whole.accuracy is not None else ""]
            lines.append([name, s["label"] or "all", *counts, *last])
    table(["score", "label", "precision", "recall", "F1", "gold", "predicted", "95% interval", "accuracy"], lines)


def errors(lines: Any) -> None:
    """The error table: a line for each kind, then its causes."""
    shown = [("" if x["cause"] else x["kind"], x) for x in lines]
    rows = [[x["task"], x["side"], kind, x["cause"], x["count"], x["rate"]] for kind, x in shown]
    table(["task", "of", "kind", "cause", "errors", "% of all"], rows)


def interval(score: Any) -> str:
    return f"{score.interval[0]:.1f} to {score.interval[1]:.1f}" if score.interval else ""


def say_line(text: str) -> None:
    """A line on stderr."""
    print(text, file=sys.stderr)


def say(written: Any) -> None:
    print(written, file=sys.stderr)
    for record in written.records[:20]:
        print(f"  {record}", file=sys.stderr)


def say_failed(failed: list[str]) -> None:
    """The first of the errors that documents came out with, and how many there are, on stderr."""
    for line in failed[:20]:
        print(line, file=sys.stderr)
    if failed:
        print(f"{len(failed)} records with errors; they are in the output, with the reason", file=sys.stderr)


def say_notes(counts: PostCounts) -> None:
    """The first of the notes that documents came out with, and how many documents have some, on stderr."""
    for line in counts.notes:
        print(f"note: {line}", file=sys.stderr)
    if counts.noted:
        print(f"{counts.noted:,} documents with notes, which are in the output", file=sys.stderr)


def documents_of(items: Iterable[Any], records: dict[ErrorRecord, None]) -> Iterator[Any]:
    """The documents that a reader yields; `records` collects the records beside them, and those that they carry."""
    for item in items:
        if isinstance(item, ErrorRecord):
            records[item] = None
        else:
            records.update(dict.fromkeys(item.errors))
            yield item


def say_records(records: Iterable[ErrorRecord]) -> bool:
    """Tell on stderr how much could not be read, and the first of it; whether anything was lost, which notes do not."""
    lost: list[ErrorRecord] = []
    notes: list[ErrorRecord] = []
    for record in records:
        (notes if record.note else lost).append(record)
    for what, found in (("note", notes), ("not read", lost)):
        for record in found[:10]:
            print(f"{what}: {record}", file=sys.stderr)
    if notes:
        print(f"{len(notes)} notes", file=sys.stderr)
    if lost:
        print(f"{len(lost)} records of what could not be read", file=sys.stderr)
    return bool(lost)


def say_skipped(*corpora: Any, shown: Collection[str] = ()) -> bool:
    """`say_records` of corpora, without what `say_failed` shows; whether anything was lost."""
    records = dict.fromkeys(record for corpus in corpora for record in corpus.skipped)
    return say_records(r for r in records if str(r) not in shown)


@contextmanager
def telling_skipped(*corpora: Any) -> Iterator[None]:
    """Tell at the end, of an error too, what of the corpora could not be read; the exit code is then `PARTIAL`."""
    with _telling(lambda: say_skipped(*corpora)):
        yield


@contextmanager
def telling_records(records: Collection[ErrorRecord]) -> Iterator[None]:
    """The same of records that are collected meanwhile: where an error says that too little is left, they are why."""
    with _telling(lambda: say_records(records)):
        yield


@contextmanager
def _telling(say: Callable[[], bool]) -> Iterator[None]:
    try:
        yield
    except (OpenMIEError, typer.Exit):
        say()
        raise
    if say():
        raise typer.Exit(PARTIAL)


def benched(events: Generator[Any, None, None]) -> int:
    """A line for each thing that happens to a run, on stderr; how many failed. Interrupted, it ends the runs."""
    with closing(events):
        return _benched(events)


def _benched(events: Iterable[Any]) -> int:
    started, failed, told = monotonic(), 0, 0.0
    for event in events:
        values, now = event.values, monotonic()
        if event.kind == "step":
            if now - told < 60:  # a sign of life between two dev scores
                continue
            what = f"step {values['step']} of {values['steps']}, loss {values['loss']:.3f}"
        else:
            what = _happened(event.kind, values)
        told, failed = now, failed + (event.kind == "failed")
        cell = event.cell
        where = f"{event.number}/{event.of} {cell.paper} {cell.row}, {cell.corpus}, seed {cell.seed}"
        print(f"[{now - started:.0f} s] {where}: {what}", file=sys.stderr, flush=True)
    return failed


def _happened(kind: str, values: Any) -> str:
    if "told" in values:
        return str(values["told"])
    if kind == "start":
        return f"{values['examples']} examples, {values['parameters']:,} parameters"
    if kind == "dev":
        best = " (best so far)" if values["better"] else ""
        return f"epoch {values['epoch'] + 1}, dev F1 {values['f1']:.2f}{best}"
    if kind == "scored":
        return f"test F1 {values['f1']:.2f} ({values['metric']})"
    if kind == "failed":
        return f"failed: {values['error']}"
    names = {
        "finished": "finished before",
        "resume": f"going on from {values.get('from')}",
        "stop": f"stopped early, best epoch {values.get('best_epoch', -1) + 1}",
        "done": f"trained, best dev F1 {values.get('best', 0):.2f}; {values.get('skipped', 0)} pieces of data not used",
        "busy": "another process is at it",
    }
    return names[kind]
