"""`openmie convert`: convert documents between file formats."""

from __future__ import annotations

import os
import sys
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openmie.cli import console, options
from openmie.errors import ErrorRecord, OpenMIEError

if TYPE_CHECKING:
    from openmie.formats.image_placement import ImagePlacement


def convert(
    source: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...", help="Files, folders or patterns to read, or a split of a corpus: FORMAT:PATH#SPLIT."
        ),
    ],
    target: Annotated[str, typer.Argument(help="File or folder to write.")],
    from_: options.From = "",
    to: Annotated[str, typer.Option(help="Format of the target; default: as its name ends.")] = "",
    image_dir: options.ImageDir = None,
    images: Annotated[
        str,
        typer.Option(help="Image files that lie outside the target's folder: keep (where they are), copy or link."),
    ] = "keep",
    text_column: options.TextColumn = "",
    image_column: options.ImageColumn = "",
    id_column: options.IdColumn = "",
    read_option: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Of the reader, such as annotator=NAME, config=FILE; repeatable."),
    ] = None,
    write_option: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Of the writer, such as span_edges=drop (conll); repeatable."),
    ] = None,
) -> None:
    """Convert between jsonl, parquet, conll, brat, coco, yolo, voc and labelstudio, or from rows of posts.

    `--to labelstudio` also writes the labelling configuration, NAME.label_config.xml, and paths as Label Studio serves
    them. Says what could not be read and what the target format cannot hold; the exit code is 3 if anything of the
    source could not be read, or a document could not be written. Where nothing can be read, nothing is written.

    Readers open images in the folder of their file only, or in that of --image-dir: --images copy brings them there,
    and --images link does without taking space, on the same disk.

    Example: openmie convert annotations.json train.jsonl --from labelstudio

    Example: openmie convert 'parts/*.csv' mine/posts.jsonl --text-column tweet --images copy

    Example: openmie convert twitter:DIR#test gold.jsonl
    """
    from openmie import corpora
    from openmie.formats.image_placement import WAYS
    from openmie.formats.registry import write
    from openmie.formats.sources import read_sources

    if images not in WAYS and os.path.isdir(images):  # the name of --image-dir before 0.2
        print(f"--images {images} is now called --image-dir", file=sys.stderr)
        images, image_dir = "keep", image_dir or images
    named, hash_, split = source[0].rpartition("#")
    records: dict[ErrorRecord, None] = {}
    given = options.reader_options(image_dir, text_column, image_column, id_column) | options.key_values(
        "--read-option", read_option
    )
    corpus = corpora.load(named, **given) if len(source) == 1 and hash_ and not os.path.lexists(source[0]) else None
    items = corpus.split(split) if corpus else read_sources(source, from_ or None, **given)
    documents = console.documents_of(items, records)
    place = _placement(target, to, images, records)
    first = list(islice(documents, 1))
    skipped = corpus.skipped if corpus else records
    if skipped and not first:
        print(f"nothing of {' '.join(source)} could be read, so {target} was not written", file=sys.stderr)
        console.say_records(skipped)
        raise typer.Exit(options.PARTIAL)
    written = write(
        place(chain(first, documents)),
        target,
        to or None,
        **_writing(target, to),
        **options.key_values("--write-option", write_option),
    )
    place.finish()
    console.say(written)
    lost = console.say_records([*(corpus.skipped if corpus else ()), *records])
    if lost or written.lost:
        raise typer.Exit(options.PARTIAL)


def _placement(target: str, to: str, how: str, records: dict[ErrorRecord, None]) -> ImagePlacement:
    """Of the images, into the folder of the target file, or the target folder."""
    from openmie.formats.image_placement import FOLDER, WAYS, ImagePlacement
    from openmie.formats.registry import FORMATS, guess

    if target == "-" and how != "keep":
        raise OpenMIEError(
            f"--images {how} with standard output", expected="a file or folder", remedy="name one, or leave it out"
        )
    row = FORMATS.get(to or guess(target, reading=False))
    if row is None or "images" in row.cannot_hold:
        how = "keep" if how in WAYS else how
    folder = bool(row and row.folder)
    inside = "" if row and row.module == "voc" else FOLDER
    return ImagePlacement(target if folder else Path(target).parent, how, inside, at_end=folder, records=records)


def _writing(target: str, to: str) -> dict[str, Any]:
    """Options of Label Studio's writer, with what is to be done there on stderr."""
    if to != "labelstudio" or target == "-" or (os.path.exists(target) and not os.path.isfile(target)):
        return {}  # a stream has no place beside it
    config = Path(target).with_suffix(".label_config.xml")
    folder = Path(os.path.abspath(target)).parent
    print(
        f"labelling configuration: {config}. Images are served from {folder} with "
        f"LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true, LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT={folder.parent} and "
        f"{folder} as the project's local storage.",
        file=sys.stderr,
    )
    return {"served": True, "config": config}
