"""Videos that are not as they should be: times, gaps, covers, lists, broken ends; and builds that are met again."""

import itertools
import json
from fractions import Fraction

import numpy as np
import pytest
from typer.testing import CliRunner

from openmie import video
from openmie.cli import application as cli
from openmie.corpora import read
from openmie.errors import CorpusError, ErrorRecord
from openmie.video.dataset import cached_transcript
from openmie.video.frames import VideoLimits, sample_frames
from openmie.video.subtitles import Cue, Subtitles
from tests.unit.video.test_video import NAMES, RATE, SIZE, number_of, numbered

av = pytest.importorskip("av")


def film(path, frames=40, when=lambda n: Fraction(n, RATE), form=None, sound=None, cover=False, scale=1):
    """A small film; `when` gives each frame's second, `sound` the seconds between which it hums."""
    with av.open(str(path), "w", format=form) as container:
        if cover:
            picture = container.add_stream("mjpeg", rate=1)
            picture.width, picture.height, picture.pix_fmt = *SIZE, "yuvj420p"
            picture.disposition = av.stream.Disposition.attached_pic
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = SIZE[0] * scale, SIZE[1] * scale, "yuv420p"
        stream.codec_context.bit_rate, stream.codec_context.time_base = 4_000_000, Fraction(1, 1000)
        voice = container.add_stream("aac", rate=16_000, layout="mono") if sound else None
        packets = []
        for n in range(frames):
            frame = av.VideoFrame.from_ndarray(
                np.kron(numbered(n)[..., None], np.ones((scale, scale, 3), np.uint8)), format="rgb24"
            )
            frame.pts, frame.time_base = int(when(n) * 1000), Fraction(1, 1000)
            packets += stream.encode(frame)
        packets += stream.encode()
        if cover:
            frame.pts = 0
            packets += [*picture.encode(frame), *picture.encode()]
        if voice:
            wave = np.sin(np.arange(int(16_000 * (sound[1] - sound[0]))) / 20).astype(np.float32)[None] / 4
            block = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            block.sample_rate, block.pts, block.time_base = 16_000, int(16_000 * sound[0]), Fraction(1, 16_000)
            packets += [*voice.encode(block), *voice.encode()]
        for packet in packets:
            container.mux(packet)
    return path


def seen(path, spans, every=8):
    found = list(sample_frames(path, spans, every))
    records = [f for f in found if isinstance(f, ErrorRecord)]
    return [(f.span, f.number, number_of(f.picture), round(f.time, 3)) for f in found if f not in records], records


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_seconds_count_from_the_container_not_from_its_pictures(tmp_path, name):
    """Pictures that begin 2.5 s after the sound are shown at 2.5 s, and so are the subtitles that fit them."""
    film(tmp_path / name, when=lambda n: Fraction(n, RATE) + Fraction(5, 2), sound=(0, 8))
    found, errors = seen(tmp_path / name, [(0, 3), (3.5, 7)])
    assert [f[:3] for f in found] == [(0, 0, 0), (1, 8, 8), (1, 16, 16), (1, 24, 24), (1, 32, 32)] and not errors
    assert [f[3] for f in found] == pytest.approx([2.5, 3.5, 4.5, 5.5, 6.5], abs=0.07)  # .ts: a frame of sound later


def test_sound_that_begins_late_is_heard_late(tmp_path):
    from openmie.video.transcribe import load_audio

    wave = load_audio(film(tmp_path / "a.mkv", sound=(2, 4)))
    assert len(wave) / 16_000 == pytest.approx(4, abs=0.2) and np.abs(wave[:30_000]).max() < 1e-3
    assert np.abs(wave[34_000:60_000]).max() > 0.1
    with pytest.raises(CorpusError, match="seconds of sound"):
        load_audio(tmp_path / "a.mkv", VideoLimits(seconds=3))


def test_pictures_of_uneven_rate_keep_their_own_seconds(tmp_path):
    found, errors = seen(film(tmp_path / "a.mkv", when=lambda n: Fraction(n * n, 100)), [(0, 2), (4, 15)], every=7)
    assert (
        found
        == [(0, 0, 0, 0.0), (0, 7, 7, 0.49), (0, 14, 14, 1.96), (1, 20, 20, 4.0), (1, 27, 27, 7.29), (1, 34, 34, 11.56)]
        and not errors
    )


def test_spans_that_touch_share_no_frame(tmp_path):
    found, _ = seen(film(tmp_path / "a.mp4"), [(0, 1), (1, 2), (2, 3)], every=4)
    assert [f[:2] for f in found] == [(0, 0), (0, 4), (0, 8), (1, 9), (1, 13), (2, 17), (2, 21)]


def test_a_video_that_ends_early_without_a_broken_packet_is_said(tmp_path):
    whole = film(tmp_path / "a.mkv", 400).read_bytes()
    (tmp_path / "half.mkv").write_bytes(whole[: len(whole) // 2])  # its header still says 50 seconds
    found, errors = seen(tmp_path / "half.mkv", [(0, 50)])
    assert 10 < len(found) < 40 and ["frames until" in e.found for e in errors] == [True]
    assert not seen(tmp_path / "half.mkv", [(0, 10)])[1]


def test_pictures_that_grow_beyond_the_limit_are_not_decoded(tmp_path):
    small, large = (film(tmp_path / "a.ts", 3, form="mpegts", scale=k).read_bytes() for k in (1, 32))
    (tmp_path / "a.ts").write_bytes(small + large)
    assert {
        f.picture.size for f in sample_frames(tmp_path / "a.ts", [(0, 9)], 1) if not isinstance(f, ErrorRecord)
    } == {
        SIZE,
        (2048, 1536),
    }
    found = list(sample_frames(tmp_path / "a.ts", [(0, 9)], 1, VideoLimits(pixels=SIZE[0] * SIZE[1])))
    assert {f.picture.size for f in found if not isinstance(f, ErrorRecord)} == {SIZE}
    assert any("cannot be decoded" in f.found for f in found if isinstance(f, ErrorRecord))


def test_time_that_goes_back_is_said(tmp_path):
    half = film(tmp_path / "a.ts", form="mpegts").read_bytes()
    (tmp_path / "two.ts").write_bytes(half + half)
    _, errors = seen(tmp_path / "two.ts", [(0, 3), (6, 9)])
    assert any("goes back" in e.found for e in errors)


def test_a_cover_is_no_video_and_a_list_leads_nowhere(tmp_path):
    found, _ = seen(film(tmp_path / "12:30 a.mp4", cover=True), [(0, 4)])
    assert [f[1] for f in found] == [0, 8, 16, 24, 32]
    film(tmp_path / "a.ts", form="mpegts")
    (tmp_path / "a.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\na.ts\n#EXT-X-ENDLIST\n")
    (tmp_path / "a.ffconcat").write_text("ffconcat version 1.0\nfile 'a.ts'\n")
    for name in ("a.m3u8", "a.ffconcat"):
        with pytest.raises(CorpusError, match="other files"):
            list(sample_frames(tmp_path / name, [(0, 4)]))


def test_a_name_with_a_colon_is_a_file(tmp_path, monkeypatch):
    film(tmp_path / "talk: one.mp4", 8)
    monkeypatch.chdir(tmp_path)
    assert len(seen("talk: one.mp4", [(0, 1)], 1)[0]) == 8


def test_broken_frames_do_not_depend_on_the_number_of_cores(tmp_path, monkeypatch):
    hurt = bytearray(film(tmp_path / "a.mp4", 120).read_bytes())
    with av.open(str(tmp_path / "a.mp4")) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    for at, size in (places[50], places[112], places[116]):
        hurt[at : at + size] = bytes(size)
    (tmp_path / "a.mp4").write_bytes(hurt)
    opened = video.frames._opened
    found = []
    for threads in (1, 8):
        with opened(tmp_path / "a.mp4", VideoLimits()) as (container, stream):
            stream.codec_context.thread_count = threads
            found.append([t for _, t, _ in video.frames._Decoder(container, stream)])
    assert found[0] == found[1] and len(found[0]) == 117


# -- builds

CUES = Subtitles(tuple(Cue(n, n + 0.8, f"{NAMES[n % 4]} met {NAMES[(n + 1) % 4]} .") for n in range(4)))
SHORT = video.BuildSettings(shortest=1, longest=2, every=4)


def test_a_clip_without_frames_is_said(tmp_path):
    far = Subtitles((*CUES.cues, Cue(5.5, 7, "far away")))
    clips, errors = video.build_folder(film(tmp_path / "a.mp4"), far, tmp_path / "out", SHORT)
    said = " ".join(str(e) for e in errors)
    assert "1 of" in said and "without a frame" in said and "subtitles until 7.0 s" in said
    assert "".join(d.text for d in read(tmp_path / "out" / "a" / "clips.jsonl")).endswith("far away") and clips > 1
    with pytest.raises(CorpusError, match="no cue"):
        video.build_folder(tmp_path / "a.mp4", Subtitles(()), tmp_path / "none", SHORT)


def test_chinese_keeps_latin_words_apart(tmp_path):
    cues = Subtitles((Cue(0, 1, "他叫Orla"), Cue(1, 2, "Tamsin"), Cue(2, 3, "在这里"), Cue(3, 4, "工作很多年了")))
    video.build_folder(film(tmp_path / "a.mp4"), cues, tmp_path / "out", video.BuildSettings(shortest=4, longest=5))
    document = next(iter(read(tmp_path / "out" / "a" / "clips.jsonl")))
    assert document.lang == "zh" and document.text == "他叫Orla Tamsin在这里工作很多年了"
    assert [document.text[t.start : t.end] for t in document.times] == [c.text for c in cues.cues]


def test_what_was_heard_is_not_heard_again(tmp_path, monkeypatch):
    film(tmp_path / "a.mp4", sound=(0, 5))
    said = []

    def listen(path, model, **_):
        said.append(path)
        return Subtitles(CUES.cues, asr_model=model)

    monkeypatch.setattr("openmie.video.transcribe.transcribe", listen)
    run, out = CliRunner(), str(tmp_path / "out")
    command = ["video", "build", str(tmp_path / "a.mp4"), "--out", out, "--min-seconds", "1", "--max-seconds", "2"]
    for _ in range(2):
        assert run.invoke(cli.app, [*command, "--transcribe", "m"]).exit_code == 0
    assert len(said) == 1
    assert video.read_subtitles(tmp_path / "out" / "a" / "subtitles.srt").cues == CUES.cues
    other = run.invoke(cli.app, [*command, "--transcribe", "n"])
    assert len(said) == 2 and "another build" in other.output
    (tmp_path / "out" / "a" / "build.json").write_text("{")
    assert cached_transcript(tmp_path / "a.mp4", "m", out, SHORT) is None
    assert "another build" in run.invoke(cli.app, [*command, "--transcribe", "m"]).output
    assert "no such file" in run.invoke(cli.app, ["video", "build", ".", str(tmp_path / "none.mp4")]).output


def test_what_a_killed_build_left_is_no_clip(tmp_path):
    video.build_folder(film(tmp_path / "a.mp4"), CUES, tmp_path / "out", SHORT)
    left = tmp_path / "out" / ".b.123.tmp"
    left.mkdir()
    (left / "clips.jsonl").write_bytes((tmp_path / "out" / "a" / "clips.jsonl").read_bytes())
    from openmie.cli.video.clips import read_clips

    told = json.loads((tmp_path / "out" / "a" / "build.json").read_text())
    records: dict[ErrorRecord, None] = {}
    assert len(read_clips([tmp_path / "out"], records)) == told["clips"] and not records


def test_cutting_is_the_best_of_all_ways_where_shortest_is_longest():
    cues = [Cue(0, 1, "a"), Cue(130, 131, "b")]
    assert [len(c.cues) for c in video.cut_clips(cues, 60, 60)] == [2]  # 71 s too long, not two clips of 59 s too short
    assert list(itertools.chain(*(c.cues for c in video.cut_clips(cues, 60, 60)))) == cues


def test_a_damaged_video_ends_no_build_of_those_behind_it(tmp_path):
    """A codec that FFmpeg does not know: its stream has no width at all."""
    whole = film(tmp_path / "b.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(whole.replace(b"mp4v", b"zzzz").replace(b"esds", b"zzzz"))
    for name in ("a.srt", "b.srt"):
        (tmp_path / name).write_text("1\n00:00:00,000 --> 00:00:02,000\nMira left.\n")
    with pytest.raises(CorpusError, match="unknown codec"):
        list(sample_frames(tmp_path / "a.mp4", [(0, 2)]))
    out = CliRunner().invoke(
        cli.app, ["video", "build", *(str(tmp_path / n) for n in ("a.mp4", "b.mp4")), "--out", str(tmp_path / "o")]
    )
    assert out.exit_code == cli.PARTIAL and "b.mp4: 1 clips" in out.output and "unknown codec" in out.output


@pytest.mark.parametrize("error", [AttributeError, TypeError, ZeroDivisionError, MemoryError, OverflowError])
def test_what_the_decoder_raises_in_the_middle_is_damage(tmp_path, monkeypatch, error):
    from openmie.video import frames

    def broken(self):
        raise error("in the middle")
        yield

    monkeypatch.setattr(frames._Decoder, "_frames", broken)
    with pytest.raises(CorpusError, match=f"damaged video .{error.__name__}"):
        list(sample_frames(film(tmp_path / "a.mp4"), [(0, 2)]))
