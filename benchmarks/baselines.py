"""The baselines' numbers: one run a cell, one JSON file a run; started again it goes on where it was.

    python benchmarks/baselines.py --out runs twitter-crf twitter-softmax --seeds 1 2 3
    python benchmarks/baselines.py --out runs --table

The real corpora are looked for in OPENMIE_CORPORA, or in ../shared/corpora beside the project.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from openmie import corpora, diorama, metrics
from openmie.data.corpus import Corpus
from openmie.data.document import Document
from openmie.model.pretrained import load
from openmie.papers import baseline
from openmie.recipe import Recipe, set_field
from openmie.train import fit
from openmie.train.evaluate import evaluate, record, write_record

REAL = Path(os.environ.get("OPENMIE_CORPORA", "../shared/corpora"))
MINILM = {"flavour": "pretrained"}


@dataclass(frozen=True)
class Cell:
    """One row of the table: a corpus and a recipe for it."""

    corpus: Callable[[], Corpus]
    recipe: Callable[[Corpus], Recipe]
    shuffle: bool = False  # score once more with the images shuffled between posts


def _ablation(name: str, **options: str) -> Callable[[Corpus], Recipe]:
    def make(corpus: Corpus) -> Recipe:
        full = baseline.recipe(corpus=corpus, **options)  # type: ignore[arg-type]
        return {"cross": full, **baseline.ablations(full)}[name]

    return make


def _diorama() -> Corpus:
    """Default dials. Many posts and few epochs: with few posts the made-up names are learnt by heart (LOG.md)."""
    return diorama.corpus(diorama.Config(translation=False), train=40000, dev=2000, test=20000)


def _pairs() -> Corpus:
    """Of four times as many posts under default dials those with two names: a quarter."""
    config = diorama.Config(translation=False)
    many = {"train": 64000, "dev": 4000, "test": 12000}

    def source(split: str) -> Callable[[], Iterator[Document]]:
        return lambda: (d for d in diorama.generate(config, split, many[split]) if d.relations)

    return Corpus("diorama-pairs", {s: source(s) for s in many}, declared=diorama.LABELS)


def _context(name: str) -> Callable[[Corpus], Recipe]:
    """Text with captions as context: no image tower, words attend to the caption that they were encoded with."""

    def make(corpus: Corpus) -> Recipe:
        full = baseline.recipe(corpus=corpus, context=name, **MINILM)
        return replace(baseline.ablations(full)["text"], name="baseline-ner-text-context")

    return make


def twitter(**options: str) -> Callable[[], Corpus]:
    return lambda: corpora.load(f"twitter:{REAL / 'twitter2017'}", **options)


CELLS = {
    "twitter-crf": Cell(twitter(), _ablation("text", **MINILM)),
    "twitter-softmax": Cell(twitter(), _ablation("text softmax", **MINILM)),
    "twitter-captions": Cell(twitter(captions="captions_blip2.txt"), _context("*")),
    "mnre-text": Cell(lambda: corpora.load(f"mnre:{REAL / 'mnre'}"), _ablation("text", task="re", **MINILM)),
    "diorama-ner-text": Cell(_diorama, _ablation("text", task="ner")),
    "diorama-ner-cross": Cell(_diorama, _ablation("cross", task="ner"), shuffle=True),
    "diorama-re-text": Cell(_pairs, _ablation("text", task="re")),
    "diorama-re-cross": Cell(_pairs, _ablation("cross", task="re"), shuffle=True),
}


def run(name: str, seed: int, out: Path, changes: list[str]) -> None:
    """Train one cell, score test once, write its JSON file; a cell whose file is there is left alone."""
    path = out / f"{name}-{seed}.json"
    if path.exists():
        return
    cell = CELLS[name]
    corpus = cell.corpus()
    recipe = cell.recipe(corpus)
    for change in changes:
        recipe = set_field(recipe, *change.split("=", 1))
    started = time.perf_counter()
    for event in fit(recipe, corpus.train, corpus.dev, out=out / f"{name}-{seed}", seed=seed):
        if event.kind in ("dev", "done"):
            print(
                name,
                seed,
                event.kind,
                event.epoch,
                event.step,
                event.values,
                f"{time.perf_counter() - started:.0f} s",
                flush=True,
            )
    seconds = time.perf_counter() - started
    model = load(out / f"{name}-{seed}")
    gold = list(corpus.test)
    scores, _ = evaluate(model, gold)
    if cell.shuffle:
        turned = [g.replace(images=gold[(i + 1) % len(gold)].images) for i, g in enumerate(gold)]
        scores["shuffled images"] = next(
            iter(metrics.score(gold, model.predict(turned), task=recipe.task, bootstrap=1000).values())
        )
    dev = event.values["best"]
    about: dict[str, object] = {"cell": name, "seed": seed, "dev": dev, "seconds": round(seconds)}
    if name.startswith("diorama"):
        about |= _closures(recipe.task, scores)
    write_record(path, record(model, scores, gold, **about))
    print(name, seed, {k: round(s.f1, 2) for k, s in scores.items()}, flush=True)


def _closures(task: str, scores: dict[str, metrics.Scores]) -> dict[str, object]:
    """The `argmax` ceilings, and the share of the gap between them that each score closes."""
    config = diorama.Config()
    low, high = (
        diorama.ceiling(config, task=task, modalities=s, rule="argmax") for s in (("text",), ("text", "image"))
    )
    return {"ceilings": [low, high], "closures": {n: metrics.normalised_gain(s, low, high) for n, s in scores.items()}}


def table(out: Path) -> None:
    """Mean and range over seeds of each score of each cell; `not run` where there is no file."""
    for name in CELLS:
        records = [json.loads(p.read_text()) for p in sorted(out.glob(f"{name}-[0-9]*.json"))]
        if not records:
            print(f"{name:20} not run")
        for score in records[0]["scores"] if records else ():
            f1 = [r["scores"][score]["f1"] for r in records]
            closed = [r["closures"][score] for r in records if "closures" in r]
            print(
                f"{name:20} {score:16} n={len(f1)} mean {statistics.mean(f1):.2f} range {min(f1):.2f} to {max(f1):.2f}"
                + (f" closure {statistics.mean(closed):.3f} ({min(closed):.3f} to {max(closed):.3f})" if closed else "")
                + f" seeds {[r['seed'] for r in records]} {records[-1]['date']}"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", nargs="*", choices=[[], *CELLS])
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    for one in asked.seeds:
        for cell in asked.cells:
            run(cell, one, asked.out, asked.set)
    if asked.table:
        table(asked.out)
