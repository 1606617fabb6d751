"""A video and its subtitles as Documents, one a clip, written with their frames (M3D, section III).

out/VIDEO/clips.jsonl                      a Document a clip: timed transcript, frames with their seconds
out/VIDEO/frames/VIDEO_CLIP_NUMBER.jpg     every 24th frame of a clip, named by its number in the video
out/VIDEO/subtitles.srt                    the cues as they were used, to be corrected where a model transcribed them
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from openmie.data import replace_file as writing
from openmie.data.document import Document, Image, TimeSpan
from openmie.errors import CorpusError, ErrorRecord, OpenMIEError
from openmie.formats import jsonl, output
from openmie.text import words
from openmie.video.clips import Clip, cut_clips
from openmie.video.frames import VideoFrame, VideoLimits, probe, sample_frames
from openmie.video.subtitles import Cue, Subtitles, write_subtitles

LANGUAGES = ("en", "zh")
FORMATS: dict[str, dict[str, Any]] = {"jpg": {"format": "JPEG", "quality": 95}, "png": {"format": "PNG"}}


@dataclass(frozen=True, kw_only=True)
class BuildSettings:
    """How a video becomes documents; the paper's values are the defaults.

    Args:
        every: keep one frame in this many.
        shortest: minimum length of a clip, in seconds.
        longest: maximum length of a clip, in seconds, where subtitle boundaries allow it.
        language: `en` or `zh`; empty: decided by the letters of the transcript.
        image: file format of the frames: `jpg`, or `png`, which is exact and ten times larger.
        limits: largest videos that are decoded.
    """

    every: int = 24
    shortest: float = 60.0
    longest: float = 120.0
    language: str = ""
    image: str = "jpg"
    limits: VideoLimits = field(default_factory=VideoLimits)

    def __post_init__(self) -> None:
        if self.language not in ("", *LANGUAGES) or self.image not in FORMATS:
            raise CorpusError(
                f"language {self.language!r}, image {self.image!r}",
                where="openmie.video.Settings",
                expected=f"one of {LANGUAGES} and of {tuple(FORMATS)}",
                remedy="correct it",
            )


def build_folder(
    video: str | os.PathLike[str],
    subtitles: Subtitles,
    out: str | os.PathLike[str],
    settings: BuildSettings | None = None,
    name: str = "",
) -> tuple[int, tuple[ErrorRecord, ...]]:
    """Build the folder of one video, completely or not at all.

    A folder that was built from the same file with the same settings is left as it is, and nothing is decoded again.

    Args:
        video: the file.
        subtitles: its transcript.
        out: folder in which the video's folder is created.
        settings: length of clips, sampling of frames, language; None: the paper's values.
        name: of the video's folder and ids; "": the file name without its suffix.

    Returns:
        The number of clips, and records of what could not be read.

    Raises:
        CorpusError: another build in its place, a video that cannot be read, no text in the subtitles.
    """
    settings, path = settings or BuildSettings(), Path(video)
    name = name or path.stem
    folder, facts = Path(out) / output.safe_name(name), _facts(path, subtitles, settings)
    if (folder / "build.json").is_file():
        built = _read_build(folder)
        if built.get("facts") == facts:
            return built["clips"], tuple(ErrorRecord(**e) for e in built["errors"])
        raise CorpusError(
            "another build",
            expected="the same video, subtitles and settings",
            where=str(folder),
            remedy="remove the folder, or name another --out",
        )
    writing.make_folder(out)
    documents, errors = 0, list(subtitles.errors)
    with output.new_folder(folder) as place:
        found = list(build_documents(path, subtitles, place / "frames", settings, name))
        errors += [e for e in found if isinstance(e, ErrorRecord)]
        clips = [d for d in found if isinstance(d, Document)]
        documents = jsonl.write(clips, place / "clips.jsonl").documents
        write_subtitles(subtitles.cues, place / "subtitles.srt")
        record = {"facts": facts, "clips": documents, "errors": [e.model_dump() for e in errors]}
        (place / "build.json").write_text(json.dumps(record, ensure_ascii=False, indent=1), encoding="utf-8")
    return documents, tuple(errors)


def cached_transcript(
    video: str | os.PathLike[str], model: str, out: str | os.PathLike[str], settings: BuildSettings, name: str = ""
) -> Subtitles | None:
    """The transcript by `model` of an earlier build of this file with these settings; None where there is none.

    Transcribing again is slow, and on a GPU the words may differ.
    """
    facts = _read_build(Path(out) / output.safe_name(name or Path(video).stem)).get("facts", {})
    found = Subtitles(tuple(Cue(*c) for c in facts.get("cues", ())), asr_model=model)
    return found if found.cues and facts == _facts(Path(video), found, settings) else None


def _read_build(folder: Path) -> dict[str, Any]:
    """The `build.json` of a finished build; {} where there is none, or a damaged one."""
    try:
        built = json.loads((folder / "build.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return built if isinstance(built, dict) and {"facts", "clips", "errors"} <= built.keys() else {}


def _facts(path: Path, subtitles: Subtitles, settings: BuildSettings) -> dict[str, object]:
    """What a build depends on, as JSON reads it back."""
    status = path.stat() if path.is_file() else None
    file = [path.name, status.st_size if status else 0, status.st_mtime if status else 0]
    cues = [[c.start, c.end, c.text] for c in subtitles.cues]
    return json.loads(json.dumps({"video": file, "asr_model": subtitles.asr_model, "cues": cues, **asdict(settings)}))


def build_documents(
    video: Path, subtitles: Subtitles, frames: Path, settings: BuildSettings, name: str
) -> Iterator[Document | ErrorRecord]:
    """Cut a video into clips, and turn each into a Document.

    The text of a clip is its cues, joined by blanks in English, and in Chinese between Latin letters.

    Args:
        video: the file.
        subtitles: its transcript.
        frames: folder for the sampled frames; it is created.
        settings: length of clips, sampling of frames, language.
        name: prefix of document ids.

    Yields:
        Records of what could not be decoded, then a Document per clip with `times` in seconds from the start of the
        video.

    Raises:
        CorpusError: a video that cannot be read or exceeds the limits, or no text in the subtitles.
    """
    facts = probe(video, settings.limits)
    if not subtitles.cues:
        raise CorpusError("no cue", expected="subtitles with a text", where=f"video {video}", remedy="give others")
    clips = cut_clips(subtitles.cues, settings.shortest, settings.longest)
    yield from _length_errors(video, clips, settings)
    frames.mkdir(parents=True)
    images_of: list[list[Image]] = [[] for _ in clips]
    for item in sample_frames(video, [(c.start, c.end) for c in clips], settings.every, settings.limits):
        if isinstance(item, ErrorRecord):
            yield item
        else:
            images_of[item.span].append(_write(item, frames, f"{output.safe_name(name)}_{item.span}", settings))
    if empty := [n for n, images in enumerate(images_of) if not images]:
        found = f"{len(empty)} of {len(clips)} clips without a frame, such as clip {empty[0]}"
        yield ErrorRecord(
            where=f"video {video}",
            found=found,
            expected="frames in each",
            remedy="look at the video there; text was kept",
        )
    language = settings.language or _language(subtitles.cues)
    for number, (clip, images) in enumerate(zip(clips, images_of)):
        yield _document(f"{name}_{number}", clip, images, language, {"video": name, "clip": number, "fps": facts.fps})


def _length_errors(video: Path, clips: Sequence[Clip], settings: BuildSettings) -> Iterator[ErrorRecord]:
    """Clips that no boundary could bring into the range."""
    lengths = [c.end - c.start for c in clips]
    if outside := [x for x in lengths if not settings.shortest <= x <= settings.longest]:
        yield ErrorRecord(
            where=f"video {video}",
            found=f"{len(outside)} of {len(clips)} clips outside the range, such as one of {outside[0]:.1f} s",
            expected=f"{settings.shortest:g} to {settings.longest:g} seconds",
            remedy="nothing to do: no subtitle boundary allows it, and nothing was cut off",
        )


def _write(frame: VideoFrame, folder: Path, stem: str, settings: BuildSettings) -> Image:
    file = folder / f"{stem}_{frame.number}.{settings.image}"
    frame.picture.save(file, **FORMATS[settings.image])
    width, height = frame.picture.size
    return Image(
        kind="frame", id=f"frame_{frame.number}", path=str(file), time=round(frame.time, 6), width=width, height=height
    )


def _language(cues: Sequence[Cue]) -> str:
    text = "".join(c.text for c in cues)
    han = sum("\u4e00" <= c <= "\u9fff" for c in text)
    return "zh" if 2 * han > sum(c.isalpha() for c in text) else "en"


def _document(
    id: str, clip: Clip, images: Sequence[Image], language: str, source: dict[str, str | int | float]
) -> Document:
    times, text = [], ""
    for cue in clip.cues:
        latin = text[-1:].isascii() and cue.text[:1].isascii()  # words of Latin letters need a blank in Chinese too
        text += " " if text and (language != "zh" or latin) else ""
        times.append(TimeSpan(len(text), len(text) + len(cue.text), cue.start, cue.end))
        text += cue.text
    span = {"start": clip.start, "end": clip.end}
    return Document(
        id=id,
        text=text,
        words=words.split_words(text),
        images=tuple(images),
        times=tuple(times),
        lang=language,
        source={"corpus": "video", **source, **span},
    )


def build_error(error: OpenMIEError, video: str | os.PathLike[str]) -> ErrorRecord:
    """The record of a video that could not be built at all, for runs over many."""
    return error.record.model_copy(update={"where": error.record.where or f"video {video}"})
