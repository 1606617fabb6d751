"""Subtitle files, SRT or WebVTT, as cues with start and end times."""

from __future__ import annotations

import codecs
import itertools
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from openmie.data import replace_file as writing
from openmie.data.json_values import describe_surrogate
from openmie.errors import CorpusError, ErrorRecord
from openmie.text.character_references import unescape
from openmie.video.rolling_captions import repeated_lines

# <i>, <font color="red">, <v Name>, WebVTT's <00:01.000>, {\an8}; "<Orla>" and "{aside}" are text
MARKUP = re.compile(
    r"</?(?:b|c|font|i|lang|p|rt|ruby|s|span|u|v)(?:[\s.][^<>]*)?>|<\d[\d:.]*>|\{\\[^{}]*\}", re.IGNORECASE
)
BREAK = re.compile(r"<[Bb][Rr]\s*/?>|\\h|\\N(?![a-z])|[\x00-\x08\x0e-\x1f\x7f]")  # what others write for a blank
HAN_LINES = re.compile(r"(?<=[\u3400-\u9fff])\n(?=[\u3400-\u9fff])")  # Chinese has no blank where a line ends
STAMP = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,3}))?"
TIMES = re.compile(rf"\s*{STAMP}\s*-->\s*{STAMP}(?!\S)")
EXACT = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
MISTYPED = (  # "->", an em dash, "--&gt;", a blank: two exact times in a line are meant as one, others with some arrow
    re.compile(rf"\s*{EXACT}[^\d\n]{{1,12}}{EXACT}(?!\S)"),
    re.compile(
        rf"\s*{STAMP}\s*(?:[^\w\s]|\s){{0,6}}(?:>|&gt;|[\u2190-\u21ff\u27f0-\u27ff\u2794-\u27be])\s*{STAMP}(?!\S)"
    ),
)
HALF = re.compile(rf"\s*{EXACT}(?!\S)")  # a time that begins a block, and nothing that can be its end
ASIDE = ("NOTE", "STYLE", "REGION", "WEBVTT")  # how WebVTT's blocks begin that are no cue
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Cue:
    """One subtitle.

    Args:
        start: in seconds.
        end: in seconds.
        text: on one line, without markup.
        lines: as a file has them.
    """

    start: float
    end: float
    text: str
    lines: tuple[str, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True)
class Subtitles:
    """Cues in the order of time, none of which overlap, and what had to be mended for it."""

    cues: tuple[Cue, ...]
    errors: tuple[ErrorRecord, ...] = ()
    asr_model: str = ""  # the speech model that made them; empty: a file


def read_subtitles(path: str | os.PathLike[str], encoding: str = "") -> Subtitles:
    """Read a subtitle file.

    Markup is removed. A cue that overlaps the next ends where that one starts, and a record counts such cues.

    Args:
        path: an SRT or WebVTT file.
        encoding: "": UTF-8, or UTF-16 or UTF-32 with a byte-order mark.

    Returns:
        The cues in order of time, and records of what was changed or could not be read.

    Raises:
        CorpusError: no such file, bytes of another encoding, or no cue at all.
    """
    text = _decoded(Path(path), encoding)
    found, skipped, mistyped = _cues(text)
    found, repeated = _unroll(found)
    cues, errors = order_cues(found, str(path))
    if mistyped:
        remedy = "nothing to do: the times were read as they are meant"
        errors = (*errors, _record(path, f"{mistyped} times with a mistyped arrow", "-->", remedy, note=True))
    if repeated:
        told = f"{repeated} cues that repeat lines of the one before, as automatic captions that roll up"
        remedy = "nothing to do: each line was kept once"
        errors = (*errors, _record(path, told, "each line in one cue", remedy, note=True))
    if skipped:
        blocks = f"{skipped} blocks without a time that can be read, or with an end before its start"
        errors = (*errors, _record(path, blocks, "00:01:02,500 --> 00:01:04,000", "mend them: their text was left out"))
    if not cues:
        raise CorpusError(
            "no cue with a text",
            expected="SRT or WebVTT",
            where=str(path),
            remedy="look at the file, or let --transcribe make subtitles",
        )
    return Subtitles(cues, errors)


def _record(path: str | os.PathLike[str], found: str, expected: str, remedy: str, note: bool = False) -> ErrorRecord:
    return ErrorRecord(where=f"subtitles {path}", found=found, expected=expected, remedy=remedy, note=note)


def _decoded(path: Path, encoding: str) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CorpusError(
            error.strerror or str(error), expected="a subtitle file", where=str(path), remedy="check the path"
        ) from None
    name = encoding or next((name for mark, name in BOMS if raw.startswith(mark)), "utf-8")
    try:
        text = raw.decode(name)
        if half := describe_surrogate(text):
            raise ValueError(half)
    except LookupError:
        raise CorpusError(
            f"the encoding {name!r}",
            expected="one that Python knows, such as gb18030",
            where=str(path),
            remedy="correct --encoding",
        ) from None
    except ValueError as error:  # UnicodeDecodeError as a rule; some encodings raise others
        at = str(error)[:80]
        if isinstance(error, UnicodeDecodeError):
            at = f"byte 0x{raw[error.start]:02x} at offset {error.start}"
        raise CorpusError(
            f"{at}, which is not {name}",
            expected=f"text in {name}",
            where=str(path),
            remedy="name the encoding, for example --encoding gb18030 (Chinese) or cp1252 (Western)",
        ) from None
    if 10 * text.count("\0") > len(text):  # a stray one is a blank, see BREAK
        raise CorpusError(
            f"zero bytes, read as {name}",
            expected="text",
            where=str(path),
            remedy="name the encoding, such as --encoding utf-16-le, or utf-32-le",
        )
    return text


def _cues(text: str) -> tuple[list[Cue], int, int]:
    """Cues as the file has them, how many blocks are none (no time that can be read), how many arrows are mistyped."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    vtt = lines[0].startswith("WEBVTT")
    at = [n for n in range(len(lines)) if _is_time(lines, n)]
    found, skipped = [], 0 if vtt else any(x.strip() and not x.strip().isdecimal() for x in lines[: at[0] if at else 0])
    mistyped = 0
    for n, stop in zip(at, [*at[1:], len(lines)]):
        text_lines = lines[n + 1 : stop]
        if stop < len(lines):
            text_lines = _unnamed(text_lines, vtt)
        if vtt:  # an empty line ends a cue; in SubRip its text may go on
            blank = next((i for i, line in enumerate(text_lines) if line == "" or line.strip()), len(text_lines))
            text_lines = text_lines[blank:]  # a first line of blanks ends nothing, and is how YouTube begins
            blocks = re.split(r"\n(?:[ \t]*\n)+", "\n".join(["", *text_lines]))
            skipped += sum(b.strip() != "" and b.split()[0] not in ASIDE for b in blocks[1:])
            text_lines = blocks[0].split("\n")
        exact = TIMES.match(lines[n])
        time = exact or _mistyped(lines, n)
        mistyped += exact is None and time is not None
        start, end = (_second(*time.groups()[:4]), _second(*time.groups()[4:])) if time else (1.0, 0.0)
        if start <= end:
            said = tuple(line for x in text_lines if (line := _plain(x)))
            found.append(Cue(start, end, _joined(said), said))
        skipped += start > end
    return found, skipped, mistyped


def _is_time(lines: list[str], n: int) -> bool:
    """Whether the line is a cue's time: one that can be read, or one that stands where a time should."""
    line = lines[n]
    if "-->" in line and (TIMES.match(line) or _first(lines, n)):
        return True
    return line.lstrip()[:1].isdecimal() and (
        _mistyped(lines, n) is not None or (HALF.match(line) is not None and _first(lines, n))
    )


def _mistyped(lines: list[str], n: int) -> re.Match[str] | None:
    exact, loose = MISTYPED
    return exact.match(lines[n]) or (loose.match(lines[n]) if _first(lines, n) else None)


def _first(lines: list[str], n: int) -> bool:
    """Whether the line is where a cue's time should stand: at the top of a block, or below its number there."""
    above = [x.strip() for x in (*("", "")[n:], *lines[max(n - 2, 0) : n])]
    return not above[1] or (not above[0] and above[1].isdecimal())


def _unnamed(lines: list[str], vtt: bool) -> list[str]:
    """A cue's lines without the number, or WebVTT's name, of the cue below them."""
    stripped = "\n".join(lines).rstrip().split("\n")
    number, alone, separated = (
        stripped[-1].strip().isdecimal(),
        not "".join(stripped[-2:-1] or "x").strip(),
        len(stripped) < len(lines),
    )
    return stripped[:-1] if (number and (alone or not separated)) or (vtt and alone and not separated) else stripped


def _second(hours: str | None, minutes: str, seconds: str, rest: str | None) -> float:
    """From whole milliseconds, so that equal stamps are equal numbers."""
    whole = 3600 * int(hours or 0) + 60 * int(minutes) + int(seconds)
    return (1000 * whole + int((rest or "0").ljust(3, "0"))) / 1000


def _plain(line: str) -> str:
    text = BREAK.sub(" ", MARKUP.sub("", line))
    return " ".join(re.sub(r"&#?\w+;", lambda m: unescape(m.group()), text).split())


def _joined(lines: Iterable[str]) -> str:
    return HAN_LINES.sub("", "\n".join(lines)).replace("\n", " ")


def _unroll(cues: Iterable[Cue]) -> tuple[list[Cue], int]:
    """The cues without the lines that they repeat of the one before, and how many of them did."""
    found = sorted((c for c in cues if c.text), key=lambda c: (c.start, c.end))
    repeated = repeated_lines([(c.start, c.end, c.lines) for c in found])
    kept: list[Cue] = []
    for number, cue in zip(repeated, found):
        if number == len(cue.lines):  # nothing new: the cue before goes on
            kept[-1] = replace(kept[-1], end=max(kept[-1].end, cue.end))
        else:
            lines = cue.lines[number:]
            kept.append(replace(cue, text=_joined(lines), lines=lines) if number else cue)
    return kept, sum(number > 0 for number in repeated)


def order_cues(cues: Iterable[Cue], where: str) -> tuple[tuple[Cue, ...], tuple[ErrorRecord, ...]]:
    """Cues with a text, by time, each cut where the next begins; a record counts those that overlapped."""
    found = sorted((c for c in cues if c.text), key=lambda c: (c.start, c.end))
    overlaps = [a for a, b in itertools.pairwise(found) if a.end > b.start]
    cut = tuple(_until(found))
    if not overlaps:
        return cut, ()
    first = overlaps[0]
    return cut, (
        _record(
            where,
            f"{len(overlaps)} cues that overlap the next, the first at {first.start:.3f} s",
            "one after the other",
            "nothing to do: each was cut where the next begins, its text kept",
            note=True,
        ),
    )


def _until(cues: list[Cue]) -> Iterator[Cue]:
    for cue, after in zip(cues, [*cues[1:], None]):
        yield cue if after is None else Cue(cue.start, min(cue.end, after.start), cue.text)


def write_subtitles(cues: Iterable[Cue], path: str | os.PathLike[str]) -> None:
    """The cues as a SubRip file."""
    blocks = (f"{n}\n{_stamp(c.start)} --> {_stamp(c.end)}\n{c.text}\n" for n, c in enumerate(cues, 1))
    writing.replace_text(path, "\n".join(blocks))


def _stamp(seconds: float) -> str:
    ms = round(1000 * seconds)
    return f"{ms // 3600000:02d}:{ms // 60000 % 60:02d}:{ms // 1000 % 60:02d},{ms % 1000:03d}"
