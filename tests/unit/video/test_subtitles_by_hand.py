"""Subtitles typed by hand: arrows mistyped, references that name nothing, encodings that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from openmie.errors import CorpusError
from openmie.text.character_references import unescape
from openmie.text.pos_rules import rule_based_tag
from openmie.video.subtitles import read_subtitles

ARROWS = ["->", "-->>", "->>", "- ->", "—>", "–>", "==>", "--&gt;", "→", "--", "", "to", "-- >", "–––>"]


@pytest.mark.parametrize("arrow", ARROWS)
@pytest.mark.parametrize("name", ["a.srt", "a.vtt"])
def test_a_mistyped_arrow_is_read_and_told(tmp_path: Path, arrow: str, name: str) -> None:
    point = "," if name == "a.srt" else "."
    blocks = [
        f"1\n00:00:01{point}000 --> 00:00:02{point}000\nMira left.",
        f"2\n00:00:02{point}500 {arrow} 00:00:04{point}000\nBo stayed.",
        f"3\n00:00:05{point}000 --> 00:00:06{point}000\nThe end.",
    ]
    (tmp_path / name).write_text(("WEBVTT\n\n" if name == "a.vtt" else "") + "\n\n".join(blocks), encoding="utf-8")
    found = read_subtitles(tmp_path / name)
    assert [(c.start, c.end, c.text) for c in found.cues] == [
        (1, 2, "Mira left."),
        (2.5, 4, "Bo stayed."),
        (5, 6, "The end."),
    ]
    assert [(e.note, "mistyped arrow" in e.found) for e in found.errors] == [(True, True)]


@pytest.mark.parametrize("time", ["00:00:02,500", "00:00:02,500 -->", "00:00:02,500 --> soon"])
def test_a_time_without_an_end_loses_its_block_and_no_other(tmp_path: Path, time: str) -> None:
    (tmp_path / "a.srt").write_text(f"1\n00:00:01,000 --> 00:00:02,000\nMira left.\n\n2\n{time}\nBo stayed.\n")
    found = read_subtitles(tmp_path / "a.srt")
    assert [c.text for c in found.cues] == ["Mira left."]
    assert [(e.note, "1 blocks without a time" in e.found) for e in found.errors] == [(False, True)]


@pytest.mark.parametrize(
    "line", ["12:30 - 14:00", "Open 12:30 -> 14:00", "At 00:00:01,000 - 00:00:02,000 he left", "5 -> 6", "1:2 -> 3:4"]
)
def test_times_that_are_said_stay_text(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.srt").write_text(f"1\n00:00:01,000 --> 00:00:02,000\nMira left.\n{line}\n")
    found = read_subtitles(tmp_path / "a.srt")
    assert [c.text for c in found.cues] == [f"Mira left. {line}"] and found.errors == ()


@pytest.mark.parametrize("digits", [60, 4_300, 6_000])
def test_a_reference_of_thousands_of_digits(tmp_path: Path, digits: int) -> None:
    name = "&#" + "1" * digits + ";"
    (tmp_path / "a.srt").write_text(f"1\n00:00:01,000 --> 00:00:02,000\nMira {name} left &amp; went\n")
    assert [c.text for c in read_subtitles(tmp_path / "a.srt").cues] == ["Mira \ufffd left & went"]
    assert unescape(name) == "\ufffd" and rule_based_tag(name) in ("SYM", "X")  # as the tagger of posts reads it


@pytest.mark.parametrize("encoding", ["idna", "utf-7", "a\0b", "hex", "nothing"])
def test_an_encoding_that_cannot_be_it(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.srt").write_bytes(b"1\n00:00:01,000 --> 00:00:02,000\nMi..ra +2AA- \xff left\n")
    with pytest.raises(CorpusError):
        read_subtitles(tmp_path / "a.srt", encoding)
    (tmp_path / "a.srt").write_bytes(b"1\n00:00:01,000 --> 00:00:02,000\nMira +2AA- left\n")
    if encoding == "utf-7":  # a half of a UTF-16 pair is no text
        with pytest.raises(CorpusError, match="surrogate"):
            read_subtitles(tmp_path / "a.srt", encoding)
