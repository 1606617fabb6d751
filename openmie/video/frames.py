"""Frames of a video: every n-th of each span of time, with number and second, decoded once from first to last."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openmie.data.images import MAX_PIXELS
from openmie.errors import CorpusError, ErrorRecord

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

EARLY = 1e-6  # a frame so much before the begin of a span still belongs to it
EDGES = 1 << 20  # pixels around a frame that a decoder may ask for
SHORT = 1.0  # seconds by which frames may end before the last span does
LISTS = frozenset({"concat", "dash", "hls", "imf", "sdp"})  # formats that only name other files


@dataclass(frozen=True)
class VideoFrame:
    """One sampled frame, upright."""

    span: int  # which span it was sampled for
    number: int  # of the frame in the video, from 0
    time: float  # second from the start of the video
    picture: Picture


@dataclass(frozen=True, kw_only=True)
class VideoLimits:
    """What a video may be; beyond it nothing is decoded.

    Args:
        pixels: maximum number of pixels of a frame.
        seconds: maximum duration, in seconds.
    """

    pixels: int = MAX_PIXELS
    seconds: float = 12 * 3600.0


@dataclass(frozen=True)
class VideoInfo:
    """What a video's header says; 0 where it says nothing."""

    width: int
    height: int
    fps: float
    seconds: float


def probe(path: str | os.PathLike[str], limits: VideoLimits | None = None) -> VideoInfo:
    """Size, rate and length. Errors: no video, or one beyond the limits."""
    with _opened(path, limits or VideoLimits()) as (container, stream):
        seconds = float(stream.duration * stream.time_base) if stream.duration else (container.duration or 0) / 1e6
        return VideoInfo(stream.width, stream.height, float(stream.average_rate or 0), seconds)


def sample_frames(
    path: str | os.PathLike[str],
    spans: Sequence[tuple[float, float]],
    every: int = 24,
    limits: VideoLimits | None = None,
) -> Iterator[VideoFrame | ErrorRecord]:
    """Of each span (begin, finish), in seconds and in order of time, its first frame and each `every`-th after it.

    Packets that cannot be decoded are stepped over, and one record at the end counts them; a file without any frame, or
    whose frames end before the spans do, is a record too. Spans must not overlap; a frame where two touch is the first
    one's. Seconds count from where the container begins, its sound included, as subtitles do. Errors: no video, one
    beyond the limits.
    """
    if every < 1:
        raise CorpusError(f"every={every}", expected="at least 1", where="openmie.video", remedy="24 is the default")
    with _opened(path, limits or VideoLimits()) as (container, stream), closing(_Decoder(container, stream)) as decoded:
        at, first = 0, -1  # the span that is looked for, and its first frame
        for number, time, frame in decoded:
            while at < len(spans) and time > spans[at][1] + EARLY:
                at, first = at + 1, -1
            if at == len(spans):
                break
            if time < spans[at][0] - EARLY:
                continue
            first = number if first < 0 else first
            if (number - first) % every == 0:
                yield VideoFrame(at, number, time, _upright(frame))
        yield from decoded.problems(path, spans[-1][1] if at < len(spans) else 0.0)


class _Decoder:
    """(number, second, frame) of a stream, in order; counts what could not be decoded."""

    def __init__(self, container: Any, stream: Any) -> None:
        self.container, self.stream = container, stream
        self.count, self.broken, self.back = 0, 0, 0  # frames, packets without one, frames whose time goes back
        self.last, self.ends = 0.0, 0.0  # begin and end of the latest frame

    def close(self) -> None:
        self.container.close()

    def __iter__(self) -> Iterator[tuple[int, float, Any]]:
        base, start = self.stream.time_base, _start(self.container)
        for frame in self._frames():
            rate = self.stream.average_rate or 25
            time = float(frame.pts * base - start) if frame.pts is not None else self.count / float(rate)
            self.back += time < self.last
            number, self.count = self.count, self.count + 1
            self.last, self.ends = max(time, self.last), max(self.ends, time + float((frame.duration or 0) * base))
            yield number, time, frame

    def _frames(self) -> Iterator[Any]:
        import av

        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.FFmpegError:  # the file breaks off here
                self.broken += 1
                return
            try:
                yield from packet.decode()
            except av.FFmpegError:
                self.broken += 1

    def problems(self, path: str | os.PathLike[str], last_second: float) -> Iterator[ErrorRecord]:
        """What was wrong, `wanted` the second up to which frames were looked for in vain, or 0."""
        findings = []
        if self.count and last_second > self.ends + SHORT:
            findings.append(
                (
                    f"subtitles until {last_second:.1f} s, frames until {self.ends:.1f} s",
                    "check that they belong together, and that the video is whole; text was kept",
                )
            )
        if self.back:
            findings.append(
                (
                    f"{self.back} frames whose time goes back",
                    "such as in recordings put together: convert the "
                    "video, which gives it times that only rise; frames outside their clip's time were left out",
                )
            )
        if self.broken:
            findings.append(
                (
                    f"{self.broken} packets that cannot be decoded",
                    "fetch or export it again; what could be decoded was kept, and numbered as if nothing were missing",
                )
            )
        if not self.count:
            findings.append(("no frame that can be decoded", "fetch or export it again"))
        for found, remedy in findings:
            left = f"; the last of {self.count} frames is at {self.last:.3f} s" if self.count else ""
            yield ErrorRecord(where=f"video {path}", found=found + left, expected="a whole video", remedy=remedy)


def _start(container: Any) -> Fraction:
    """Second 0: where the container begins, but neither before 0 (a codec's run-in) nor behind its first picture."""
    start, stream = max(Fraction(container.start_time or 0, 1_000_000), Fraction(0)), container.streams.best("video")
    return min(start, (stream.start_time or 0) * stream.time_base) if stream else start


def _upright(frame: Any) -> Picture:
    """The frame as it is meant to be seen: turned counter-clockwise as the container says."""
    picture = frame.to_image()
    return picture.rotate(frame.rotation, expand=True) if frame.rotation else picture


@contextmanager
def _container(path: str | os.PathLike[str]) -> Iterator[Any]:
    """The file, opened. Errors: none there, none that FFmpeg reads, one that leads to others."""
    av = _av()
    where = f"video {os.fspath(path)}"
    if not Path(path).is_file():  # a URL, a device, a folder: nothing is fetched
        raise CorpusError("no such file", expected="a video file", where=where, remedy="check the path")
    try:
        container = av.open(os.path.abspath(path), metadata_errors="replace")  # "12:30.mp4" looks like a protocol
    except (av.FFmpegError, OSError, ValueError) as error:
        raise CorpusError(
            f"no video ({type(error).__name__})",
            expected="a file that FFmpeg reads",
            where=where,
            remedy="convert it, for example to MP4",
        ) from None
    with closing(container), _as_damage(where):
        if LISTS & set(container.format.name.split(",")):
            raise CorpusError(
                f"a list of other files ({container.format.name})",
                expected="a video",
                where=where,
                remedy="name the videos themselves",
            )
        yield container


@contextmanager
def _as_damage(where: str) -> Iterator[None]:
    """What FFmpeg, and PyAV around it, raise in the middle of a damaged file, as an error of the corpus."""
    av = _av()
    kinds = (av.FFmpegError, OSError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, MemoryError)
    try:
        yield
    except kinds as error:
        raise CorpusError(
            f"a damaged video ({type(error).__name__}: {str(error)[:120]})",
            expected="a file that FFmpeg reads to its end",
            where=where,
            remedy="fetch or export it again",
        ) from error


@contextmanager
def _opened(path: str | os.PathLike[str], limits: VideoLimits) -> Iterator[tuple[Any, Any]]:
    """Container and its main video stream, within the limits."""
    where = f"video {os.fspath(path)}"
    with _container(path) as container:
        stream = container.streams.best("video")  # not the picture of a cover
        if stream is None or stream.codec_context is None:
            raise CorpusError(
                "no video stream" if stream is None else "a video stream of an unknown codec",
                expected="a video with pictures that FFmpeg decodes",
                where=where,
                remedy="name the video, not its sound, or fetch or export it again",
            )
        seconds = float(stream.duration * stream.time_base) if stream.duration else (container.duration or 0) / 1e6
        if stream.width * stream.height > limits.pixels or seconds > limits.seconds:
            raise CorpusError(
                f"{stream.width} x {stream.height} pixels, {seconds:.0f} seconds",
                where=where,
                expected=f"at most {limits.pixels:,} pixels and {limits.seconds:.0f} seconds",
                remedy="scale or cut the video, or raise the limit",
            )
        stream.codec_context.options = {"max_pixels": str(limits.pixels * 5 // 4 + EDGES)}  # where pictures grow later
        stream.thread_type = "SLICE"  # threads by frame lose some behind a broken packet, how many depends on the cores
        yield container, stream


def _av() -> Any:
    try:
        import av
    except ImportError:
        raise CorpusError(
            "no PyAV here",
            expected="the libraries for video",
            where="openmie.video",
            remedy="pip install 'openmie[video]'",
        ) from None
    return av
