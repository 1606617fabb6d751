"""`openmie objects`: find candidate objects in the images of a corpus."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from openmie.cli import console, options, progress


def objects(
    corpus: options.Sources,
    model: Annotated[
        str, typer.Option(help="Detector, a hub id or a folder: OWL-ViT, OWLv2, Grounding DINO, MM Grounding DINO.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write: one file of JSON lines a split.")],
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

    Each document is written, a failed one with the reason; the exit code is 3 if there was any. Started again with the
    same --out, an interrupted run resumes.

    Example: openmie objects twitter:DIR --image-dir IMAGES --model google/owlvit-base-patch32 --out found
    """
    from openmie import __version__
    from openmie.formats import output
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
    settings = {
        "corpus": corpus[0] if len(corpus) == 1 else corpus,
        "images": image_dir,
        "model": model,
        "search": asdict(proposals),
        "openmie": __version__,
    }
    settings |= columns.options() | {k: v for k, v in (("revision", revision), ("from", from_)) if v}
    passed = progress.PostCounts()
    tally, number, boxes = output.WriteReport(), 0, 0
    documents = search.propose_into(
        sources,
        out,
        lambda some: search.propose_objects(some, found, proposals, batch_size),
        settings,
        tally,
        batch_size,
    )
    for document in progress.watched(
        documents, "searching", passed, lambda: progress.count_sources(corpus, sources, data)
    ):
        here = sum(image.kind == "object" for image in document.images)
        number, boxes = number + bool(here), boxes + here
    console.say_line(f"{boxes} objects in {number} of {tally.documents} documents, {passed.failed} failed, in {out}")
    console.say(tally.result())
    skipped = bool(data) and console.say_skipped(data, shown=passed.records)
    console.say_notes(passed)
    console.say_failed(passed.records)
    if passed.records or skipped:
        raise typer.Exit(options.PARTIAL)
