"""SubRip and WebVTT against webvtt-py, on well-formed files."""

import io

import webvtt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openmie import video
from openmie.video import subtitles

# letters, marks and lines of text as both parsers agree on them: no markup, no blank lines, no line of digits alone
SPOKEN = st.lists(st.text("abc é中-.,'", min_size=1, max_size=12).filter(str.strip), min_size=1, max_size=3)
TIMED = st.lists(st.tuples(st.integers(0, 5_000_000), st.integers(0, 9_000), SPOKEN), min_size=1, max_size=8)


@settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(TIMED, st.sampled_from(["srt", "vtt"]))
def test_well_formed_subtitles_are_read_as_webvtt_py_reads_them(tmp_path_factory, timed, kind):
    """The oracle is the library; on files of odd shape it drops text, see LOG.md."""
    point = "." if kind == "vtt" else ","
    stamp = lambda ms: f"{ms // 3600000:02}:{ms // 60000 % 60:02}:{ms // 1000 % 60:02}{point}{ms % 1000:03}"  # noqa: E731
    blocks = [f"{n}\n{stamp(a)} --> {stamp(a + d)}\n" + "\n".join(said) for n, (a, d, said) in enumerate(timed, 1)]
    text = ("WEBVTT\n\n" if kind == "vtt" else "") + "\n\n".join(blocks) + "\n"
    path = tmp_path_factory.mktemp("s") / f"a.{kind}"
    path.write_text(text, encoding="utf-8")
    captions = webvtt.from_buffer(io.BytesIO(text.encode()), format=kind)
    times = [(c.start_in_seconds, " ".join(" ".join(c.lines).split())) for c in captions]
    mine, *_ = subtitles._cues(text)
    assert [(int(c.start), "".join(c.text.split())) for c in mine] == [(s, "".join(t.split())) for s, t in times]
    found = video.read_subtitles(path)
    if not any("roll up" in e.found for e in found.errors):  # a file that does is told, and has each line once
        assert sorted(c.text for c in found.cues) == sorted(c.text for c in mine)
