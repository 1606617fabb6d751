"""`openmie convert`: convert documents between file formats."""

from __future__ import annotations

import os
import sys
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any

import typer

from openmie.cli import console, options
from openmie.errors import ErrorRecord, OpenMIEError


def convert(
    source: Annotated[str, typer.Argument(help="File or folder to read, or a split of a corpus: FORMAT:PATH#SPLIT.")],
    target: Annotated[str, typer.Argument(help="File or folder to write.")],
    from_: Annotated[str, typer.Option("--from", help="Format of the source; default: as its name ends.")] = "",
    to: Annotated[str, typer.Option(help="Format of the target; default: as its name ends.")] = "",
    image_dir: options.ImageDir = None,
    read_option: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Of the reader, such as annotator=NAME, config=FILE; repeatable."),
    ] = None,
    write_option: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Of the writer, such as span_edges=drop (conll); repeatable."),
    ] = None,
) -> None:
    """Convert between jsonl, parquet, conll, brat, coco, yolo, voc and labelstudio.

    `--to labelstudio` also writes the labelling configuration, NAME.label_config.xml, and paths as Label Studio serves
    them. Says what could not be read and what the target format cannot hold; the exit code is 3 if anything of the
    source could not be read, or a document could not be written. Where nothing can be read, nothing is written.

    Example: openmie convert annotations.json train.jsonl --from labelstudio

    Example: openmie convert export.json mine.jsonl --read-option annotator=ann@example.org

    Example: openmie convert twitter:DIR#test gold.jsonl
    """
    from openmie import corpora
    from openmie.formats.registry import read_items, write

    named, hash_, split = source.rpartition("#")
    records: dict[ErrorRecord, None] = {}
    given = ({"images": image_dir} if image_dir else {}) | _pairs("--read-option", read_option)
    corpus = corpora.load(named, **given) if hash_ and ":" in named else None
    items = corpus.split(split) if corpus else read_items(source, from_ or None, **given)
    documents = console.documents_of(items, records)
    first = list(islice(documents, 1))
    skipped = corpus.skipped if corpus else records
    if skipped and not first:
        print(f"nothing of {source} could be read, so {target} was not written", file=sys.stderr)
        console.say_records(skipped)
        raise typer.Exit(options.PARTIAL)
    written = write(
        chain(first, documents), target, to or None, **_writing(target, to), **_pairs("--write-option", write_option)
    )
    console.say(written)
    lost = console.say_records(corpus.skipped if corpus else records)
    if lost or written.lost:
        raise typer.Exit(options.PARTIAL)


def _pairs(flag: str, typed: list[str] | None) -> dict[str, str]:
    """Options of a reader or writer, as typed."""
    given: dict[str, str] = {}
    for option in typed or ():
        key, equals, value = option.partition("=")
        if not equals:
            raise OpenMIEError(
                f"{flag} {option!r}", expected="KEY=VALUE", remedy="write it so, such as layer=predictions"
            )
        given[key] = value
    return given


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
