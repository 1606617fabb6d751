"""Sentences of files in columns: which lines are comments, which column has the tokens, which have tags.

A comment stands before the first token of its sentence: `# key = value`; `# id ID<TAB>domain=en`, as MultiCoNER has it;
`#<TAB>http://... [2009-10-17]`, as GermEval has it. A line of the token `#` and its tag is none. A file whose first
column counts the tokens (`1<TAB>Schartau<TAB>B-PER<TAB>O`) has its tokens in the second column and a layer of tags in
each of the last columns that hold nothing but tags; GermEval has two, the second one within the first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, NamedTuple

from openmie.errors import CorpusError, ErrorRecord
from openmie.formats.text_lines import is_blank, split_lines

_ID = re.compile(r"#\s*(?:(?:id|sent_id|newdoc id)\s*=\s?(.*)|id\s+(?!O$|[BIESLU]-)(\S+)(?:\s+\w+=\S*)*\s*)")
_TEXT = re.compile(r"#\s*text\s*=\s?(.*)")
_TAG = re.compile(r"([BIESLU])(?:-(.*))?|O", re.DOTALL)
_LIKE_A_TAG = re.compile(r"[BIESLU]-.+|[A-Za-z]{1,2}-\S+|[A-Z]")  # a mistyped one: its line is a token's, and told
_BLANK = re.compile(r"[ \t]+")
_TAGGED = re.compile(r".*\s[BI]-\S+", re.DOTALL)  # a token that holds a tag: gold in the text
_MARK = b"\xef\xbb\xbf"

Line = tuple[int, bytes]


class TaggedSentence(NamedTuple):
    """The tokens of one sentence, its tags by layer, and what its comments say."""

    id: str
    words: list[str]
    layers: list[list[str]]
    text: str | None  # of the comment `# text = ...`


@dataclass(frozen=True)
class ColumnLayout:
    """Which columns of a file are read.

    Args:
        tokens: column of the tokens; negative counts from the right.
        tags: columns of the tags, a layer each; empty: the last columns, as many as hold nothing but tags.
    """

    tokens: int = 0
    tags: tuple[int, ...] = (-1,)

    @classmethod
    def of(cls, tokens: int | str, tags: int | str, first: Sequence[Line]) -> ColumnLayout:
        """The columns that were named; where none were, those of a file whose first sentence counts its tokens.

        Args:
            tokens: a number, or its text.
            tags: a number, or several separated by commas.
            first: the first sentence of the file.

        Raises:
            CorpusError: no numbers.
        """
        try:
            named = cls(int(tokens), tuple(int(n) for n in str(tags).split(",")))
        except ValueError:
            raise CorpusError(
                f"tokens={tokens}, tags={tags}",
                expected="numbers of columns, the first being 0",
                remedy="write such as tokens=1, tags=2, or tags=2,3 for two layers",
            ) from None
        return cls(1, ()) if named == cls() and _is_counted(first) else named


def _is_counted(block: Sequence[Line]) -> bool:
    rows = [_cells(line.decode("utf-8", "replace")) for _, line in block if not is_comment(line)]
    return len(rows) > 1 and all(len(r) > 2 and r[0] == str(n) for n, r in enumerate(rows, 1))


def _cells(line: str) -> list[str]:
    return line.split("\t") if "\t" in line else _BLANK.split(line.strip(" "))


def blocks(stream: IO[bytes]) -> Iterator[list[Line]]:
    """Runs of lines with a token; `-DOCSTART-` and blank lines part them, a comment stays with its run."""
    block: list[Line] = []
    for number, raw in enumerate(split_lines(stream), 1):
        line = raw.rstrip(b"\r\n").removeprefix(_MARK if number == 1 else b"")
        if is_blank(line) or _BLANK.split(line.decode("latin-1"))[0] == "-DOCSTART-":
            if any(not is_comment(x) for _, x in block):
                yield block
                block = []
        else:
            block.append((number, line))
    if any(not is_comment(x) for _, x in block):
        yield block


def is_comment(line: bytes) -> bool:
    """Whether a line before the tokens of a sentence is a comment."""
    if line[:2] not in (b"# ", b"#\t"):
        return False
    text = line.decode("utf-8", "replace")
    if _ID.fullmatch(text) or (" = " in text and "\t" not in text):
        return True
    cells = _cells(text)
    return len(cells) > 1 and re.search(r"[ /=\[]", cells[-1]) is not None and not _LIKE_A_TAG.fullmatch(cells[-1])


def read_block(
    block: Sequence[Line], path: str | os.PathLike[str], id: str, columns: ColumnLayout
) -> TaggedSentence | ErrorRecord:
    """The sentence of a run of lines, or the record of its first line that is none.

    Args:
        block: of `blocks`.
        path: of the file, for the record.
        id: where no comment says one.
        columns: which are read.
    """
    rows: list[list[str]] = []
    text: str | None = None
    for number, raw in block:
        try:
            line = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            return _record(
                f"{path}:{number}", f"bytes that are not UTF-8 ({error.reason})", "UTF-8", "save it as UTF-8"
            )
        if not rows and is_comment(raw):
            id = next(filter(None, found.groups()), "") if (found := _ID.fullmatch(line)) else id
            text = found.group(1) if (found := _TEXT.fullmatch(line)) else text
            continue
        rows.append(_cells(line))
        if not _is_row(rows[-1], columns):
            return _record(
                f"{path}:{number}",
                repr(line[:120]),
                "a token and a tag like O, B-PER or I-PER",
                "mend the line, or name the columns (tokens=, tags=)",
            )
    tags = columns.tags or _tag_columns(rows)
    if not all(len(row) >= -min(tags) for row in rows):
        return _record(f"{path}:{block[0][0]}", "lines of different numbers of columns", "one layout", "mend the lines")
    return TaggedSentence(id, [row[columns.tokens] for row in rows], [[row[at] for row in rows] for at in tags], text)


def _record(where: str, found: str, expected: str, remedy: str) -> ErrorRecord:
    return ErrorRecord(where=where, found=found, expected=expected, remedy=remedy)


def _is_row(cells: Sequence[str], columns: ColumnLayout) -> bool:
    """Whether a line has a token that holds no tag, and its tags."""
    try:
        token, tags = cells[columns.tokens], [cells[at] for at in columns.tags or (-1,)]
    except IndexError:
        return False
    return len(cells) > 1 and bool(token) and not _TAGGED.fullmatch(token) and all(map(_TAG.fullmatch, tags))


def _tag_columns(rows: Sequence[Sequence[str]]) -> tuple[int, ...]:
    """The last columns, behind number and token, that hold nothing but tags, the outermost layer first."""
    width = min(map(len, rows))
    found: list[int] = []
    for at in range(-1, 1 - width, -1):
        if not all(_TAG.fullmatch(row[at]) for row in rows):
            break
        found.insert(0, at)
    return tuple(found) or (-1,)


def has_ends(items: Iterable[list[Line]], columns: ColumnLayout) -> bool:
    """Whether tags say where mentions end, as BIOES and BILOU do: such tags are half as many as `B-` at least.

    Args:
        items: the sentences of a file.
        columns: of the file.
    """
    begins = ends = 0
    for block in items:
        for _, line in block:
            cells = line.split(b"\t") if b"\t" in line else line.split()
            for at in columns.tags or (-1,):
                tag = cells[at] if -len(cells) <= at < len(cells) else b""
                if tag[1:2] in (b"-", b""):
                    begins, ends = begins + (tag[:1] == b"B"), ends + (tag[:1] in b"ESLU" and bool(tag))
    return ends > 0 and 2 * ends >= begins
