"""`openmie extract`: extract from posts with openmie-base, a trained model, or a vision-language model."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openmie.cli import console, options, progress
from openmie.errors import OpenMIEError

if TYPE_CHECKING:
    from openmie.cli.extract_predictor import ExtractPredictor
    from openmie.formats.post_columns import PostColumns


def extract(
    context: typer.Context,
    source: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SOURCE]...",
            help="Posts: JSON lines or array, CSV, TSV, Parquet, text (a post a line), a folder of images; several, "
            "and patterns such as 'posts/*.csv'; - is stdin; or a split of a corpus, FORMAT:PATH#SPLIT.",
        ),
    ] = None,
    text: Annotated[str, typer.Option(help="Text of one post.")] = "",
    image: Annotated[list[str] | None, typer.Option(help="Image file of one post; repeatable.")] = None,
    caption: Annotated[str, typer.Option(help="Caption of the image, for a model that reads captions.")] = "",
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="base, a model folder or a hub id; several run one after the other, such as base, then relations."
        ),
    ] = None,
    image_dir: options.ImageDir = None,
    from_: options.From = "",
    text_column: options.TextColumn = "",
    image_column: options.ImageColumn = "",
    id_column: options.IdColumn = "",
    format: Annotated[
        str, typer.Option(help="jsonl, csv, parquet, table or html (a page to look at); default: as --out ends.")
    ] = "",
    out: Annotated[
        str,
        typer.Option(
            help="File (a name with an ending), or a folder, here or in an object store (s3://...), which a stopped "
            "command goes on in; - is stdout."
        ),
    ] = "-",
    restart: options.Restart = False,
    system: options.System = "",
    endpoint: options.Endpoints = None,
    task: options.Tasks = "",
    label: options.Label = None,
    relation: options.RelationLabel = None,
    labels: options.LabelsFile = None,
    schema: options.RecordSchemaFile = None,
    attribute: options.Attribute = None,
    examples: options.Examples = None,
    instructions: options.Instructions = "",
    passes: options.Passes = 0,
    threshold: options.Threshold = None,
    cache: options.Cache = None,
    max_side: options.MaxSide = None,
    estimate: options.Estimate = False,
    price: options.Price = "",
    vlm_option: options.VLMOption = None,
    parts: options.Parts = None,
    engine: Annotated[
        str, typer.Option(help="local: on this machine; ray: on a cluster, or on Ray that is started here.")
    ] = "local",
    workers: Annotated[
        int, typer.Option(help="Worker processes; 0: none of its own, or with ray one for each processor.")
    ] = 0,
    address: Annotated[
        str, typer.Option(help="Ray cluster that runs: auto, HOST:6379 or ray://HOST:10001; default: RAY_ADDRESS.")
    ] = "",
    gpus_per_worker: Annotated[
        float, typer.Option(help="GPUs that Ray keeps for each worker, such as 0.5: a model run here finds them.")
    ] = 0.0,
) -> None:
    """Extract entities, relations, objects and words from posts, with the model that is installed with openmie (base).

    --model names a trained model instead, --system a vision-language model, run here or behind a server. With base and
    with --system, labels are your own: --label, --relation, --labels; `openmie labels` prints those of base. Every row
    is written, a failed one with the reason; the exit code is 3 if there was any.

    With --out FOLDER, rows are kept as they are made, in files of 1,024 posts: stopped by Ctrl-C, a full disk, a lost
    network or a kill, the same command goes on. No server is asked again for what it answered, wherever rows go
    (`openmie answers`).

    Example: openmie extract --text "Ada Lovelace spoke in Turin" --image photo.jpg --format table

    All models take the same posts and give the same rows, which `openmie score` compares with gold: with --task, only
    the layers of those tasks.

    Example: openmie extract posts.jsonl --label PER --label BRAND="a brand" --threshold 0.7 --out found.jsonl

    With --workers, reading, prediction and writing overlap, and a post whose image or text crashes its worker is
    recorded; with --engine ray, the workers are those of a cluster. The rows are the same for any number of them.

    Example: openmie extract posts.jsonl --out found --format csv

    Example: openmie extract posts/ --engine ray --workers 16 --format parquet --out found

    Example: openmie extract posts.csv more.parquet photos --text-column tweet --image-dir photos --out found.jsonl

    Example: openmie extract diorama:test=20#test --system pfa --model NAME --endpoint URL --task ner --out found.jsonl

    Example: openmie extract posts.csv --system schema --model NAME --schema offer.json --examples annotated.jsonl

    Example: openmie extract --text "Ada in Turin" --image a.jpg --system schema --model NAME --label PER="a person"
    """
    from openmie.cli.costs import estimated
    from openmie.cli.extract_engines import check_engine
    from openmie.cli.extract_predictor import ExtractPredictor
    from openmie.inference import pipeline

    predictor = ExtractPredictor(context.params)
    if system and threshold:
        raise OpenMIEError(
            "--threshold with --system",
            expected="--threshold with base",
            remedy="leave it out: a vision-language model gives no scores",
        )
    check_engine(context.params)
    columns = options.post_columns(text_column, image_column, id_column)
    one = pipeline.make_document(text, image or (), caption) if text or image or caption else None
    posts = _posts(source or [], one, image_dir, columns, from_)
    if estimated(predictor.request, posts, estimate, price):
        return
    if _write(context.params, posts, predictor):
        raise typer.Exit(options.PARTIAL)


def _posts(source: list[str], one: Any, image_dir: str | None, columns: PostColumns, format: str) -> Any:
    """The posts of files, or the one of --text and --image; what cannot be read is told before a model is loaded."""
    from openmie.inference import pipeline

    if bool(source) == bool(one):
        raise OpenMIEError(
            "both a file and --text, --image or --caption" if source else "nothing to extract from",
            expected="files of posts, - for stdin, or --text with --image",
            remedy="give one of them",
        )
    return [one] if one else pipeline.read_posts(source, image_dir, columns, format or None)


def _write(given: dict[str, Any], posts: Any, predictor: ExtractPredictor) -> bool:
    """Predict, write and tell, as the parameters of the command say; whether anything was lost."""
    from openmie.cli import base_options, extract_output, extract_settings
    from openmie.cli.extract_engines import documents, folder_documents
    from openmie.cli.result_files import choose_format
    from openmie.data.provenance import now
    from openmie.inference import pipeline

    out, format = given["out"], given["format"]
    chosen, request = choose_format(format, out), predictor.request
    extract_output.check(out, given["restart"])
    counts, count = progress.PostCounts(), partial(progress.count_files, given["source"] or ())
    if extract_output.is_folder(out):
        with predictor.costs.summary_in(out):
            rows = extract_output.write_folder(
                partial(folder_documents, given, posts, predictor),
                out,
                chosen,
                extract_settings.settings_of(given, given["model"] or [base_options.BASE], chosen.suffix, request),
                lambda found, left: progress.watched(
                    found, "extracting", counts, lambda: left(count()), more=predictor.costs.line
                ),
                unit=1 if request else pipeline.PREDICTED_TOGETHER,
                restart=given["restart"],
            )
        lost = extract_output.tell(rows, counts)
    else:
        found = documents(given, posts, predictor, now())
        shown = progress.watched(found, "extracting", counts, count, out != "-", predictor.costs.line)
        failed = console.write_results(shown, format, out)
        console.say_notes(counts)
        console.say_failed([*counts.records, *failed])
        if out != "-":
            console.say_line(counts.line(out))
        lost = bool(counts.records or failed)
    predictor.costs.tell()
    predictor.tell_of_images(counts.pictured)
    return lost
