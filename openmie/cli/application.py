"""The command line: parse, one library call, print. `openmie --help` imports no torch.

Commands that train, score and compare are in `openmie.cli.training`, the search for objects in `openmie.cli.objects`,
captions in `openmie.cli.caption`, their accuracy in `openmie.cli.captions`, datasets made of videos in
`openmie.cli.video`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from openmie.cli import console
from openmie.cli.caption import caption
from openmie.cli.captions import captions
from openmie.cli.mmre import mmre
from openmie.cli.objects import objects
from openmie.cli.prompt import (
    Cache,
    Endpoint,
    Label,
    LabelsFile,
    RelationLabel,
    Setting,
    System,
    Tasks,
    asked,
    boxes,
    prompt,
)
from openmie.cli.training import DEMO, PAPERS, PARTIAL, app, bench, demo, evaluate, load_corpus, show, train
from openmie.cli.video import video
from openmie.errors import OpenMIEError

__all__ = [
    "PAPERS",
    "PARTIAL",
    "app",
    "bench",
    "caption",
    "captions",
    "demo",
    "evaluate",
    "main",
    "mmre",
    "objects",
    "prompt",
    "show",
    "train",
    "video",
]


@app.command()
def extract(
    source: Annotated[str, typer.Argument(help="JSON lines: {text, image} or Documents; - is stdin.")] = "",
    text: Annotated[str, typer.Option(help="One post's text.")] = "",
    image: Annotated[str, typer.Option(help="One post's image file.")] = "",
    caption: Annotated[str, typer.Option(help="What is to be seen there, for a model that reads captions.")] = "",
    model: Annotated[
        list[str] | None,
        typer.Option(help="Model folder or hub id; several run one after the other, such as entities, then relations."),
    ] = None,
    images: Annotated[str | None, typer.Option(help="Folder of the images that a file names.")] = None,
    format: Annotated[str, typer.Option(help="jsonl, csv or table.")] = "jsonl",
    out: Annotated[str, typer.Option(help="File; - is stdout.")] = "-",
    system: System = "",
    endpoint: Endpoint = "",
    task: Tasks = "",
    label: Label = None,
    relation: RelationLabel = None,
    labels: LabelsFile = None,
    cache: Cache = None,
    set_: Setting = None,
) -> None:
    """Extract from posts. Every row comes out, a bad one with the reason; the exit code is 3 if there were any.

    By a trained model, or with --system by any vision-language model, here or behind a server, for labels of your own.

    Example: openmie extract --text "Zorvane again, and I love it" --image post.png --format table

    Example: openmie extract --text "Ada in Turin" --image a.jpg --system schema --model NAME --label PER="a person"
    """
    from openmie.inference import pipeline as extraction

    asking = asked(
        system,
        model,
        endpoint=endpoint,
        tasks=task,
        label=label,
        relation=relation,
        labels=labels,
        cache=cache,
        settings=set_,
    )
    if format not in ("jsonl", "csv", "table"):
        raise OpenMIEError(f"--format {format}", expected="jsonl, csv or table", remedy="choose one")
    if bool(source) == bool(text or image or caption):
        raise OpenMIEError(
            "both a file and --text/--image" if source else "nothing to extract from",
            expected="a JSON-lines file, - for stdin, or --text with --image",
            remedy="give one of them",
        )
    items = extraction.rows(source, images) if source else [extraction.post(text, image, caption)]
    failed: list[str] = []
    items = console.counted(items, bool(source) and out != "-")
    found = asking.predict(items, asking.schema()) if asking else extraction.run(_models(model), items)
    results = console.noted(found, failed)
    failed += console.write_results(results, format, out)
    console.say_failed(failed)
    if failed:
        raise typer.Exit(PARTIAL)


@app.command()
def score(
    gold: str,
    predicted: str,
    task: Annotated[str, typer.Option(help="ner, re, joint, boxes, grounded, document, summary or mre.")] = "ner",
    symmetric: Annotated[list[str] | None, typer.Option(help="Relation label without direction; repeatable.")] = None,
    iou: float = 0.5,
    bootstrap: int = 1000,
    by_label: bool = True,
    errors: Annotated[bool, typer.Option("--errors", help="Sort the errors by kind and cause, too.")] = False,
    as_json: bool = False,
) -> None:
    """Score anybody's predictions, in any format that can be read, against gold. All numbers in percent.

    Example: openmie score gold.jsonl predicted.jsonl --task ner
    """
    from openmie import metrics
    from openmie.formats.registry import read

    sides = list(read(gold)), list(read(predicted))
    about = {"symmetric": symmetric or (), "iou": iou}
    found = metrics.score(*sides, task=task, bootstrap=bootstrap, **about)  # type: ignore[arg-type]
    sorted_ = metrics.errors(*sides, **about).lines(task) if errors else []  # type: ignore[arg-type]
    if as_json:
        rows = metrics.table(found)
        print(json.dumps({"scores": rows, "errors": sorted_} if errors else rows, ensure_ascii=False, indent=1))
    else:
        console.scores(found, by_label)
        if errors:
            console.errors(sorted_)


@app.command()
def convert(
    source: str,
    target: str,
    from_: Annotated[str, typer.Option("--from", help="Format of the source.")] = "",
    to: Annotated[str, typer.Option(help="Format of the target.")] = "",
    images: Annotated[str | None, typer.Option(help="Folder of the images that the source names.")] = None,
) -> None:
    """Convert between jsonl, parquet, conll, brat, coco, yolo and labelstudio; says what the target cannot hold.

    A split of a corpus is named as FORMAT:PATH#SPLIT.

    Example: openmie convert annotations.json train.jsonl --from labelstudio
    """
    from openmie.formats.registry import read, write

    named, hash_, split = source.rpartition("#")
    options = {"images": images} if images else {}
    documents = load_corpus(named).split(split) if hash_ and ":" in named else read(source, from_ or None, **options)
    written = write(documents, target, to or None)
    console.say(written)
    if written.lost:
        raise typer.Exit(PARTIAL)


@app.command()
def doctor(
    corpus: Annotated[str, typer.Argument(help="FORMAT:PATH; or the word boxes.")],
    examples: Annotated[int, typer.Option(help="Examples shown of each finding.")] = 3,
    model: Annotated[str, typer.Option(help="With boxes: a vision-language model.")] = "",
    endpoint: Endpoint = "",
    set_: Setting = None,
) -> None:
    """Look a copy of a corpus over: counts beside the published ones, and all that is odd; or a model's boxes.

    With `boxes`, figures of known place are shown to a vision-language model, to tell how it writes its boxes.

    Example: openmie doctor mnre:DIR

    Example: openmie doctor boxes --model Qwen/Qwen2.5-VL-7B-Instruct --endpoint http://localhost:8000/v1
    """
    if corpus == "boxes":
        boxes(model, endpoint, set_)
        return
    if model or endpoint or set_:
        raise OpenMIEError(
            "a model for a corpus", expected="openmie doctor boxes --model NAME, or a corpus alone", remedy="choose one"
        )
    from openmie.datasets.audit.doctor import examine

    for line in examine(corpus).lines(examples):
        print(line)


@app.command()
def diorama(
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("posts"),
    n: Annotated[int, typer.Option("--n", help="How many posts.")] = 100,
    seed: int = 0,
    split: str = "train",
    documents: Annotated[bool, typer.Option("--documents", help="Biography transcripts with timed frames.")] = False,
    language: Annotated[str, typer.Option(help="Of documents: en or zh.")] = "en",
) -> None:
    """Write posts of the built-in corpus as PNGs and JSON lines, to look at or to use elsewhere.

    Example: openmie diorama --out posts --n 100 --seed 1
    """
    from openmie import diorama as corpus

    config = corpus.Config(seed=seed, documents=documents, language=language)
    corpus.save(corpus.generate(config, split, n), out)
    print(f"{n} {'documents' if documents else 'posts'} in {out}")


def _models(names: list[str] | None) -> list[Any]:
    from openmie.model.pretrained import load

    return [load(name) for name in names or [_demo_model()]]


def _demo_model() -> str:
    if not (DEMO / "cross" / "recipe.json").exists():
        raise OpenMIEError(
            "no --model, and no demo model in this folder",
            expected="a trained model folder or a hub id",
            remedy="run `openmie demo` first, or `openmie train`, and name its folder with --model",
        )
    return str(DEMO / "cross")


def main() -> None:
    """Entry point: an error that a user can meet is printed without a traceback."""
    try:
        app()
    except OpenMIEError as error:
        print(f"openmie: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # the reader of our output has gone
        sys.exit(141)
    except OSError as error:  # a folder that cannot be written, a full disk
        print(f"openmie: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("openmie: stopped; a training goes on from its last checkpoint when started again", file=sys.stderr)
        sys.exit(130)
