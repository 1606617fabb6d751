"""Posts of one or several files, folders or patterns, in one stream: what every command reads.

Of several sources, rows without an id are numbered apart: `posts:3` is row 3 of `posts.csv`. A second document with an
id that came before is told by a note, for predictions and scores are paired by id.
"""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from openmie.data.document import Document
from openmie.data.object_stores import DATA, expand_url, fetched, is_url
from openmie.errors import CorpusError, ErrorRecord
from openmie.formats import registry
from openmie.formats.equal_ids import remark_equal_ids
from openmie.formats.object_sources import read_object, read_with_images
from openmie.formats.post_columns import PostColumns

Item = Document | ErrorRecord


def expand(sources: Sequence[str]) -> list[str]:
    """The files and folders that sources name, patterns such as `posts/*.jsonl` replaced by what they match, sorted.

    A folder of files of posts stands for these (`DATA`); a folder of another format, such as one of images, for itself.

    Args:
        sources: paths or patterns (`**` is any number of folders), here or in an object store (`s3://...`); "-" is
            standard input.

    Raises:
        CorpusError: nothing is there, or nothing matches.
    """
    found: list[str] = []
    for source in sources:
        if is_url(source):
            found.extend(expand_url(source))
        elif source == "-" or os.path.lexists(source):
            found.extend(_data_files(source) or [source])
        elif matches := sorted(glob.glob(source, recursive=True)):
            found.extend(matches)
        else:
            pattern = glob.has_magic(source)
            raise CorpusError(
                "no file matches" if pattern else "no such file or folder",
                expected="files that can be read",
                where=source,
                remedy="check the path; it is relative to the working directory",
            )
    if found.count("-") > 1:
        raise CorpusError("standard input, named twice", expected="once", where="-", remedy="leave one of them out")
    return list(dict.fromkeys(found))


def read_sources(sources: Sequence[str], format: str | None = None, **options: Any) -> Iterator[Item]:
    """Documents and records of all sources, in their order.

    Args:
        sources: as for `expand`.
        format: of all of them, a name of `openmie.formats.registry.FORMATS`; None: each as it is recognised.
        **options: of the readers, as for `registry.read_items`.

    Returns:
        Documents, and a record in place of each that cannot be read. All sources are looked at before the first is
        read: one that is not there, or without a column that is named, is an error at once.

    Raises:
        CorpusError: nothing at a path, an unknown format or option, a table without the columns that were named.
    """
    paths = expand(sources)
    known = [format or _guess(path, PostColumns.of(options)) for path in paths]
    taken = [registry.accepted_options(name) for name in known]
    used = {option for accepted in taken for option in accepted}  # of some of the sources
    opened = []
    for path, name, accepted, prefix in zip(paths, known, taken, _names(paths)):
        given = {k: v for k, v in options.items() if k in accepted or k not in used}
        given |= {"id_prefix": f"{prefix}:"} if len(paths) > 1 and "id_prefix" in accepted else {}
        if is_url(path):
            opened.append(read_object(path, name, given))
        elif is_url(str(given.get("images") or "")):
            opened.append(read_with_images(Path(path), path, name, given))
        else:
            opened.append(registry.read_items(path, name, **given))
    return remark_equal_ids(chain.from_iterable(opened)) if len(opened) > 1 else opened[0]


def _guess(path: str, columns: PostColumns) -> str:
    """The format of a file; one of an object store is known by its name, or looked at."""
    if not is_url(path):
        return registry.guess(path, reading=True, columns=columns)
    if Path(path).suffix.lower() in DATA:
        return registry.guess(path, reading=False)
    with fetched(path) as local:
        return registry.guess(local, reading=True, columns=columns)


def _data_files(source: str) -> list[str]:
    """The files of posts in a folder that is of no other format; none where there are no such files."""
    folder = Path(source)
    if source == "-" or not folder.is_dir() or registry.guess_folder(folder):
        return []
    names = sorted(p.name for p in folder.iterdir() if p.suffix.lower() in DATA and not p.name.startswith("."))
    return [os.path.join(source, name) for name in names]


def _names(paths: Sequence[str]) -> list[str]:
    """The stem of each file, or its path where two have the same."""
    stems = ["stdin" if path == "-" else Path(path).stem for path in paths]
    often = Counter(stems)
    return [stem if often[stem] == 1 else Path(path).as_posix() for stem, path in zip(stems, paths)]
