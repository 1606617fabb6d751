"""`openmie view`: a result as pages to look through, with find and filter."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from openmie.cli import console, options
from openmie.errors import CorpusError, ErrorRecord

RESULTS = ("*.jsonl", "*.ndjson", "*.parquet", "part-*.csv")  # files of a folder of results


def view(
    result: Annotated[
        str,
        typer.Argument(help="What `extract` wrote, a file or a folder; any file that `convert` reads; or a corpus."),
    ],
    out: Annotated[
        str, typer.Option(help="Folder of the pages, or a file .html for few posts; default: RESULT-pages.")
    ] = "",
    image_dir: options.ImageDir = None,
    title: Annotated[str, typer.Option(help="Title of the pages; default: the name of the result.")] = "",
    open_: Annotated[
        bool | None, typer.Option("--open/--no-open", help="Show it in the browser; default: on a desktop.")
    ] = None,
) -> None:
    """Look through what was found: texts with entities, boxes on the images, relations, chains, words and errors.

    The pages are static files and ask no host for anything. Words, labels and failures are searched in all of them.
    Point at an entity and its boxes light up. Says what of the result could not be read; the exit code is then 3.

    Example: openmie view runs/extracted.jsonl

    Example: openmie view runs/extracted --out pages --no-open
    """
    from openmie.report.view import write_view

    records: dict[ErrorRecord, None] = {}
    items = _reading(result, image_dir)

    def read() -> Iterable[Any]:
        for item in items():
            records.update(dict.fromkeys((item,) if isinstance(item, ErrorRecord) else item.errors))
            yield item

    first, contents = write_view(read, out or _beside(result), title or Path(result).name or result)
    console.say_line(f"{contents.counts()} {first}")
    if open_ or (open_ is None and _has_desktop()):
        import webbrowser

        webbrowser.open(first.resolve().as_uri())
    if console.say_records(records):
        raise typer.Exit(options.PARTIAL)


def _beside(result: str) -> str:
    if result == "-":
        return "stdin-pages"
    path = Path(result)
    if path.exists():
        return str(path.with_name(f"{path.name if path.is_dir() else path.stem}-pages"))
    from openmie.formats.output import safe_name

    return safe_name(result) + "-pages"


def _reading(result: str, image_dir: str | None) -> Callable[[], Iterable[Any]]:
    """What opens the result, as often as it is asked. Images may lie below the working folder: posts do, mostly."""
    from openmie import corpora
    from openmie.formats.registry import accepted_options, guess, guess_folder, read_items

    def read(path: str | Path) -> Iterable[Any]:
        takes = "images" in accepted_options(guess(path, reading=True), "read")
        return read_items(path, **({"images": image_dir or os.curdir} if takes or image_dir else {}))

    if result == "-":
        kept = list(read(result))
        return lambda: kept
    path = Path(result)
    results = path.is_dir() and guess_folder(path) in ("", "images")  # YOLO's folder has JSON lines of ours beside it
    if results and (files := [f for kind in RESULTS for f in sorted(path.glob(kind))]):
        return lambda: (item for file in files for item in read(file))
    named, hash_, split = result.rpartition("#")
    spec = named if hash_ else result
    if not path.exists() and ":" in spec:
        corpus = corpora.load(spec, **({"images": image_dir} if image_dir else {}))
        names = [split] if hash_ else list(corpus.sources)
        return lambda: (item for name in names for item in corpus.sources[corpus.split(name).name]())
    if not path.exists():
        raise CorpusError(
            "no such file or folder",
            expected="a result of `openmie extract`",
            where=result,
            remedy="check the path",
        )
    return lambda: read(result)


def _has_desktop() -> bool:
    """Whether somebody sits at this terminal who could see a browser."""
    display = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(display) and sys.stdout is not None and sys.stdout.isatty()
