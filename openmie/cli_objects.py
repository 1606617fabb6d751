"""The command that finds candidate objects in the images of a corpus."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from openmie import console
from openmie.cli_training import PARTIAL, app


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
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, ...; default: the GPU where there is one.")] = "",
) -> None:
    """Find candidate objects in the images, with the noun phrases of the text as queries of a zero-shot detector.

    Nothing is lost: each document is written, with what could not be done in its errors; the exit code is 3 if there
    was any. Stopped, it goes on where it was when started again with the same --out.

    Example: openmie objects twitter:DIR --images IMAGES --model google/owlvit-base-patch32 --out found
    """
    from openmie import __version__, detector
    from openmie import objects as search
    from openmie.corpora import output

    asked = search.Search(most=most, threshold=threshold, overlap=overlap, queries=queries, replace=replace)
    sources, data = _sources(corpus, split, images)
    found = detector.load(model, device)
    settings = {"corpus": corpus, "images": images, "model": model, "search": asdict(asked), "openmie": __version__}
    failed: list[str] = []
    tally, number, boxes = output.Tally(), 0, 0
    documents = search.fill(sources, out, lambda some: search.find(some, found, asked, batch), settings, tally)
    for document in console.noted(_shown(documents), failed):
        here = sum(image.kind == "object" for image in document.images)
        number, boxes = number + bool(here), boxes + here
    print(f"{boxes} objects in {number} of {tally.documents} documents, in {out}", file=sys.stderr)
    console.say(tally.written())
    skipped = len(data.skipped) if data else 0
    if data:
        console.say_skipped(data)
    for line in failed[:20]:
        print(line, file=sys.stderr)
    if failed:
        print(f"{len(failed)} records with errors; they are in the output, with the reason", file=sys.stderr)
    if failed or skipped:
        raise typer.Exit(PARTIAL)


def _sources(corpus: str, split: list[str] | None, images: str | None) -> tuple[dict[str, Iterable[Any]], Any]:
    """Name of the file to write -> documents; and the corpus, where it is one."""
    from openmie import corpora
    from openmie.corpora import output
    from openmie.errors import CorpusError

    if corpus != "-" and not Path(corpus).exists():
        data = corpora.load(corpus, **({"images": images} if images else {}))
        return {name: data.split(name) for name in split or data.sources}, data
    if split:
        raise CorpusError(f"--split {split[0]} of a file", expected="the splits of FORMAT:PATH", where=corpus,
                          remedy=f"leave it out, or name the corpus with its format, such as jsonl:{corpus}")
    name = "documents" if corpus == "-" else output.safe_name(Path(corpus).stem)
    return {name: _read(corpus, images)}, None


def _read(path: str, images: str | None) -> Iterator[Any]:
    """Documents of a file; a row that cannot be read is an empty one with the reason."""
    from openmie import extract
    from openmie.corpora import files
    from openmie.document import Document
    from openmie.errors import ErrorRecord

    lines = files.guess(path, reading=True) == "jsonl"
    options = {"images": images} if images else {}
    items = extract.rows(path, images) if lines else files.read_items(path, **options)
    for number, item in enumerate(items, 1):
        yield Document(id=f"unread-{number}", errors=(item,)) if isinstance(item, ErrorRecord) else item


def _shown(documents: Iterable[Any]) -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield from bar.track(documents, description="documents searched")
