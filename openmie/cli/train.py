"""`openmie train`: train a system on a corpus."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from openmie.bench import system
from openmie.cli import console, options
from openmie.cli.interruption import interruptible, stopping_watch
from openmie.cli.train_base import BASE, refuse_recipe_options, train_base


def train(
    paper: options.Paper,
    corpus: Annotated[str, typer.Option(help="FORMAT:PATH, such as twitter:DIR, or diorama:.")],
    out: Annotated[Path, typer.Option(help="Model folder to write.")] = Path("runs/model"),
    flavour: options.Flavour = system.FLAVOUR,
    ablate: options.Ablate = "",
    task: options.Task = "",
    seed: options.Seed = 0,
    option: options.Option = None,
    set_: options.Set = None,
    restart: Annotated[bool, typer.Option(help="Do not resume from a checkpoint in --out.")] = False,
    precision: options.Precision = "no",
    checkpoint_every: Annotated[
        int, typer.Option(min=0, help="Steps between checkpoints; 0: only after each epoch.")
    ] = 200,
    image_dir: options.ImageDir = None,
    parts: options.Parts = None,
) -> None:
    """Train a system on a corpus. Dev selects the epoch; the test split is not opened.

    Started again, an interrupted training resumes from its last checkpoint; Ctrl-C writes one first. What of the corpus
    cannot be read is told at the end, and the exit code is then 3.

    `openmie train base` fine-tunes the model that is installed with openmie; its options are those of
    FinetuneOptions (epochs, rate, text, ...), `start` (a folder to go on from) and `labels` (a JSON file of names and
    descriptions).

    Example: openmie train base --corpus jsonl:mine --out runs/mine --option epochs=12

    Example: openmie train baseline --ablate text --corpus twitter:DIR --out runs/text --set training.epochs=4
    """
    from openmie.train import fit
    from openmie.train.card import corpus_name
    from openmie.train.feeding import UnfedError
    from openmie.train.tensorboard import logged

    options.load_parts(parts)
    data = options.load_corpus(corpus, image_dir)
    if paper == BASE:
        refuse_recipe_options(
            flavour=flavour != system.FLAVOUR, ablate=ablate, task=task, set=set_, precision=precision != "no"
        )
        with console.telling_skipped(data):
            train_base(data, out, option or (), seed)
        return
    with console.telling_skipped(data):
        full: Any = system.build(paper, data, task, option or (), flavour)
        recipe: Any = system.change(system.ablate(paper, full, ablate), set_ or ())
        if recipe.is_generative:
            _fine_tune(recipe, data, out, seed, restart)
            return
        events = fit(
            recipe,
            data.train,
            data.dev,
            out=out,
            seed=seed,
            resume=not restart,
            precision=precision,
            checkpoint_every=checkpoint_every,
            corpus=corpus_name(corpus),
        )
        try:
            for event in console.progress(recipe.name, logged(interruptible(events), out / "tensorboard")):
                if event.kind == "done":
                    best = f"best dev F1 {event.values['best']:.2f} after epoch {event.values['best_epoch'] + 1}"
                    print(f"{best}; model: {out}")
        except UnfedError as error:
            raise system.naming_ablations(error, paper, full, data.train) from None


def _fine_tune(recipe: Any, corpus: Any, out: Path, seed: int, restart: bool) -> None:
    """`train` of a system that is a fine-tuned vision-language model."""
    from openmie.data.folder_lock import hold_folder
    from openmie.vlm.sft.recipe import fit_sft

    data = recipe.data(corpus)
    if restart and out.is_dir():
        with hold_folder(out):
            shutil.rmtree(out, ignore_errors=True)
    dev = data.dev if "dev" in data.sources else ()
    with stopping_watch(console.steps(recipe.name)) as watch:
        found = fit_sft(recipe, data.train, dev, out, seed=seed, watch=watch)
    kept = "weights of the last step" if found["best"] is None else f"best dev loss {found['best']:.4f}"
    print(
        f"{kept}; model: {out}, which `openmie zero-shot --system pfa --model {out} "
        "--vlm-option injection_guard=false` prompts, and `transformers serve` and vLLM serve"
    )
    for record in found["skipped"]["records"][:3]:
        print(f"not learnt from ({found['skipped']['count']} in all): {record}", file=sys.stderr)
    if console.say_skipped(data, shown={str(r) for r in corpus.skipped}) or found["skipped"]["count"]:
        raise typer.Exit(options.PARTIAL)
