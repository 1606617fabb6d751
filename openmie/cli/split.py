"""`openmie split`: split one's own posts into train, dev and test."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from openmie.cli import console, options
from openmie.errors import ErrorRecord, OpenMIEError


def split(
    source: options.Sources,
    out: Annotated[Path, typer.Option(help="Folder to write: train.jsonl, dev.jsonl, test.jsonl.")],
    shares: Annotated[str, typer.Option(help="Shares of train, dev and test, with commas.")] = "0.8,0.1,0.1",
    seed: options.Seed = 0,
    together: Annotated[
        list[str] | None, typer.Option(help="Column whose values are kept together, such as author; repeatable.")
    ] = None,
    images: Annotated[
        str, typer.Option(help="Image files: copy, link (no space, on the same disk) or keep (where they are).")
    ] = "copy",
    image_dir: options.ImageDir = None,
    from_: options.From = "",
    text_column: options.TextColumn = "",
    image_column: options.ImageColumn = "",
    id_column: options.IdColumn = "",
) -> None:
    """Split posts into train, dev and test, by a hash of seed and id: the order of the posts does not matter.

    Posts with the same text or image are never in two splits, nor are posts whose images only scaling and compression
    tell apart. The exit code is 3 if anything could not be read.

    Example: openmie split annotated.jsonl --out mine --shares 0.7,0.1,0.2 --seed 1 --together author
    """
    from openmie.data.folder_lock import hold_folder
    from openmie.datasets.own_splits import split_posts
    from openmie.formats.image_placement import ImagePlacement
    from openmie.formats.registry import write
    from openmie.formats.sources import read_sources

    wanted = _shares(shares)
    records: dict[ErrorRecord, None] = {}
    place = ImagePlacement(out, images, records=records)
    given = options.reader_options(image_dir, text_column, image_column, id_column)
    documents = console.documents_of(read_sources(source, from_ or None, **given), records)
    lost = 0
    with console.telling_records(records):
        found = split_posts(documents, seed, wanted, together or ())
        with hold_folder(out):
            for name, posts in found.items():
                if wanted[name]:
                    written = write(place(posts), out / f"{name}.jsonl")
                    lost += written.lost
                    print(f"{name}: ", end="", file=sys.stderr)
                    console.say(written)
    if lost:
        raise typer.Exit(options.PARTIAL)


def _shares(text: str) -> dict[str, float]:
    try:
        numbers = [float(part) for part in text.split(",")]
        if len(numbers) != 3 or not all(0 <= n < float("inf") for n in numbers) or not sum(numbers):
            raise ValueError
    except ValueError:
        raise OpenMIEError(
            f"--shares {text}", expected="three numbers of 0 or more", remedy="write them so: --shares 0.8,0.1,0.1"
        ) from None
    return dict(zip(("train", "dev", "test"), numbers))
