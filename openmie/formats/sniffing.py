"""What a file or standard input is, by its first lines, where its name does not tell."""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from openmie.formats.post_columns import PostColumns

_SIZE = 1 << 16  # bytes looked at
_TAG = re.compile(r"\S\s+(?:O|[BIESLU]-\S+)\s*$")  # the end of a line of CoNLL


def guess_content(path: str | os.PathLike[str], columns: PostColumns) -> str:
    """The format of what begins as Parquet, JSON, JSON lines, CoNLL or a table of posts does; else "".

    Args:
        path: file; "-" is standard input, of which nothing is consumed.
        columns: of a table of posts.
    """
    head = _head(path).removeprefix(b"\xef\xbb\xbf")
    if head.startswith(b"PAR1"):
        return "parquet"
    text = head.decode("utf-8", errors="replace").lstrip()
    if text.startswith("["):
        return "json"
    if text.startswith("{"):
        return "json" if not _is_object(text.split("\n", 1)[0]) and "\n" in text.strip() else "jsonl"
    lines = [line for line in text.splitlines()[:200] if line.strip()]
    if 5 * sum(bool(_TAG.search(line)) for line in lines) >= len(lines) > 0:
        return "conll"
    return "csv" if lines and _is_header(lines[0], columns) else ""


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _is_header(line: str, columns: PostColumns) -> bool:
    """Whether a line has the names of a post's columns: a text's or an image's, parted from others."""
    mark = max(",;\t", key=line.count)
    cells = next(csv.reader([line.rstrip("\r\n")], delimiter=mark), [])
    return bool({columns.text, *columns.images} & {*cells}) and (len(cells) > 1 or line.strip() in cells)


def _head(path: str | os.PathLike[str]) -> bytes:
    if os.fspath(path) != "-":
        if not Path(path).is_file():  # a pipe is read once
            return b""
        with open(path, "rb") as file:
            return file.read(_SIZE)
    stream: Any = sys.stdin.buffer
    if hasattr(stream, "peek"):
        return stream.peek(_SIZE)[:_SIZE]
    if not stream.seekable():
        return b""
    at = stream.tell()
    head = stream.read(_SIZE)
    stream.seek(at)
    return head
