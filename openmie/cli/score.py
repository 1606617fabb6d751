"""`openmie score`: score predictions, in any format that can be read, against gold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from openmie.cli import console, options
from openmie.errors import ErrorRecord, OpenMIEError

FORMATS = ("table", "json")


def score(
    gold: Annotated[str, typer.Argument(help="File or folder of the gold documents.")],
    predicted: Annotated[str, typer.Argument(help="File or folder of the predicted documents.")],
    task: Annotated[
        str, typer.Option(help="ner, re, joint, boxes, grounded, document, summary, mre, records or attributes.")
    ] = "ner",
    symmetric: options.Symmetric = None,
    iou: Annotated[float, typer.Option(help="Least overlap at which a predicted box is right.")] = 0.5,
    ordered: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SCHEMA/FIELD", help="List in records whose order counts, such as Event/route; repeatable."
        ),
    ] = None,
    bootstrap: options.Bootstrap = 1000,
    by_label: Annotated[bool, typer.Option(help="With a row for each label.")] = True,
    span_edges: options.SpanEdges = "expand",
    errors: Annotated[bool, typer.Option("--errors", help="Count the errors by kind and cause, too.")] = False,
    read_option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Of the readers, such as annotator=NAME; gold.KEY or predicted.KEY: of that side alone; repeatable.",
        ),
    ] = None,
    format: Annotated[str, typer.Option(help="table or json.")] = "table",
) -> None:
    """Score predictions of any system, in any format that can be read, against gold. All numbers in percent.

    Documents are paired by id; sentences without ids, as of two CoNLL files, by their place. What cannot be read is
    told and left out of the numbers; the exit code is then 3.

    Example: openmie score gold.jsonl predicted.jsonl --task ner

    Example: openmie score gold.conll predicted.conll --errors --format json

    Example: openmie score export.json export.json --read-option gold.annotator=3 --read-option predicted.annotator=5
    """
    from openmie import metrics
    from openmie.data.packed_documents import PackedDocuments
    from openmie.metrics.comparison import comparable

    if format not in FORMATS:
        raise OpenMIEError.unknown("--format", format, FORMATS)
    records: dict[ErrorRecord, None] = {}
    sides = [
        PackedDocuments(console.documents_of(items, records)) for items in _read(gold, predicted, read_option or ())
    ]
    lost = console.say_records(records)
    left, right, notes = comparable(sides[0], sides[1], task, span_edges)  # type: ignore[arg-type]
    pair = left, right
    console.say_records(notes)
    settings: dict[str, Any] = {"symmetric": symmetric or (), "iou": iou}
    found = metrics.score(*pair, task=task, ordered=ordered or (), bootstrap=bootstrap, span_edges=None, **settings)  # type: ignore[arg-type]
    lines = metrics.errors(*pair, **settings).lines(task) if errors else []
    if format == "json":
        rows = metrics.table(found)
        print(json.dumps({"scores": rows, "errors": lines} if errors else rows, ensure_ascii=False, indent=1))
    else:
        console.scores(found, by_label)
        if errors:
            console.errors(lines)
    if lost:
        raise typer.Exit(options.PARTIAL)


def _read(gold: str, predicted: str, typed: Sequence[str]) -> list[Iterator[Any]]:
    """What the readers of both sides yield; an option goes to each reader that has it, or to the side that it names."""
    from openmie.formats.registry import accepted_options, guess, read_items

    sides = {"gold": gold, "predicted": predicted}
    known = {name: accepted_options(guess(path, reading=True)) for name, path in sides.items()}
    given: dict[str, dict[str, str]] = {name: {} for name in sides}
    for key, value in options.key_values("--read-option", typed).items():
        side, dot, own = key.partition(".")
        one = bool(dot) and side in sides
        takers = [side] if one else [name for name in sides if key in known[name]]
        if not takers:
            raise OpenMIEError.unknown("--read-option", key, sorted({*known["gold"], *known["predicted"]}))
        for name in takers:
            given[name][own if one else key] = value
    return [read_items(path, **given[name]) for name, path in sides.items()]
