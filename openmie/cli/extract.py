"""`openmie extract`: extract from posts with openmie-base, a trained model, or a vision-language model."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from openmie.cli import console, options, progress
from openmie.errors import OpenMIEError

FORMATS = ("jsonl", "csv", "table", "html")


def extract(
    source: Annotated[
        str, typer.Argument(help="Posts: JSON lines or array, CSV, TSV, text (a post a line); - is stdin, JSON lines.")
    ] = "",
    text: Annotated[str, typer.Option(help="Text of one post.")] = "",
    image: Annotated[str, typer.Option(help="Image file of one post.")] = "",
    caption: Annotated[str, typer.Option(help="Caption of the image, for a model that reads captions.")] = "",
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="base, a model folder or a hub id; several run one after the other, such as base, then relations."
        ),
    ] = None,
    image_dir: options.ImageDir = None,
    text_column: Annotated[str, typer.Option(help="Column or key of the text.")] = "text",
    image_column: Annotated[str, typer.Option(help="Column or key of the image file, or of several.")] = "image",
    id_column: Annotated[str, typer.Option(help="Column or key of the id; without one, posts are numbered.")] = "id",
    format: Annotated[str, typer.Option(help="jsonl, csv, table or html (a page to look at).")] = "jsonl",
    out: Annotated[str, typer.Option(help="File to write; - is stdout.")] = "-",
    system: options.System = "",
    endpoint: options.Endpoint = "",
    task: options.Tasks = "",
    label: options.Label = None,
    relation: options.RelationLabel = None,
    labels: options.LabelsFile = None,
    threshold: options.Threshold = None,
    cache: options.Cache = None,
    vlm_option: options.VLMOption = None,
    parts: options.Parts = None,
) -> None:
    """Extract entities, relations, objects and words from posts, with the model that is installed with openmie (base).

    --model names a trained model instead, --system a vision-language model, run here or behind a server. With base and
    with --system, labels are your own: --label, --relation, --labels; `openmie labels` prints those of base. Every row
    is written, a failed one with the reason; the exit code is 3 if there was any.

    Example: openmie extract --text "Ada Lovelace spoke in Turin" --image photo.jpg --format table

    Example: openmie extract posts.jsonl --label PER --label BRAND="a brand" --threshold 0.7 --out found.jsonl

    Example: openmie extract --text "Ada in Turin" --image a.jpg --system schema --model NAME --label PER="a person"
    """
    from openmie.cli import base_options
    from openmie.formats.post_rows import Columns
    from openmie.inference import pipeline

    named: dict[str, Any] = {"label": label, "relation": relation, "labels": labels}
    request = options.extraction_request(
        system,
        model,
        endpoint=endpoint,
        tasks=task,
        cache=cache,
        settings=vlm_option,
        **(named if system else {}),
    )
    if system and threshold:
        raise OpenMIEError(
            "--threshold with --system",
            expected="--threshold with base",
            remedy="leave it out: a vision-language model gives no scores",
        )
    if format not in FORMATS:
        raise OpenMIEError.unknown("--format", format, FORMATS)
    if bool(source) == bool(text or image or caption):
        raise OpenMIEError(
            "both a file and --text, --image or --caption" if source else "nothing to extract from",
            expected="a JSON-lines file, - for stdin, or --text with --image",
            remedy="give one of them",
        )
    models = [request] if request else base_options.load_models(model, **named, threshold=threshold, parts=parts)
    base_options.say_what_base_is(models)
    columns = Columns(text_column, image_column, id_column)
    posts = (
        pipeline.read_posts(source, image_dir, columns) if source else [pipeline.make_document(text, image, caption)]
    )
    if not _write(models, posts, source, format, out):
        raise typer.Exit(options.PARTIAL)


def _write(models: list[Any], posts: Any, source: str, format: str, out: str) -> bool:
    """Predict by a vision-language model's request or by models in turn, write and tell; whether nothing was lost."""
    from openmie import __version__
    from openmie.data import provenance
    from openmie.inference import pipeline

    first = models[0]
    predicted = (
        first.predict(posts, first.schema()) if hasattr(first, "schema") else pipeline.predict_each(models, posts)
    )
    told = provenance.provenance([m.identity() for m in models], __version__, provenance.now())
    counts, to_file = progress.PostCounts(), out != "-"
    shown = progress.watched(
        provenance.stamp(predicted, told), "extracting", counts, lambda: progress.count_file(source), to_file
    )
    failed = console.write_results(shown, format, out)
    console.say_failed([*counts.records, *failed])
    if counts.pictured and not any(getattr(model, "reads_images", True) for model in models):
        posts_with = progress.number(counts.pictured, "post")
        console.say_line(f"{posts_with} with images, which this model does not read; base and others do (--model base)")
    if to_file:
        console.say_line(counts.line(out))
    return not (counts.records or failed)
