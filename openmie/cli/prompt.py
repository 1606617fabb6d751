"""The command that scores a vision-language model without training, and what `extract` and `doctor` share with it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from openmie.cli import console
from openmie.cli.training import PARTIAL, app
from openmie.errors import OpenMIEError

System = Annotated[
    str, typer.Option(help="Ask a vision-language model: schema (every task, as JSON), or pfa (that paper's format).")
]
Endpoint = Annotated[
    str, typer.Option(help="Server with OpenAI's protocol, such as http://localhost:8000/v1; default: run it here.")
]
Tasks = Annotated[
    str, typer.Option(help="Of a vision-language model: summary, ner, chains, re, boxes, joint, grounded; with commas.")
]
Label = Annotated[
    list[str] | None, typer.Option(metavar="LABEL=MEANING", help='A label to find, such as PER="a person"; repeatable.')
]
RelationLabel = Annotated[
    list[str] | None, typer.Option("--relation", metavar="LABEL=MEANING", help="The same for relations; repeatable.")
]
LabelsFile = Annotated[
    Path | None, typer.Option(help='JSON: {"PER": "a person"}, or such an object for mentions, relations, ...')
]
Cache = Annotated[
    Path | None, typer.Option(help="File that keeps all answers: what was asked once is not asked again.")
]
Setting = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="FIELD=VALUE",
        help="How it is asked (window, images, family, ...) or of the model (max_tokens, dialect, timeout, ...).",
    ),
]  # fmt: skip


def asked(system: str, model: Sequence[str] | None, **options: Any) -> Any:
    """What is asked for, or None where no system is named; `OpenMIEError` for options that need one."""
    given = {name: value for name, value in options.items() if value}
    if not system and given:
        flag = {"settings": "set", "tasks": "task"}.get(next(iter(given)), next(iter(given)))
        raise OpenMIEError(f"--{flag} without --system", expected="--system schema or --system pfa", where="openmie",
                           remedy="name one, or leave it out for a trained model")  # fmt: skip
    if not system:
        return None
    from openmie.vlm.prompting.request import ExtractionRequest

    if model and len(model) > 1:
        raise OpenMIEError(f"{len(model)} models", expected="one with --system", where="openmie",
                           remedy="ask them one after the other")  # fmt: skip
    return ExtractionRequest(system=system, model=model[0] if model else "", **given)


@app.command()
def prompt(
    corpus: Annotated[str, typer.Argument(help="FORMAT:PATH, or a file as `openmie extract` reads it; - is stdin.")],
    model: Annotated[str, typer.Option(help="Vision-language model: a hub id, a folder, or the server's name for it.")],
    out: Annotated[Path, typer.Option(help="JSON lines of predicted documents, as `openmie score` reads them.")],
    system: System = "schema",
    endpoint: Endpoint = "",
    split: Annotated[str, typer.Option(help="Of the corpus.")] = "dev",
    task: Tasks = "",
    label: Label = None,
    relation: RelationLabel = None,
    labels: LabelsFile = None,
    images: Annotated[str | None, typer.Option(help="Folder of the images that the corpus names.")] = None,
    first: Annotated[int, typer.Option(help="Ask about the first so many documents; 0: about all.")] = 0,
    cache: Cache = None,
    set_: Setting = None,
    scores: Annotated[Path | None, typer.Option(help="Write scores, data hash, model and settings here.")] = None,
    bootstrap: Annotated[int, typer.Option(help="Resamples for the interval; 0: none.")] = 1000,
) -> None:
    """Ask a vision-language model about a corpus, without training, and score it as trained systems are scored.

    Labels are the corpus's (of train, never of test) unless given, tasks those that it has labels for. Every document
    comes out, with what could not be asked or read in its errors; the exit code is 3 if there was any.

    Example: openmie prompt gmner:DIR --model Qwen/Qwen2.5-VL-7B-Instruct --endpoint URL --out predicted.jsonl

    Example: openmie prompt diorama:test=20 --system pfa --split test --model MODEL --out predicted.jsonl --cache FILE
    """
    from openmie.data.corpus import Labels
    from openmie.formats.registry import write
    from openmie.inference import pipeline as extract

    asking = asked(system, [model], endpoint=endpoint, tasks=task, label=label, relation=relation, labels=labels,
                   cache=cache, settings=set_)  # fmt: skip
    sources, data = extract.sources(corpus, [split] if corpus != "-" and not Path(corpus).exists() else None, images)
    backend = asking.backend()
    schema = asking.answerable(asking.schema(data.labels if data else Labels()), backend)
    gold: list[Any] = []
    predicted: list[Any] = []
    failed: list[str] = []
    documents = _kept(islice(next(iter(sources.values())), first or None), gold)
    found = console.noted(console.passing(asking.predict(documents, schema, backend), "documents asked about"), failed)
    console.say(write(_kept(found, predicted), out, "jsonl"))
    _score(gold, predicted, schema, backend, data, bootstrap, scores, corpus=corpus, split=split, system=system)
    if data:
        console.say_skipped(data)
    console.say_failed(failed)
    if failed or (data and data.skipped):
        raise typer.Exit(PARTIAL)


def _kept(items: Iterable[Any], all_: list[Any]) -> Iterator[Any]:
    for item in items:
        all_.append(item)
        yield item


def _score(
    gold: list[Any], predicted: list[Any], schema: Any, backend: Any, data: Any, bootstrap: int, out: Path | None,
    **about: Any,
) -> None:  # fmt: skip
    """Print the scores of what was asked for, and write them down with what they depend on."""
    from openmie.formats import output
    from openmie.vlm.prompting.scoring import score_record, score_tasks

    symmetric = data.symmetric | data.labels.symmetric if data else frozenset()
    found = score_tasks(gold, predicted, schema.tasks, symmetric=symmetric, bootstrap=bootstrap)
    console.scores(found)
    if out:
        told = score_record(found, gold, model=backend.facts(), asked=schema.facts(), **about)
        with output.open_output(out) as file:
            file.write(json.dumps(told, indent=1, ensure_ascii=False).encode() + b"\n")


def boxes(model: str, endpoint: str, settings: Sequence[str] | None) -> None:
    """Print how well each family's adapter reads a model's boxes, and what follows; exit code 3 where none fits."""
    from openmie.vlm.boxes.coordinates import BoxFormat
    from openmie.vlm.boxes.probe import probe_boxes
    from openmie.vlm.prompting.request import ExtractionRequest

    asking = ExtractionRequest(system="schema", model=model, endpoint=endpoint, settings=settings or ())
    how = asking.options()
    report = probe_boxes(asking.backend(), family=how.family, max_pixels=how.max_pixels)
    order = sorted(report.scores.items(), key=lambda x: -x[1][0])
    rows = [[name, mean, 100 * share, BoxFormat.of(name, "").description] for name, (mean, share) in order]
    console.table(["family", "mean IoU", "% above 0.5", "how it writes boxes"], rows)
    for record in report.records[:10]:
        print(record, file=sys.stderr)
    print(report.advice())
    if report.family not in report.fitting:
        raise typer.Exit(PARTIAL)
