"""`openmie convert`: convert documents between file formats."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from openmie.cli import console, options


def convert(
    source: Annotated[str, typer.Argument(help="File or folder to read, or a split of a corpus: FORMAT:PATH#SPLIT.")],
    target: Annotated[str, typer.Argument(help="File or folder to write.")],
    from_: Annotated[str, typer.Option("--from", help="Format of the source; default: as its name ends.")] = "",
    to: Annotated[str, typer.Option(help="Format of the target; default: as its name ends.")] = "",
    image_dir: options.ImageDir = None,
) -> None:
    """Convert between jsonl, parquet, conll, brat, coco, yolo, voc and labelstudio.

    Says what the target format cannot hold; the exit code is 3 if a document could not be written whole.

    Example: openmie convert annotations.json train.jsonl --from labelstudio

    Example: openmie convert twitter:DIR#test gold.jsonl
    """
    from openmie import corpora
    from openmie.formats.registry import read, write

    named, hash_, split = source.rpartition("#")
    documents: Iterable[Any]
    if hash_ and ":" in named:
        documents = corpora.load(named).split(split)
    else:
        documents = read(source, from_ or None, **({"images": image_dir} if image_dir else {}))
    written = write(documents, target, to or None)
    console.say(written)
    if written.lost:
        raise typer.Exit(options.PARTIAL)
