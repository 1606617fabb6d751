"""`openmie video build`: cut videos into clips at subtitle boundaries."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from openmie.cli import options
from openmie.cli.video.clips import end
from openmie.errors import CorpusError, ErrorRecord, OpenMIEError


def build(
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO...", help="Video files.")],
    subtitles: Annotated[
        list[Path] | None,
        typer.Option(help="SRT or WebVTT, one a video, in order. Default: the file beside it, as VIDEO.srt, .vtt."),
    ] = None,
    transcribe: Annotated[str, typer.Option(help="Without subtitles: a Whisper model, hub id or folder.")] = "",
    revision: options.Revision = "",
    out: Annotated[Path, typer.Option(help="Folder to write, with a folder for each video.")] = Path("videos"),
    encoding: Annotated[
        str, typer.Option(help="Encoding of the subtitles, such as gb18030; default UTF-8 or UTF-16.")
    ] = "",
    language: Annotated[str, typer.Option(help="en or zh; default: recognised from the transcript.")] = "",
    every: Annotated[int, typer.Option(help="Keep every n-th frame.")] = 24,
    min_seconds: Annotated[float, typer.Option(help="Least length of a clip.")] = 60,
    max_seconds: Annotated[float, typer.Option(help="Greatest length of a clip.")] = 120,
    image_format: Annotated[str, typer.Option(help="Of the frames: jpg, or png without loss.")] = "jpg",
) -> None:
    """Cut videos into clips at subtitle boundaries, with timed text and frames, as Documents.

    A finished video is not built again. One that cannot be read is reported and the others go on; the exit code is
    then 3.

    Example: openmie video build film.mp4 --subtitles film.srt --out videos
    """
    from openmie import video as library
    from openmie.video.dataset import build_error, cached_transcript
    from openmie.video.transcribe import transcribe as listen

    if subtitles and len(subtitles) != len(videos):
        raise CorpusError(
            f"{len(subtitles)} subtitle files for {len(videos)} videos",
            expected="one each, in order",
            remedy="name one --subtitles for each video, or none",
        )
    settings = library.BuildSettings(
        every=every, shortest=min_seconds, longest=max_seconds, language=language, image=image_format
    )
    named = f"{transcribe}@{revision}" if revision else transcribe  # as `listen` names what it heard
    records: list[ErrorRecord] = []
    for number, path in enumerate(videos):
        try:
            if not path.is_file():
                raise CorpusError(
                    "no such file", expected="a video file", where=f"video {path}", remedy="check the path"
                )
            file = subtitles[number] if subtitles else _beside(path)
            if file is None and not transcribe:
                raise CorpusError(
                    "no subtitles",
                    expected=f"{path.stem}.srt or .vtt beside it, or --subtitles",
                    where=f"video {path}",
                    remedy="give them, or --transcribe openai/whisper-small",
                )
            cues = library.read_subtitles(file, encoding) if file else cached_transcript(path, named, out, settings)
            cues = cues or listen(path, transcribe, revision=revision, language=language)
            clips, wrong = library.build_folder(path, cues, out, settings)
            records += wrong
            print(f"{path}: {clips} clips", file=sys.stderr)
        except OpenMIEError as error:
            records.append(build_error(error, path))
    end(records)


def _beside(path: Path) -> Path | None:
    return next((f for ending in (".srt", ".vtt") if (f := path.with_suffix(ending)).is_file()), None)
