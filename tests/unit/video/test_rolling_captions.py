"""Captions that roll up, as YouTube's automatic ones do: each line once; other files keep what is said twice."""

import pytest

from openmie.video.rolling_captions import repeated_lines
from openmie.video.subtitles import read_subtitles

VTT = """WEBVTT
Kind: captions
Language: en

00:00:00.160 --> 00:00:03.429 align:start position:0%
\x20
Mira,<00:00:00.960><c> did</c><00:00:01.520><c> you</c><00:00:02.159><c> see</c><00:00:02.560><c> the</c>

00:00:03.429 --> 00:00:03.439 align:start position:0%
Mira, did you see the
\x20

00:00:03.439 --> 00:00:05.749 align:start position:0%
Mira, did you see the
tower<00:00:03.760><c> of</c><00:00:04.000><c> Quend</c>

00:00:05.749 --> 00:00:05.759 align:start position:0%
tower of Quend
\x20

00:00:05.759 --> 00:00:08.000 align:start position:0%
tower of Quend
on<00:00:06.000><c> Sunday</c>
"""
SRT = """1
00:00:17,840 --> 00:00:19,670
my name is Mira and

2
00:00:19,670 --> 00:00:19,680
my name is Mira and

3
00:00:19,680 --> 00:00:21,830
my name is Mira and
today I go to Quend

4
00:00:21,830 --> 00:00:21,840
today I go to Quend
"""


@pytest.mark.parametrize(
    "name, text, cues, repeated",
    [
        (
            "a.vtt",
            VTT,
            [(0.16, 3.439, "Mira, did you see the"), (3.439, 5.759, "tower of Quend"), (5.759, 8.0, "on Sunday")],
            4,
        ),
        ("a.srt", SRT, [(17.84, 19.68, "my name is Mira and"), (19.68, 21.84, "today I go to Quend")], 3),
    ],
)
def test_each_line_once(tmp_path, name, text, cues, repeated):
    (tmp_path / name).write_text(text)
    found = read_subtitles(tmp_path / name)
    assert [(c.start, c.end, c.text) for c in found.cues] == cues
    (note,) = found.errors
    assert note.note and f"{repeated} cues that repeat" in note.found


@pytest.mark.parametrize(
    "cues",
    [
        [(0, 1, ["no"]), (1, 2, ["no"]), (2, 3, ["never"])],  # said twice
        [(0, 1, ["no"]), (1, 2, ["no", "never"]), (2, 3, ["a"]), (3, 4, ["b"]), (4, 5, ["c"])],  # once among many
        [(0, 1, ["no"]), (2, 3, ["no", "never"]), (4, 5, ["never", "ever"])],  # with pauses: a refrain
        [],
        [(0, 1, ["alone"])],
    ],
)
def test_other_files_keep_what_is_said_twice(cues):
    assert repeated_lines(cues) == [0] * len(cues)


def test_two_lines_that_roll_up_by_one_or_by_two():
    cues = [(0, 1, ["a", "b"]), (1, 2, ["b", "c"]), (2, 3, ["b", "c"]), (3, 4, ["b", "c", "d"])]
    assert repeated_lines(cues) == [0, 1, 2, 2]


def test_a_first_line_of_blanks_ends_no_cue_and_an_empty_one_does(tmp_path):
    (tmp_path / "a.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.000\n \nfirst\n\n00:03.000 --> 00:04.000\nsecond\n")
    assert [c.text for c in read_subtitles(tmp_path / "a.vtt").cues] == ["first", "second"]
