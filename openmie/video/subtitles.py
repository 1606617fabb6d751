"""Subtitles, SRT or WebVTT, as cues: who says what from when to when is all that a transcript needs."""

from __future__ import annotations

import codecs
import html
import itertools
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from openmie.errors import CorpusError, ErrorRecord

MARKUP = re.compile(r"</?[A-Za-z][^<>]*>|<\d[\d:.]*>|\{\\[^{}]*\}")  # <i>, <v Name>, WebVTT's <00:01.000>, {\an8}
BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True)
class Cue:
    """What is said from second `begin` to second `finish`, on one line."""

    begin: float
    finish: float
    text: str


@dataclass(frozen=True)
class Subtitles:
    """Cues in the order of time, none of which overlap, and what had to be mended for it."""

    cues: tuple[Cue, ...]
    errors: tuple[ErrorRecord, ...] = ()


def read(path: str | os.PathLike[str], encoding: str = "") -> Subtitles:
    """The cues of a file. UTF-8, or UTF-16 with its mark, unless `encoding` says otherwise.

    Overlapping cues are cut where the next one begins, and a record counts them; their text is kept whole. Markup is
    taken out. Errors: no such file, bytes of another encoding, no cue at all.
    """
    text = _decoded(Path(path), encoding)
    found, skipped = _events(text, str(path))
    cues, errors = ordered(found, str(path))
    if skipped:
        blocks = f"{skipped} blocks with a time that cannot be read, or an end before its start"
        errors = (*errors, _record(path, blocks, "00:01:02,500 --> 00:01:04,000", "mend them: their text was left out"))
    if not cues:
        raise CorpusError("no cue with a text", expected="SRT or WebVTT", where=str(path),
                          remedy="look at the file, or let --transcribe make subtitles")
    return Subtitles(cues, errors)


def _record(path: str | os.PathLike[str], found: str, expected: str, remedy: str) -> ErrorRecord:
    return ErrorRecord(where=f"subtitles {path}", found=found, expected=expected, remedy=remedy)


def _decoded(path: Path, encoding: str) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CorpusError(error.strerror or str(error), expected="a subtitle file", where=str(path),
                          remedy="check the path") from None
    name = encoding or next((name for mark, name in BOMS if raw.startswith(mark)), "utf-8")
    try:
        return raw.decode(name)
    except LookupError:
        raise CorpusError(f"the encoding {name!r}", expected="one that Python knows, such as gb18030", where=str(path),
                          remedy="correct --encoding") from None
    except UnicodeDecodeError as error:
        raise CorpusError(f"byte 0x{raw[error.start]:02x} at offset {error.start}, which is not {name}",
                          expected=f"text in {name}", where=str(path),
                          remedy="name the encoding, for example --encoding gb18030 (Chinese) or cp1252 (Western)"
                          ) from None


def _events(text: str, where: str) -> tuple[list[Cue], int]:
    """Cues as the file has them, and how many blocks say a time that is none."""
    pysubs2 = _pysubs2()
    try:
        events = [e for e in pysubs2.SSAFile.from_string(text) if not e.is_comment]
    except (pysubs2.exceptions.Pysubs2Error, ValueError) as error:
        raise CorpusError(f"no subtitles ({type(error).__name__})", expected="SRT or WebVTT", where=where,
                          remedy="convert them, or let --transcribe make subtitles") from None
    cues = [Cue(e.start / 1000, e.end / 1000, _plain(e.plaintext)) for e in events if e.end >= e.start >= 0]
    told = len(re.findall(r"^[^\n]*-->", text, re.MULTILINE))
    return cues, max(told, len(events)) - len(cues)


def _plain(text: str) -> str:
    return " ".join(html.unescape(MARKUP.sub("", text)).split())


def ordered(cues: Iterable[Cue], where: str) -> tuple[tuple[Cue, ...], tuple[ErrorRecord, ...]]:
    """Cues with a text, by time, each cut where the next begins; a record counts those that overlapped."""
    found = sorted((c for c in cues if c.text), key=lambda c: (c.begin, c.finish))
    overlaps = [a for a, b in itertools.pairwise(found) if a.finish > b.begin]
    cut = tuple(_until(found))
    if not overlaps:
        return cut, ()
    first = overlaps[0]
    return cut, (_record(where, f"{len(overlaps)} cues that overlap the next, the first at {first.begin:.3f} s",
                         "one after the other", "nothing to do: each was cut where the next begins, its text kept"),)


def _until(cues: list[Cue]) -> Iterator[Cue]:
    for cue, after in zip(cues, [*cues[1:], None]):
        yield cue if after is None else Cue(cue.begin, min(cue.finish, after.begin), cue.text)


def write(cues: Iterable[Cue], path: str | os.PathLike[str]) -> None:
    """The cues as a SubRip file."""
    pysubs2 = _pysubs2()
    file = pysubs2.SSAFile()
    file.events = [pysubs2.SSAEvent(start=round(1000 * c.begin), end=round(1000 * c.finish), text=c.text) for c in cues]
    Path(path).write_text(file.to_string("srt"), encoding="utf-8")


def _pysubs2():  # type: ignore[no-untyped-def]
    try:
        import pysubs2
        import pysubs2.exceptions
    except ImportError:
        raise CorpusError("no pysubs2 here", expected="the libraries for video", where="openmie.video",
                          remedy="pip install 'openmie[video]'") from None
    return pysubs2
