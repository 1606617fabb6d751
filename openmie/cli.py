"""The command line: parse, one library call, print. `openmie --help` imports no torch."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from openmie import console
from openmie.errors import OpenMIEError

app = typer.Typer(
    help="Multimodal information extraction: text with images in, entities and relations out, as data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
PAPERS = ("baseline",)
DEMO = Path("demo")
PARTIAL = 3  # exit code: some records could not be read; they are in the output, with the reason

Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Change one field of the recipe, such as fuse.heads=8 or training.epochs=3.",
    ),
]
Paper = Annotated[str, typer.Argument(help=f"System: {', '.join(PAPERS)}.")]
Ablate = Annotated[str, typer.Option(help="Ablation of the system; `openmie show PAPER` lists them.")]
Task = Annotated[str, typer.Option(help="ner, re or joint; default: what the corpus holds.")]


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for models and report.")] = DEMO,
    posts: int = 18000,
    epochs: int = 5,
    seed: int = 0,
) -> None:
    """Train on the built-in corpus, beat the best text-only score, and write a page to look at.

    Example: openmie demo --out demo
    """
    from openmie import demo as demos

    found = demos.run(out, posts=posts, epochs=epochs, seed=seed, watch=console.progress)
    names = {"ner": "names with types: strict F1", "joint": "names, types and relation: pair F1"}
    for task, systems in found.scores.items():
        rows: list[list[Any]] = [[name, s.f1, console.interval(s)] for name, s in systems.items()]
        rows += [[f"ceiling, {name}", f1, ""] for name, f1 in found.ceilings[task].items()]
        console.table([names[task], "%", "95% interval"], rows)
        print(f"gap closure {found.closures[task]:.3f} (0: the text ceiling, 1: the ceiling of text and image)\n")
    for gold, predicted in found.examples[:4]:
        print(gold.text)
        for m in predicted.mentions:
            print(f"    {m.text} -> {m.label}  ({m.score:.2f})")
        for r in predicted.relations:
            print(f"    {predicted.find(r.head).text} - {r.label} -> {predicted.find(r.tail).text}  ({r.score:.2f})")
    print(f"\nreport: {found.report}\nmodel:  {out / 'cross'}  (what `openmie extract` takes when no --model is named)")
    print(demos.CAUTION)


@app.command()
def train(
    paper: Paper,
    corpus: Annotated[str, typer.Option(help="FORMAT:PATH, such as twitter:DIR, or diorama:.")],
    out: Annotated[Path, typer.Option(help="The model folder to write.")] = Path("runs/model"),
    ablate: Ablate = "",
    task: Task = "",
    seed: int = 0,
    set_: Set = None,
    restart: Annotated[bool, typer.Option(help="Do not go on from a checkpoint in --out.")] = False,
    precision: Annotated[str, typer.Option(help="no, bf16 or fp16.")] = "no",
) -> None:
    """Train a system on a corpus; selection is on dev, the test split is not opened. Killed, it goes on where it was.

    Example: openmie train baseline --ablate text --corpus twitter:DIR --out runs/text --set training.epochs=4
    """
    from openmie.train import fit
    from openmie.train.tensorboard import logged

    data = _corpus(corpus)
    recipe = _recipe(paper, data, ablate, task, set_)
    events = fit(recipe, data.train, data.dev, out=out, seed=seed, resume=not restart, precision=precision)
    for event in console.progress(recipe.name, logged(events, out / "tensorboard")):
        if event.kind == "done":
            print(f"best dev F1 {event.values['best']:.2f} after epoch {event.values['best_epoch'] + 1}; model: {out}")
    console.say_skipped(data)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="Model folder or hub id.")],
    corpus: Annotated[str, typer.Option(help="FORMAT:PATH.")],
    split: str = "test",
    out: Annotated[Path | None, typer.Option(help="Write scores, data hash, recipe and versions here.")] = None,
    predictions: Annotated[Path | None, typer.Option(help="Write the predicted documents here.")] = None,
    bootstrap: Annotated[int, typer.Option(help="Resamples for the interval; 0: none.")] = 1000,
) -> None:
    """Score a trained model on a split of a corpus.

    Example: openmie evaluate runs/text --corpus twitter:DIR --out runs/text-test.json
    """
    from openmie.corpora import write
    from openmie.model import load
    from openmie.train import evaluate as scoring

    data = _corpus(corpus)
    loaded, gold = load(model), list(data.split(split))
    scores, predicted = scoring.evaluate(loaded, gold, bootstrap=bootstrap, symmetric=data.symmetric)
    console.scores(scores)
    if out:
        scoring.write_record(out, scoring.record(loaded, scores, gold, corpus=corpus, split=split, folder=model))
    if predictions:
        console.say(write(predicted, predictions))
    console.say_skipped(data)


@app.command()
def extract(
    source: Annotated[str, typer.Argument(help="JSON lines: {text, image} or Documents; - is stdin.")] = "",
    text: Annotated[str, typer.Option(help="One post's text.")] = "",
    image: Annotated[str, typer.Option(help="One post's image file.")] = "",
    model: Annotated[
        list[str] | None,
        typer.Option(help="Model folder or hub id; several run one after the other, such as entities, then relations."),
    ] = None,
    images: Annotated[str | None, typer.Option(help="Folder of the images that a file names.")] = None,
    format: Annotated[str, typer.Option(help="jsonl, csv or table.")] = "jsonl",
    out: Annotated[str, typer.Option(help="File; - is stdout.")] = "-",
) -> None:
    """Extract from posts. Every row comes out, a bad one with the reason; the exit code is 3 if there were any.

    Example: openmie extract --text "Zorvane again, and I love it" --image post.png --format table
    """
    from openmie import extract as extraction
    from openmie.model import load

    if format not in ("jsonl", "csv", "table"):
        raise OpenMIEError(f"--format {format}", expected="jsonl, csv or table", remedy="choose one")
    if bool(source) == bool(text or image):
        raise OpenMIEError(
            "both a file and --text/--image" if source else "nothing to extract from",
            expected="a JSON-lines file, - for stdin, or --text with --image",
            remedy="give one of them",
        )
    models = [load(m) for m in model or [_demo_model()]]
    items = extraction.rows(source, images) if source else [extraction.post(text, image)]
    failed: list[str] = []
    results = console.noted(extraction.run(models, console.counted(items, bool(source) and out != "-")), failed)
    console.write_results(results, format, out)
    for line in failed[:20]:
        print(line, file=sys.stderr)
    if failed:
        print(f"{len(failed)} records with errors; they are in the output, with the reason", file=sys.stderr)
        raise typer.Exit(PARTIAL)


@app.command()
def score(
    gold: str,
    predicted: str,
    task: Annotated[str, typer.Option(help="ner, re, joint, boxes or grounded.")] = "ner",
    symmetric: Annotated[list[str] | None, typer.Option(help="Relation label without direction; repeatable.")] = None,
    iou: float = 0.5,
    bootstrap: int = 1000,
    by_label: bool = True,
    as_json: bool = False,
) -> None:
    """Score anybody's predictions, in any format that can be read, against gold. All numbers in percent.

    Example: openmie score gold.jsonl predicted.jsonl --task ner
    """
    from openmie import metrics
    from openmie.corpora import read

    found = metrics.score(
        read(gold),
        read(predicted),
        task=task,
        symmetric=symmetric or (),
        iou=iou,  # type: ignore[arg-type]
        bootstrap=bootstrap,
    )
    if as_json:
        print(json.dumps(metrics.table(found), ensure_ascii=False, indent=1))
    else:
        console.scores(found, by_label)


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
    from openmie.corpora import read, write

    named, hash_, split = source.rpartition("#")
    options = {"images": images} if images else {}
    documents = _corpus(named).split(split) if hash_ and ":" in named else read(source, from_ or None, **options)
    console.say(write(documents, target, to or None))


@app.command()
def doctor(
    corpus: Annotated[str, typer.Argument(help="FORMAT:PATH.")],
    examples: Annotated[int, typer.Option(help="Examples shown of each finding.")] = 3,
) -> None:
    """Look a copy of a corpus over: counts beside the published ones, and all that is odd.

    Example: openmie doctor mnre:DIR
    """
    from openmie.corpora.doctor import examine

    for line in examine(corpus).lines(examples):
        print(line)


@app.command()
def diorama(
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("posts"),
    n: Annotated[int, typer.Option("--n", help="How many posts.")] = 100,
    seed: int = 0,
    split: str = "train",
) -> None:
    """Write posts of the built-in corpus as PNGs and JSON lines, to look at or to use elsewhere.

    Example: openmie diorama --out posts --n 100 --seed 1
    """
    from openmie.corpora import diorama as corpus

    corpus.save(corpus.generate(corpus.Config(seed=seed), split, n), out)
    print(f"{n} posts in {out}")


@app.command()
def show(
    paper: Annotated[str, typer.Argument(help=f"System ({', '.join(PAPERS)}) or a model folder.")],
    corpus: Annotated[str, typer.Option(help="Whose labels: FORMAT:PATH.")] = "diorama:",
    ablate: Ablate = "",
    task: Task = "",
    set_: Set = None,
) -> None:
    """Print a recipe, or what an ablation changes in it.

    Example: openmie show baseline --ablate text
    """
    from openmie import recipe as recipes

    if (Path(paper) / "recipe.json").exists():
        print((Path(paper) / "recipe.json").read_text(encoding="utf8"))
        return
    data = _corpus(corpus)
    whole = _recipe(paper, data, "", task, None)
    changed = _recipe(paper, data, ablate, task, set_)
    if changed == whole:
        print(json.dumps(recipes.dump(whole), indent=1, ensure_ascii=False))
        print("ablations: " + ", ".join(_paper(paper).ablations(whole)), file=sys.stderr)
    for path, here, there in recipes.difference(recipes.dump(whole), recipes.dump(changed)):
        print(f"{path}: {json.dumps(here, ensure_ascii=False)} -> {json.dumps(there, ensure_ascii=False)}")


# -- parsing


def _corpus(spec: str) -> Any:
    from openmie import corpora

    return corpora.load(spec)


def _paper(name: str) -> Any:
    from importlib import import_module

    if name not in PAPERS:
        raise OpenMIEError(f"system {name!r}", expected=f"one of {', '.join(PAPERS)}", remedy="correct the name")
    return import_module(f"openmie.papers.{name}")


def _recipe(paper: str, corpus: Any, ablate: str, task: str, changes: list[str] | None) -> Any:
    from openmie.recipe import check, set_field

    module = _paper(paper)
    recipe = module.recipe(corpus=corpus, **({"task": task} if task else {}))
    if ablate:
        known = module.ablations(recipe)
        if ablate not in known:
            raise OpenMIEError(f"ablation {ablate!r}", expected=f"one of {', '.join(known)}", remedy="correct the name")
        recipe = known[ablate]
    for change in changes or ():
        path, equals, value = change.partition("=")
        if not equals:
            raise OpenMIEError(
                f"--set {change}", expected="FIELD=VALUE", remedy="write for example --set training.epochs=3"
            )
        recipe = set_field(recipe, path, value)
    return check(recipe)


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
