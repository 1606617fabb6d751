"""The commands that train, score and compare systems; none imports torch to give help.

`openmie.cli.application` has the others.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from openmie.bench import system
from openmie.cli import console
from openmie.errors import OpenMIEError

app = typer.Typer(
    help="Multimodal information extraction: text with images in, entities and relations out, as data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
PAPERS = system.names()
DEMO = Path("demo")
EMBEDDINGS = "embeddings"  # what `show` draws, besides recipes
PARTIAL = 3  # exit code: some records could not be read, or some runs failed; what was done is there, with the reason

Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Change one field of the recipe, such as fuse.heads=8 or training.epochs=3.",
    ),
]
Option = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="KEY=VALUE", help="Of the system's recipe(), such as text=minilm."),
]
Paper = Annotated[str, typer.Argument(help=f"System: {', '.join(PAPERS)}.")]
Ablate = Annotated[str, typer.Option(help="Ablation of the system; `openmie show PAPER` lists them.")]
Flavour = Annotated[
    str, typer.Option(help="Flavour of the system: small (default), paper, ...; `openmie show PAPER` lists them.")
]
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
    from openmie.cli import demo as demos

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
            head, tail = (getattr(predicted.find(end), "text", end) for end in (r.head, r.tail))
            print(f"    {head} - {r.label} -> {tail}  ({r.score:.2f})")
    print(f"\nreport: {found.report}\nmodel:  {out / 'cross'}  (what `openmie extract` takes when no --model is named)")
    print(demos.CAUTION)


@app.command()
def train(
    paper: Paper,
    corpus: Annotated[str, typer.Option(help="FORMAT:PATH, such as twitter:DIR, or diorama:.")],
    out: Annotated[Path, typer.Option(help="The model folder to write.")] = Path("runs/model"),
    ablate: Ablate = "",
    flavour: Flavour = system.FLAVOUR,
    task: Task = "",
    seed: int = 0,
    option: Option = None,
    set_: Set = None,
    restart: Annotated[bool, typer.Option(help="Do not go on from a checkpoint in --out.")] = False,
    precision: Annotated[str, typer.Option(help="no, bf16 or fp16.")] = "no",
) -> None:
    """Train a system on a corpus; selection is on dev, the test split is not opened. Killed, it goes on where it was.

    Example: openmie train baseline --ablate text --corpus twitter:DIR --out runs/text --set training.epochs=4
    """
    from openmie.train import fit
    from openmie.train.tensorboard import logged

    data = load_corpus(corpus)
    recipe: Any = system.build(paper, data, task, option or (), flavour)
    recipe = system.change(system.ablate(paper, recipe, ablate), set_ or ())
    if system.answers_in_words(recipe):
        _fine_tune(recipe, recipe.data(data), out, seed, restart)
        return
    events = fit(recipe, data.train, data.dev, out=out, seed=seed, resume=not restart, precision=precision)
    for event in console.progress(recipe.name, logged(events, out / "tensorboard")):
        if event.kind == "done":
            print(f"best dev F1 {event.values['best']:.2f} after epoch {event.values['best_epoch'] + 1}; model: {out}")
    console.say_skipped(data)


def _fine_tune(recipe: Any, data: Any, out: Path, seed: int, restart: bool) -> None:
    """`train` of a system that is a fine-tuned vision-language model."""
    import shutil

    from openmie.vlm.sft.recipe import fit_chat

    if restart:
        shutil.rmtree(out, ignore_errors=True)
    told = console.steps(recipe.name)
    found = fit_chat(recipe, data.train, data.dev, out, seed=seed, watch=told)
    print(
        f"best dev loss {found['best']:.4f}; model: {out}, which `openmie prompt --system pfa --model {out} --set "
        "injection_guard=false` asks, and `transformers serve` and vLLM serve"
    )
    for record in found["refused"]["records"][:3]:
        print(f"not learnt from: {record}", file=sys.stderr)
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
    from openmie.formats.registry import write
    from openmie.model.pretrained import load
    from openmie.train import evaluate as scoring

    data = load_corpus(corpus)
    loaded, gold = load(model), list(data.split(split))
    scores, predicted = scoring.evaluate(loaded, gold, bootstrap=bootstrap, symmetric=data.symmetric)
    console.scores(scores)
    for what, f1 in scoring.scheme_ceiling(loaded, gold).items():
        print(f"ceiling of the word-pair scheme, {what}: {f1:.2f}")
    if out:
        scoring.write_record(out, scoring.record(loaded, scores, gold, corpus=corpus, split=split, folder=model))
    if predictions:
        console.say(write(predicted, predictions))
    console.say_skipped(data)


@app.command()
def bench(
    paper: Paper,
    corpus: Annotated[
        list[str] | None, typer.Option(help="FORMAT:PATH; repeatable. With --table, --plot: default all of --out.")
    ] = None,
    seeds: Annotated[str, typer.Option(help="3: seeds 1 to 3; 2,5 or 4-6: just these.")] = "1",
    ablate: Annotated[
        list[str] | None, typer.Option(help="A variant: full (default), an ablation, or all; repeatable.")
    ] = None,
    sweep: Annotated[list[str] | None, typer.Option(help="A sweep of the system, or all; repeatable.")] = None,
    flavour: Flavour = system.FLAVOUR,
    task: Task = "",
    set_: Set = None,
    option: Option = None,
    posts: Annotated[int, typer.Option(help="Train on the first so many documents; 0: on all.")] = 0,
    test: Annotated[str, typer.Option(help="Score on the test split of this corpus instead.")] = "",
    shuffle: Annotated[bool, typer.Option(help="Score once more with images shuffled between posts.")] = False,
    precision: Annotated[str, typer.Option(help="no, bf16 or fp16.")] = "no",
    out: Annotated[Path, typer.Option(help="Folder of the runs.")] = Path("runs/bench"),
    workers: Annotated[int, typer.Option(help="Runs at once.")] = 1,
    table: Annotated[str, typer.Option(metavar="FORMAT", help="Train nothing; print md or csv, or write html.")] = "",
    score: Annotated[str, typer.Option(help="Score of the table, such as entities; default: the task's first.")] = "",
    plot: Annotated[bool, typer.Option(help="Train nothing; draw the sweeps as a page in --out.")] = False,
    cases: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A B", help="Train nothing; list where two runs of --out differ, with their pictures."),
    ] = None,
) -> None:
    """Compare a system's variants on corpora over seeds: one JSON a run, and a table beside the published numbers.

    A finished run is never run again; started again, an interrupted one goes on where it was.

    Example: openmie bench baseline --corpus diorama:train=2000 --seeds 3 --ablate all
    """
    from openmie import bench as benches

    if cases:
        print(benches.cases(out, *cases, paper=paper))
        return
    same = {
        "changes": tuple(set_ or ()),
        "options": tuple(option or ()),
        "flavour": flavour,
        "posts": posts,
        "test": test,
        "shuffle": shuffle,
        "precision": precision,
    }
    if corpus:
        rows = benches.Rows(ablate=ablate or (), sweep=sweep or (), same=same)
        cells = benches.grid(paper, corpus, rows=rows, task=task, seeds=benches.seeds(seeds))
    else:
        cells = benches.found(out, paper)
    if plot:
        print(benches.plot(cells, out))
        return
    if cells and system.measured(paper):
        _measured(benches, cells, out, table, workers, bool(corpus))
        return
    if table:
        found = benches.table(cells, out, score)
        texts = {"md": benches.markdown, "csv": benches.csv}
        print(texts[table](found).rstrip() if table in texts else benches.write(found, out, table))
        return
    if not corpus:
        raise OpenMIEError(
            "no --corpus", expected="a corpus to train on", remedy="name one, or ask with --table for what is there"
        )
    failed = console.benched(benches.run(cells, out, workers=workers))
    found = benches.table(cells, out, score)
    for format in ("md", "csv", "html"):
        benches.write(found, out, format)
    print(benches.markdown(found))
    if failed:
        raise typer.Exit(PARTIAL)


def _measured(benches: Any, cells: list[Any], out: Path, table: str, workers: int, run: bool) -> None:
    """`bench` of a system whose runs have many measures."""
    from openmie.bench import sft_table as chat_table

    texts = {"md": chat_table.markdown, "csv": chat_table.csv}
    if (table and table not in texts) or not (table or run):
        raise OpenMIEError(
            f"--table {table}" if table else "no --corpus",
            expected="--table md or csv, or a corpus",
            remedy="choose one",
        )
    failed = 0 if table else console.benched(benches.run(cells, out, workers=workers))
    print(texts[table or "md"](cells, out).rstrip())
    if failed:
        raise typer.Exit(PARTIAL)


@app.command()
def show(
    paper: Annotated[
        str, typer.Argument(help=f"System ({', '.join(PAPERS)}) or a model folder; or the word {EMBEDDINGS}.")
    ],
    run: Annotated[
        str, typer.Argument(help=f"With {EMBEDDINGS}: a model folder, or a run's folder of `openmie bench`.")
    ] = "",
    corpus: Annotated[
        str,
        typer.Option(
            help="Whose labels: FORMAT:PATH; default: those of the paper's own dataset, "
            f"with {EMBEDDINGS} that of the bench run."
        ),
    ] = "",
    ablate: Ablate = "",
    flavour: Flavour = system.FLAVOUR,
    task: Task = "",
    option: Option = None,
    set_: Set = None,
    split: Annotated[str, typer.Option(help=f"Of the corpus, with {EMBEDDINGS}.")] = "test",
    most: Annotated[int, typer.Option(help=f"Entities drawn, with {EMBEDDINGS}; 0: all.")] = 2000,
    seed: Annotated[int, typer.Option(help=f"Of what is drawn and of the t-SNE, with {EMBEDDINGS}.")] = 0,
    out: Annotated[Path, typer.Option(help=f"The page to write, with {EMBEDDINGS}.")] = Path("embeddings.html"),
) -> None:
    """Print a recipe, or what an ablation changes in it; or draw a run's entity vectors in three dimensions as a page.

    Example: openmie show baseline --ablate text

    Example: openmie show shap_ca --flavour paper

    Example: openmie show embeddings runs/text --corpus twitter:DIR --out embeddings.html
    """
    if paper == EMBEDDINGS:
        if not run or ablate or task or option or set_:
            raise OpenMIEError(
                "a change to a recipe" if run else "no run",
                expected="openmie show embeddings RUN",
                remedy="name a folder; what else can be said are --corpus, --split, --most, --seed and --out",
            )
        from openmie.bench import entity_space as embeddings

        print(embeddings.show(run, corpus, split=split, most=most, seed=seed, out=out))
        return
    if run:
        raise OpenMIEError(
            f"{run!r} after {paper!r}",
            expected=f"one system or model folder, or {EMBEDDINGS} RUN",
            remedy="show them one after the other",
        )
    _recipe(paper, corpus, ablate, (task, flavour), option or (), set_ or ())


def _recipe(
    paper: str, corpus: str, ablate: str, which: tuple[str, str], options: Sequence[str], changes: Sequence[str]
) -> None:
    """Print it; of a changed one the difference. `which`: task and flavour."""
    from openmie import recipe as recipes

    if (Path(paper) / "recipe.json").exists():
        print((Path(paper) / "recipe.json").read_text(encoding="utf8"))
        return
    (task, flavour), data = which, load_corpus(corpus) if corpus else None
    whole = system.build(paper, data, task, options, flavour)
    changed = system.change(system.ablate(paper, whole, ablate), changes)
    if changed == whole:
        print(json.dumps(recipes.dump(whole), indent=1, ensure_ascii=False))
        for name, what in system.page(paper).FLAVOURS.items():
            print(f"flavour {name}: {what}", file=sys.stderr)
        print("ablations: " + ", ".join(system.page(paper).ablations(whole)), file=sys.stderr)
        for name, values in system.sweeps(paper, whole).items():
            print(f"sweep {name}: {', '.join(values)}", file=sys.stderr)
    for path, here, there in recipes.difference(recipes.dump(whole), recipes.dump(changed)):
        print(f"{path}: {json.dumps(here, ensure_ascii=False)} -> {json.dumps(there, ensure_ascii=False)}")


def load_corpus(spec: str) -> Any:
    """The corpus of FORMAT:PATH."""
    from openmie import corpora

    return corpora.load(spec)
