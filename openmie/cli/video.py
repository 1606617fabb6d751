"""Commands that make a dataset of videos: build, export to annotators, import, agreement, splits."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from openmie.cli import console
from openmie.cli.training import PARTIAL, app
from openmie.errors import CorpusError, ErrorRecord, OpenMIEError

video = typer.Typer(no_args_is_help=True, help="Make a dataset of videos: clips, annotation, agreement, splits.")
app.add_typer(video, name="video")


@video.command("build")
def build(
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO...", help="Video files.")],
    subtitles: Annotated[
        list[Path] | None,
        typer.Option(help="SRT or WebVTT, one a video, in order. Default: the file beside it, as VIDEO.srt, .vtt."),
    ] = None,
    transcribe: Annotated[str, typer.Option(help="Without subtitles: a Whisper model, hub id or folder.")] = "",
    revision: Annotated[str, typer.Option(help="With --transcribe: commit of a hub id; default: its newest.")] = "",
    out: Annotated[Path, typer.Option(help="Folder to write; a folder a video.")] = Path("videos"),
    encoding: Annotated[str, typer.Option(help="Of the subtitles, such as gb18030; default UTF-8 or UTF-16.")] = "",
    language: Annotated[str, typer.Option(help="en or zh; default: as the transcript looks.")] = "",
    every: Annotated[int, typer.Option(help="Keep one frame of so many.")] = 24,
    shortest: Annotated[float, typer.Option(help="Seconds of a clip, at least.")] = 60,
    longest: Annotated[float, typer.Option(help="Seconds of a clip, at most.")] = 120,
    image: Annotated[str, typer.Option(help="Frames as jpg, or as png to the last bit.")] = "jpg",
) -> None:
    """Cut videos into clips at subtitle boundaries, with timed text and frames, as Documents.

    A video that is done is not done again. One that cannot be read is told, the others go on; the exit code is then 3.

    Example: openmie video build film.mp4 --subtitles film.srt --out videos
    """
    from openmie import video as library
    from openmie.video.dataset import build_error, cached_transcript
    from openmie.video.transcribe import transcribe as listen

    if subtitles and len(subtitles) != len(videos):
        raise CorpusError(
            f"{len(subtitles)} subtitle files for {len(videos)} videos",
            expected="one each, in order",
            where="openmie video build",
            remedy="name one a video, or none",
        )
    settings = library.BuildSettings(every=every, shortest=shortest, longest=longest, language=language, image=image)
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
    _end(records)


def _beside(path: Path) -> Path | None:
    return next((f for ending in (".srt", ".vtt") if (f := path.with_suffix(ending)).is_file()), None)


def _end(records: Iterable[ErrorRecord | str]) -> None:
    lines = [str(r) for r in records]
    for line in lines[:20]:
        print(line, file=sys.stderr)
    if len(lines) > 20:
        print(f"and {len(lines) - 20} more", file=sys.stderr)
    if lines:
        raise typer.Exit(PARTIAL)


def _clips(paths: Iterable[Path]) -> list[Any]:
    """The documents of files, and of the `clips.jsonl` of folders that `build` wrote."""
    from openmie.formats.registry import read

    files = [f for p in paths for f in (_built(p) if p.is_dir() else [p])]
    if not files:
        raise CorpusError(
            "no clips.jsonl there",
            expected="a folder that `openmie video build` wrote",
            where=", ".join(map(str, paths)),
            remedy="check the path",
        )
    return [d for f in files for d in read(f)]


def _built(folder: Path) -> list[Path]:
    """Where `build` finished: what a build that was killed left lies in folders whose names begin with a dot."""
    found = sorted(folder.rglob("clips.jsonl"))
    return [f for f in found if not any(x.startswith(".") for x in f.relative_to(folder).parts)]


@video.command("export")
def export(
    clips: Annotated[Path, typer.Argument(help="Folder that build wrote, or a file of Documents.")],
    out: Annotated[Path, typer.Option(help="Folder to write; a folder a tool.")],
    to: Annotated[list[str] | None, typer.Option(help="brat, labelimg, labelstudio; repeatable. Default: all.")] = None,
) -> None:
    """Write clips for annotators, with the guidelines.

    Example: openmie video export videos --out tasks --to labelstudio
    """
    from openmie.annotation.export_import import TOOLS
    from openmie.annotation.export_import import export as write

    for tool, written in write(_clips([clips]), out, tuple(to or TOOLS)).items():
        print(f"{tool}:", file=sys.stderr)
        console.say(written)


@video.command("import")
def import_(
    clips: Annotated[Path, typer.Argument(help="Folder that build wrote, or a file of Documents.")],
    out: Annotated[Path, typer.Option(help="JSON-lines file to write, beside the frames or with links to them.")],
    text: Annotated[Path | None, typer.Option(help="Annotated: a brat folder, or a Label Studio export.")] = None,
    boxes: Annotated[Path | None, typer.Option(help="LabelImg's folder, VOC or YOLO.")] = None,
) -> None:
    """Read back what annotators made of clips. What is missing is told; the exit code is then 3.

    Example: openmie video import videos --text tasks/brat --boxes tasks/labelimg/voc --out videos/annotated.jsonl
    """
    from openmie.annotation.export_import import collect
    from openmie.formats.registry import write
    from openmie.video.copy_frames import copy_frames

    failed: list[str] = []
    written = write(copy_frames(_documents(collect(_clips([clips]), text, boxes), failed), out.parent), out)
    console.say(written)
    _end(failed)


def _documents(found: Iterable[Any], failed: list[str]) -> Iterator[Any]:
    """The documents; what is wrong, with them or beside them, goes into `failed`."""
    for item in found:
        failed.extend(map(str, (item,) if isinstance(item, ErrorRecord) else item.errors))
        if not isinstance(item, ErrorRecord):
            yield item


@video.command("agree")
def agree(
    first: Annotated[Path, typer.Argument(help="One annotator's Documents.")],
    second: Annotated[Path, typer.Argument(help="Another's, of the same clips.")],
    out: Annotated[Path | None, typer.Option(help="File of all disagreements, to be decided: CSV or JSON.")] = None,
    decided: Annotated[Path | None, typer.Option(help="That file, filled in.")] = None,
    resolved: Annotated[Path | None, typer.Option(help="With --decided: a file of the agreed Documents.")] = None,
    symmetric: Annotated[
        list[str] | None,
        typer.Option(help="Relation label without direction, beside those of the guidelines; repeatable."),
    ] = None,
    undecided: Annotated[str, typer.Option(help="Whom to follow where no decision is: a or b; default: nobody.")] = "",
) -> None:
    """Cohen's kappa between two annotators, the list of what they differ on, and its decisions read back.

    Example: openmie video agree a.jsonl b.jsonl --out differ.csv

    Example: openmie video agree a.jsonl b.jsonl --decided differ.csv --resolved agreed.jsonl
    """
    from openmie.annotation import agreement as measures
    from openmie.annotation.guidelines import LABELS
    from openmie.formats.registry import read, write
    from openmie.video.copy_frames import copy_frames

    if (decided is None) != (resolved is None):
        raise CorpusError(
            "--decided or --resolved alone",
            expected="both",
            where="openmie video agree",
            remedy="name the file with decisions and the file to write",
        )
    a, b = list(read(first)), list(read(second))
    turned = LABELS.symmetric | {*(symmetric or ())}
    if decided and resolved:
        told: dict[str, Any] = {"symmetric": turned, "undecided": undecided or "error"}
        agreed = measures.resolve(a, b, measures.read_decisions(decided), **told)
        console.say(write(copy_frames(agreed, resolved.parent), resolved))
        return
    found = measures.agreement(a, b, symmetric=turned)
    known = {layer: k for layer, k in found.layers.items() if k.n}
    rows = [[layer, found.kappa[layer], k.n, 100 * k.observed, 100 * k.expected] for layer, k in known.items()]
    rows.append(["overall", found.kappa["overall"], "", "", ""])
    console.table(["layer", "kappa", "units", "agreed %", "by chance %"], rows)
    if out:
        found.write(out)
        print(f"{len(found.disagreements)} disagreements in {out}", file=sys.stderr)


@video.command("split")
def split(
    clips: Annotated[list[Path], typer.Argument(metavar="CLIPS...", help="Files of Documents, or folders from build.")],
    out: Annotated[Path, typer.Option(help="Folder to write: train.jsonl, dev.jsonl, test.jsonl.")],
    seed: Annotated[int, typer.Option(help="Which videos go where.")] = 0,
) -> None:
    """Split 8 : 1 : 1 by video, so that clips of one video are never in two splits; frames go along, as links.

    Example: openmie video split videos/annotated.jsonl --out videos
    """
    from openmie import video as library
    from openmie.formats.registry import write
    from openmie.video.copy_frames import copy_frames

    out.mkdir(parents=True, exist_ok=True)
    for name, documents in library.split_by_video(_clips(clips), seed).items():
        videos = len({d.source["video"] for d in documents})
        print(f"{name}: {videos} videos", file=sys.stderr)
        console.say(write(copy_frames(documents, out), out / f"{name}.jsonl"))
