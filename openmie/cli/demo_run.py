"""The demo: generate Diorama, train `baseline text` and `baseline cross`, score both beside their ceilings, report."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from openmie import diorama, metrics
from openmie.data.corpus import Corpus
from openmie.data.document import Document
from openmie.data.folder_lock import hold_folder
from openmie.metrics import Scores
from openmie.model.pretrained import Model, load
from openmie.papers import baseline
from openmie.recipe import Recipe
from openmie.report import Bars, Curves, Table, write
from openmie.train import Event, fit
from openmie.train.checkpoint import DamagedCheckpointError, OtherRunError
from openmie.train.curve import Curve
from openmie.train.evaluate import record, write_record

CAUTION = (
    "A model trained on Diorama, the generated corpus, is for trying things out, not for real posts: it has never "
    "seen a photograph."
)


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """What the demo measured on test, for `ner` and for `joint`, and where the report is."""

    scores: Mapping[str, Mapping[str, Scores]]  # task -> system -> scores
    ceilings: Mapping[str, Mapping[str, float]]  # task -> what is seen -> `argmax` ceiling
    closures: Mapping[str, float]  # task -> share of the gap that `cross` closes
    report: Path
    examples: Sequence[tuple[Document, Document]]


def run(
    out: Path,
    *,
    posts: int = 18000,
    epochs: int = 5,
    seed: int = 0,
    watch: Callable[[str, Iterator[Event]], Iterable[Event]] = lambda _, events: events,
) -> DemoResult:
    """All of it; `watch(name, events)` passes the events of a training on, and may show them on the way.

    Started again with the same arguments, a demo that was interrupted goes on where it was.
    """
    with hold_folder(out):
        return _run(out, posts, epochs, seed, watch)


def _run(
    out: Path, posts: int, epochs: int, seed: int, watch: Callable[[str, Iterator[Event]], Iterable[Event]]
) -> DemoResult:
    config = diorama.Config(seed=seed, translation=False)
    corpus = diorama.corpus(config, train=posts, dev=300, test=1000)
    full = baseline.recipe(corpus=corpus, task="joint")
    full = replace(full, training=replace(full.training, epochs=epochs, selection_metric="ner"))
    systems: dict[str, Recipe] = {"text": baseline.ablations(full)["text"], "cross": full}
    train, gold = list(corpus.train), list(corpus.test)
    losses: dict[str, list[tuple[float, float]]] = {}
    dev: dict[str, list[tuple[float, float]]] = {}
    for name, recipe in systems.items():
        losses[name], dev[name] = _train(recipe, train, corpus, out / name, seed, name, watch)
    models = {name: load(out / name) for name in systems}
    for name in systems:  # all is trained: the demo started once more begins anew
        shutil.rmtree(out / name / "checkpoints", ignore_errors=True)
    predicted = _predict(models, gold)
    scores = {
        "ner": {name: metrics.spans(gold, p, bootstrap=1000) for name, p in predicted.items()},
        "joint": {n: metrics.pairs(gold, p, corpus.labels.symmetric, bootstrap=1000) for n, p in predicted.items()},
    }
    ceilings = {task: _ceilings(config, task) for task in scores}
    closures = {task: metrics.normalised_gain(scores[task]["cross"], *ceilings[task].values()) for task in scores}
    about = {"cell": "demo", "seed": seed, "ceilings": ceilings, "closures": closures}
    named = {f"{task} {name}": s for task, systems_ in scores.items() for name, s in systems_.items()}
    write_record(out / "scores.json", record(models["cross"], named, gold, **about))
    chosen = _chosen(gold)
    examples = [_pair(gold[i], predicted["cross"][i]) for i in chosen]
    report = write(
        out / "report.html",
        title="openmie demo",
        intro=_intro(len(train), len(gold), seed, closures["ner"]),
        tables=[*(_bars(task, scores[task], ceilings[task]) for task in scores), _table(scores["ner"])],
        documents=examples,
        notes=_notes(),
        symmetric=corpus.labels.symmetric,
        curves=[
            Curves(title="Training loss", x="step", y="loss, mean of 20 steps", lines=losses),
            Curves(title="F1 on dev", x="epoch", y="strict F1, %", lines=dev),
        ],
    )
    return DemoResult(scores=scores, ceilings=ceilings, closures=closures, report=report, examples=examples)


def _train(
    recipe: Recipe,
    train: list[Document],
    corpus: Corpus,
    out: Path,
    seed: int,
    name: str,
    watch: Callable[[str, Iterator[Event]], Iterable[Event]],
) -> tuple[list[Any], list[Any]]:
    """Loss over steps and F1 over epochs. A training that was interrupted goes on; that of another demo is replaced."""
    arguments: dict[str, Any] = {"out": out, "seed": seed, "corpus": corpus.name}
    for resume in (True, False):
        curves = Curve(out / "curve.jsonl")
        try:
            for event in watch(name, fit(recipe, train, corpus.dev, resume=resume, **arguments)):
                curves.note(event)
            return curves.losses(), curves.dev()
        except (OtherRunError, DamagedCheckpointError):
            if not resume:
                raise
    raise AssertionError("one of the two ends")


def _predict(models: Mapping[str, Model], gold: list[Document]) -> dict[str, list[Document]]:
    predicted = {name: model.predict(gold) for name, model in models.items()}
    turned = [g.replace(images=gold[(i + 1) % len(gold)].images) for i, g in enumerate(gold)]
    return {**predicted, "cross, images shuffled": models["cross"].predict(turned)}


def _ceilings(config: diorama.Config, task: str) -> dict[str, float]:
    """What text alone, and text and image, can reach."""
    seen = {"text": ("text",), "text + image": ("text", "image")}
    return {name: diorama.ceiling(config, task=task, modalities=sees, rule="argmax") for name, sees in seen.items()}


def _pair(gold: Document, predicted: Document) -> tuple[Document, Document]:
    """For the page: the boxes are the corpus's on both sides, and a relation None is no relation."""
    kept = tuple(r for r in gold.relations if r.label != "None")
    return gold.replace(relations=kept), predicted.replace(regions=gold.regions, images=gold.images)


def _chosen(gold: Sequence[Document], n: int = 9) -> list[int]:
    """The first unseen posts of the test split, with at least three of two names among them."""
    double = [i for i, g in enumerate(gold) if len(g.mentions) > 1][:3]
    return sorted({*double, *[i for i in range(len(gold)) if i not in double][: n - len(double)]})


def _bars(task: str, scores: Mapping[str, Scores], ceilings: Mapping[str, float]) -> Bars:
    titles = {"ner": "Names with their types", "joint": "Pairs: both names, both types and the relation"}
    return Bars(
        title=f"{titles[task]}: strict F1 on unseen posts",
        bars={n: s.f1 for n, s in scores.items()},
        lines={f"ceiling, {n}": c for n, c in ceilings.items()},
        intervals={n: s.interval for n, s in scores.items() if s.interval},
        note="Whiskers: 95% bootstrap interval over posts. A ceiling is the best F1 in expectation of a system "
        "that always answers the likeliest label, computed from the generator's own probabilities.",
    )


def _table(scores: Mapping[str, Scores]) -> Table:
    rows: list[list[Any]] = [
        [name, label or "all", s["precision"], s["recall"], s["f1"], s["gold"]]
        for name, whole in scores.items()
        for s in metrics.table({name: whole})
        for label in [s["label"]]
    ]
    return Table(
        title="Names by type",
        columns=["system", "type", "precision", "recall", "F1", "gold"],
        rows=rows,
        marked=[i for i, r in enumerate(rows) if r[1] == "all"],
    )


def _intro(train: int, test: int, seed: int, closure: float) -> str:
    return (
        f"Two systems, trained on {train} generated posts, scored on {test} others (seed {seed}). In half of the "
        "posts the sentence says nothing of a name's type, so that only the picture tells whether it is a person, a "
        f"place, an organisation or something else. The system that sees both closes {closure:.2f} of the gap "
        "between what text alone and what text and image can reach at best. The boxes below are the corpus's own and "
        "are counted as right: these systems name things, they do not point at them."
    )


def _notes() -> list[str]:
    return [
        CAUTION,
        "With the images shuffled between posts the same system shows what it makes of pictures that are not its "
        "post's: where it falls to the text ceiling or below, what it gained it had gained from the picture.",
        "A third of the images have nothing to do with their post, as is cited for tweets; the ceilings know it.",
    ]
