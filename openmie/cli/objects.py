"""The command that finds candidate objects in the images of a corpus."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from openmie.cli import console
from openmie.cli.training import PARTIAL, app


@app.command()
def objects(
    corpus: Annotated[
        str, typer.Argument(help="FORMAT:PATH, or a file as `openmie extract` and `convert` read it; - is stdin.")
    ],
    model: Annotated[
        str, typer.Option(help="Detector, a hub id or a folder: OWL-ViT, OWLv2, Grounding DINO, MM Grounding DINO.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write: one file of JSON lines a split.")],
    split: Annotated[list[str] | None, typer.Option(help="A split; repeatable. Default: all of the corpus.")] = None,
    images: Annotated[str | None, typer.Option(help="Folder of the images that the corpus names.")] = None,
    most: Annotated[int, typer.Option(help="Candidates a document, the best ones.")] = 3,
    threshold: Annotated[
        float | None,
        typer.Option(help="Take boxes with a score above it; default 0.1, of Grounding DINO 0.25.", show_default=False),
    ] = None,
    overlap: Annotated[float, typer.Option(help="Of two boxes of higher IoU only the better one is taken.")] = 0.5,
    queries: Annotated[int, typer.Option(help="Noun phrases of a text that are asked for.")] = 30,
    replace: Annotated[bool, typer.Option(help="Search again where a document has candidates already.")] = False,
    batch: Annotated[int, typer.Option(help="Images at once.")] = 8,
    revision: Annotated[str, typer.Option(help="Commit, branch or tag of a hub id; default: its main branch.")] = "",
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...; default: the GPU where there is one.")] = "",
) -> None:
    """Find candidate objects in the images, with the noun phrases of the text as queries of a zero-shot detector.

    Nothing is lost: each document is written, with what could not be done in its errors; the exit code is 3 if there
    was any. Stopped, it goes on where it was when started again with the same --out.

    Example: openmie objects twitter:DIR --images IMAGES --model google/owlvit-base-patch32 --out found
    """
    from openmie import __version__
    from openmie.formats import output
    from openmie.inference import detector
    from openmie.inference import object_proposals as search
    from openmie.inference import pipeline as extract

    asked = search.Search(most=most, threshold=threshold, overlap=overlap, queries=queries, replace=replace)
    sources, data = extract.sources(corpus, split, images)
    found = detector.load(model, device, revision)
    settings = {"corpus": corpus, "images": images, "model": model, "search": asdict(asked), "openmie": __version__}
    settings |= {"revision": revision} if revision else {}
    failed: list[str] = []
    tally, number, boxes = output.WriteReport(), 0, 0
    documents = search.fill(sources, out, lambda some: search.find(some, found, asked, batch), settings, tally)
    for document in console.noted(console.passing(documents, "documents searched"), failed):
        here = sum(image.kind == "object" for image in document.images)
        number, boxes = number + bool(here), boxes + here
    print(f"{boxes} objects in {number} of {tally.documents} documents, in {out}", file=sys.stderr)
    console.say(tally.written())
    skipped = len(data.skipped) if data else 0
    if data:
        console.say_skipped(data)
    console.say_failed(failed)
    if failed or skipped:
        raise typer.Exit(PARTIAL)
