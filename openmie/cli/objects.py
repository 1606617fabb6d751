"""`openmie objects`: find candidate objects in the images of a corpus."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from openmie.cli import console, options, progress


def objects(
    context: typer.Context,
    corpus: options.Sources,
    model: Annotated[
        str, typer.Option(help="Detector, a hub id or a folder: OWL-ViT, OWLv2, Grounding DINO, MM Grounding DINO.")
    ],
    out: options.SplitsFolder,
    restart: options.Restart = False,
    split: options.Splits = None,
    image_dir: options.ImageDir = None,
    from_: options.From = "",
    text_column: options.TextColumn = "",
    image_column: options.ImageColumn = "",
    id_column: options.IdColumn = "",
    max_candidates: Annotated[
        int,
        typer.Option(help="Candidates kept a document, those with the best scores; as many of generated images."),
    ] = 3,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Least score of a candidate; default 0.1, of Grounding DINO 0.25.",
            show_default=False,
        ),
    ] = None,
    overlap: Annotated[float, typer.Option(help="IoU above which only the better of two boxes is kept.")] = 0.5,
    max_queries: Annotated[int, typer.Option(help="Noun phrases of a text that are searched for.")] = 30,
    replace: Annotated[bool, typer.Option(help="Search again where images have candidates already.")] = False,
    batch_size: Annotated[int, typer.Option(help="Images at once.")] = 8,
    revision: options.Revision = "",
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...; default: the GPU where there is one.")] = "",
) -> None:
    """Find candidate objects in main and generated images: the noun phrases of the text are asked of a detector.

    Each document is written, a failed one with the reason; the exit code is 3 if there was any. Stopped by Ctrl-C, a
    full disk or a kill, the same command goes on.

    Example: openmie objects twitter:DIR --image-dir IMAGES --model google/owlvit-base-patch32 --out found
    """
    from openmie.cli import extract_output
    from openmie.cli.result_files import FORMATS
    from openmie.model.hub_names import check_model_name

    check_model_name(model, expected="a detector: a hub id, such as google/owlvit-base-patch32, or a folder")
    from openmie.inference import detector
    from openmie.inference import object_proposals as search
    from openmie.inference import pipeline as extract

    proposals = search.ProposalOptions(
        max_objects=max_candidates,
        score_threshold=threshold,
        iou_threshold=overlap,
        max_queries=max_queries,
        replace=replace,
    )
    columns = options.post_columns(text_column, image_column, id_column)
    sources, data = extract.open_sources(corpus, split, image_dir, columns, from_)
    found = detector.load(model, device, revision)
    passed, number, boxes = progress.PostCounts(), 0, 0
    rows = extract_output.write_folder(
        lambda rows: extract_output.each_split(
            rows, sources, lambda some: search.propose_objects(some, found, proposals, batch_size)
        ),
        str(out), FORMATS["jsonl"], _settings(context.params),
        lambda made, left: progress.watched(
            made, "searching", passed, lambda: left(progress.count_sources(corpus, sources, data))
        ),
        unit=batch_size, restart=restart, splits=sources,
    )  # fmt: skip
    for document in extract_output.written_documents(rows):
        here = sum(image.kind == "object" for image in document.images)
        number, boxes = number + bool(here), boxes + here
    counts = f"{boxes} objects in {number} of {rows.totals.posts} documents, {rows.totals.failed} failed, in {out}"
    lost = extract_output.tell(rows, passed, counts)
    skipped = bool(data) and console.say_skipped(data, shown=passed.records)
    if lost or skipped:
        raise typer.Exit(options.PARTIAL)


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    """What the candidates of a folder depend on, see `settings_of`."""
    from openmie.cli.extract_settings import settings_of

    names = ("split", "image_dir", "from_", "text_column", "image_column", "id_column", "max_candidates", "max_queries",
             "replace", "revision")  # fmt: skip
    about = {"source": given["corpus"], **{name: given[name] for name in names}}
    numbers = {"--threshold": given["threshold"], "--overlap": given["overlap"], "--batch-size": given["batch_size"]}
    return settings_of(about, [given["model"]], ".jsonl", None) | numbers
