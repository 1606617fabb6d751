"""`openmie extract`: extract from posts with a trained model, or with a vision-language model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from openmie.cli import console, options
from openmie.errors import OpenMIEError

DEMO_MODEL = Path("demo/cross")
FORMATS = ("jsonl", "csv", "table")


def extract(
    source: Annotated[str, typer.Argument(help="JSON lines: {text, image} or Documents; - is stdin.")] = "",
    text: Annotated[str, typer.Option(help="Text of one post.")] = "",
    image: Annotated[str, typer.Option(help="Image file of one post.")] = "",
    caption: Annotated[str, typer.Option(help="Caption of the image, for a model that reads captions.")] = "",
    model: Annotated[
        list[str] | None,
        typer.Option(help="Model folder or hub id; several run one after the other, such as entities, then relations."),
    ] = None,
    image_dir: options.ImageDir = None,
    format: Annotated[str, typer.Option(help="jsonl, csv or table.")] = "jsonl",
    out: Annotated[str, typer.Option(help="File to write; - is stdout.")] = "-",
    system: options.System = "",
    endpoint: options.Endpoint = "",
    task: options.Tasks = "",
    label: options.Label = None,
    relation: options.RelationLabel = None,
    labels: options.LabelsFile = None,
    cache: options.Cache = None,
    vlm_option: options.VLMOption = None,
) -> None:
    """Extract entities, relations and boxes from posts.

    A trained model predicts or, with --system, a vision-language model, run here or behind a server, with labels of
    your own. Every row is written, a failed one with the reason; the exit code is 3 if there was any.

    Example: openmie extract --text "Zorvane again, and I love it" --image post.png --format table

    Example: openmie extract --text "Ada in Turin" --image a.jpg --system schema --model NAME --label PER="a person"
    """
    from openmie.inference import pipeline

    request = options.extraction_request(
        system,
        model,
        endpoint=endpoint,
        tasks=task,
        label=label,
        relation=relation,
        labels=labels,
        cache=cache,
        settings=vlm_option,
    )
    if format not in FORMATS:
        raise OpenMIEError.unknown("--format", format, FORMATS)
    if bool(source) == bool(text or image or caption):
        raise OpenMIEError(
            "both a file and --text, --image or --caption" if source else "nothing to extract from",
            expected="a JSON-lines file, - for stdin, or --text with --image",
            remedy="give one of them",
        )
    posts = pipeline.read_rows(source, image_dir) if source else [pipeline.make_document(text, image, caption)]
    rows = console.counted(posts, bool(source) and out != "-")
    failed: list[str] = []
    predicted = request.predict(rows, request.schema()) if request else pipeline.predict_each(_models(model), rows)
    failed += console.write_results(console.noted(predicted, failed), format, out)
    console.say_failed(failed)
    if failed:
        raise typer.Exit(options.PARTIAL)


def _models(names: list[str] | None) -> list[Any]:
    from openmie.model.pretrained import load

    return [load(name) for name in names or [_demo_model()]]


def _demo_model() -> str:
    if not (DEMO_MODEL / "recipe.json").exists():
        raise OpenMIEError(
            "no --model, and no demo model in this folder",
            expected="a trained model folder or a hub id",
            remedy="run `openmie demo` first, or `openmie train`, and name its folder with --model",
        )
    return str(DEMO_MODEL)
