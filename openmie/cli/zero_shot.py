"""`openmie zero-shot`: score a vision-language model on a corpus without training it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from openmie.cli import console, options, progress


def zero_shot(
    context: typer.Context,
    corpus: options.Source,
    model: options.VLM,
    out: Annotated[
        str,
        typer.Option(
            help="JSON lines of predicted documents, as `openmie score` reads them: a file (a name with an ending), or "
            "a folder, which a stopped command goes on in; - is stdout."
        ),
    ],
    restart: options.Restart = False,
    system: options.System = "schema",
    endpoint: options.Endpoints = None,
    split: Annotated[str, typer.Option(help="Split of the corpus.")] = "dev",
    task: options.Tasks = "",
    label: options.Label = None,
    relation: options.RelationLabel = None,
    labels: options.LabelsFile = None,
    examples: options.Examples = None,
    instructions: options.Instructions = "",
    passes: options.Passes = 0,
    image_dir: options.ImageDir = None,
    max_documents: options.MaxDocuments = 0,
    cache: options.Cache = None,
    max_side: options.MaxSide = None,
    estimate: options.Estimate = False,
    price: options.Price = "",
    vlm_option: options.VLMOption = None,
    scores: Annotated[Path | None, typer.Option(help="Write scores, data hash, model and settings here.")] = None,
    bootstrap: options.Bootstrap = 1000,
) -> None:
    """Prompt a vision-language model on a corpus, without training, and score it as trained systems are scored.

    Labels are the corpus's (of train, never of test) unless given; tasks are those that it has labels for. Every
    document is written, a failed one with the reason; the exit code is 3 if there was any. With --out FOLDER, the same
    command goes on where it was stopped, and scores all rows.

    Example: openmie zero-shot gmner:DIR --model Qwen/Qwen2.5-VL-7B-Instruct --endpoint URL --out predicted.jsonl

    Example: openmie zero-shot diorama:test=20 --system pfa --split test --model MODEL --out predicted.jsonl
    """
    from openmie.cli import extract_output
    from openmie.cli.costs import JobCosts, estimated
    from openmie.data.corpus import Labels
    from openmie.inference import pipeline as extract

    extract_output.check(out, restart, stores=False)
    request = options.extraction_request(
        system, [model], endpoint=endpoint, tasks=task, label=label, relation=relation, labels=labels, cache=cache,
        settings=vlm_option, examples=examples, instructions=instructions, passes=passes, max_side=max_side,
    )  # fmt: skip
    sources, data = extract.open_sources(
        corpus, [split] if corpus != "-" and not Path(corpus).exists() else None, image_dir
    )
    costs, given = JobCosts(options.prices(price)), data.labels if data else Labels()
    posts = islice(next(iter(sources.values())), max_documents or None)
    if estimated(request, posts, estimate, price, given):
        return
    backend = request.backend()
    schema = request.answerable(request.schema(given), backend)
    gold: list[Any] = []
    passed = progress.PostCounts()

    def watch(found: Any, left: Any) -> Any:
        total = lambda: left(max_documents or progress.count_sources(corpus, sources, data))  # noqa: E731
        return progress.watched(found, "prompting", passed, total, more=costs.line)

    predicted, lost = _predicted(
        context.params,
        lambda posts: request.predict(posts, schema, costs.of(backend)),
        _kept(posts, gold),
        request,
        request.identity(schema),
        watch,
        passed,
        costs,
    )
    costs.tell()
    _score(gold, predicted, schema, backend, data, bootstrap, scores, corpus=corpus, split=split, system=system)
    skipped = bool(data) and console.say_skipped(data, shown=passed.records)
    if lost or skipped:
        raise typer.Exit(options.PARTIAL)


def _predicted(
    given: dict[str, Any], predict: Any, posts: Iterator[Any], request: Any, identity: dict[str, str], watch: Any,
    passed: progress.PostCounts, costs: Any,
) -> tuple[list[Any], bool]:  # fmt: skip
    """The predicted documents, which are written as `--out` says, and whether anything was lost.

    Args:
        given: the parameters of the command.
        predict: predicts posts.
        posts: all of them.
        request: an ExtractionRequest.
        identity: of the model and its prompts.
        watch: passes documents on, with a bar.
        passed: what passed.
        costs: of the job.
    """
    from openmie import __version__
    from openmie.cli import extract_output
    from openmie.cli.extract_settings import settings_of
    from openmie.cli.result_files import FORMATS
    from openmie.data import provenance

    def documents(some: Iterable[Any], when: str) -> Iterator[Any]:
        return provenance.stamp(predict(some), provenance.provenance([identity], __version__, when))

    out: str = given["out"]
    if not extract_output.is_folder(out):
        predicted: list[Any] = []
        found = watch(documents(posts, provenance.now()), lambda count: count)
        failed = console.write_results(_kept(found, predicted), "jsonl", out)
        console.say_notes(passed)
        console.say_failed([*passed.records, *failed])
        if out != "-":
            console.say_line(passed.line(out))
        return predicted, bool(passed.records or failed)
    about = {name: given[name] for name in ("split", "max_documents", "system", "task", "image_dir")}
    settings = settings_of({"source": given["corpus"], **about}, [given["model"]], ".jsonl", request)
    with costs.summary_in(out):
        rows = extract_output.write_folder(
            lambda rows: documents(rows.pending(posts), rows.when), out, FORMATS["jsonl"],
            settings | {"labels and prompt": identity["prompt"]}, watch, unit=1, restart=given["restart"],
        )  # fmt: skip
    lost = extract_output.tell(rows, passed)
    return list(extract_output.written_documents(rows)), lost


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
