"""`openmie answers`: the answers of vision-language models that were paid for, and are kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from openmie.cli import console, options
from openmie.errors import OpenMIEError

app = typer.Typer(no_args_is_help=True, help="Answers of vision-language models that are kept: count, export, prune.")
Model = Annotated[str, typer.Option(help="Only answers of this model.")]


def _store(cache: Path | None) -> Any:
    from openmie.vlm.backends.answer_store import AnswerStore, default_path

    path = cache or default_path()
    if path is None or not path.is_file():
        raise OpenMIEError(
            f"no answers are kept in {path}" if path else "no answers are kept (OPENMIE_ANSWERS=none)",
            expected="a file of answers, which extract, zero-shot and caption write",
            remedy="name another file with --cache",
        )
    return AnswerStore(path)


@app.command("stats")
def stats(cache: options.Cache = None) -> None:
    """Count the answers of each model, with their tokens and times, and say in which file they are.

    Example: openmie answers stats
    """
    store = _store(cache)
    columns = ["model", "answers", "prompt tokens", "answer tokens", "seconds", "oldest", "newest"]
    console.table(columns, [list(row) for row in store.stats()])
    console.say_line(f"{len(store):,} answers, {store.path.stat().st_size:,} bytes, in {store.path}")


@app.command("export")
def export(
    out: Annotated[str, typer.Option(help="File of JSON lines; - is stdout.")] = "-",
    model: Model = "",
    cache: options.Cache = None,
) -> None:
    """Write the answers as JSON lines: prompt, answer, tokens, time, model and settings of each.

    Example: openmie answers export --out answers.jsonl
    """
    from openmie.formats import output

    number = 0
    with output.open_output(out) as file:
        for number, row in enumerate(_store(cache).rows(model), 1):  # noqa: B007
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    console.say_line(f"{number:,} answers")


@app.command("prune")
def prune(
    older_than: Annotated[int, typer.Option(metavar="DAYS", help="Only answers that are older; 0: all.")] = -1,
    model: Model = "",
    cache: options.Cache = None,
) -> None:
    """Remove answers, which are then asked for and paid again when they are needed.

    Example: openmie answers prune --older-than 90
    """
    if not model and older_than < 0:
        raise OpenMIEError(
            "neither --older-than nor --model", expected="which answers are to go", remedy="name one of them"
        )
    day = (datetime.now(UTC) - timedelta(days=older_than)).strftime("%Y-%m-%dT%H:%M:%SZ") if older_than > 0 else ""
    removed = _store(cache).prune(day, model)
    console.say_line(f"{removed:,} answers removed")
