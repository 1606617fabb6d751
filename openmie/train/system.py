"""System: what training and scoring need of a system, whether it is built from parts or a fine-tuned language model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from openmie.data.corpus import Corpus
from openmie.data.document import Document
from openmie.metrics import Scores
from openmie.model.pretrained import Model, load
from openmie.recipe import Recipe
from openmie.train.evaluate import evaluate, record
from openmie.train.fit import fit

Watch = Callable[[str, Mapping[str, Any]], None]  # what happens, and its values


@dataclass(frozen=True)
class Result:
    """One scoring: `record` is JSON data (scores by name, hash of the documents, recipe, date), beside the predictions.

    `scores` are those of the record that have counts and intervals; a generative system has none.
    """

    record: dict[str, Any]
    predicted: list[Document]
    scores: Mapping[str, Scores] = field(default_factory=dict)


class System(Protocol):
    """A recipe with its training, prediction and scoring; `openmie.bench.system.of` gives that of either kind."""

    recipe: Any

    @property
    def is_generative(self) -> bool:
        """Whether it is a language model that writes its predictions."""

    def data(self, corpus: Corpus) -> Corpus:
        """The corpus as the system reads it."""

    def fit(
        self,
        train: Iterable[Document],
        dev: Iterable[Document],
        out: Path,
        *,
        seed: int = 0,
        precision: str = "no",
        watch: Watch,
    ) -> dict[str, Any]:
        """Train, or resume, and leave the model in `out`.

        Returns:
            Facts: `dev` (the best score or loss, and its epoch), `examples`, `parameters`, `skipped`; of a system that
            is built from parts `rows`, of each loss in an epoch, and `context`, whose captions were read.
        """

    def predict(self, folder: Path, documents: Iterable[Document]) -> list[Document]:
        """The predictions of the model in a folder."""

    def scores(self, folder: Path, gold: Iterable[Document], *, symmetric: Iterable[str] = ()) -> Result:
        """The scores of the model in a folder; `symmetric` are relations without a direction."""

    def card(self, folder: Path) -> str:
        """The card of the model in a folder, as Markdown."""


class ComposedSystem:
    """A system that is built from parts, see `openmie.recipe.Recipe`."""

    is_generative = False

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe

    def data(self, corpus: Corpus) -> Corpus:
        """The corpus as it is."""
        return corpus

    def fit(
        self,
        train: Iterable[Document],
        dev: Iterable[Document],
        out: Path,
        *,
        seed: int = 0,
        precision: str = "no",
        watch: Watch,
    ) -> dict[str, Any]:
        """`openmie.train.fit`, each event passed to `watch` with its epoch and step."""
        started: Mapping[str, Any] = {}
        for event in fit(self.recipe, train, dev, out=out, seed=seed, precision=precision):
            watch(event.kind, {**event.values, "epoch": event.epoch, "step": event.step, "steps": event.steps})
            started = event.values if event.kind == "start" else started
        ended = event.values
        return {
            "dev": {"f1": ended["best"], "epoch": ended["best_epoch"]},
            "examples": started["examples"],
            "parameters": started["parameters"],
            "rows": ended["rows"],
            **({"context": started["context"]} if "context" in started else {}),
            "skipped": {"count": ended["skipped"], "records": [str(r) for r in ended["records"]]},
        }

    def load(self, folder: Path) -> Model:
        """The model in a folder, on the GPU where there is one."""
        model = load(folder)
        if torch.cuda.is_available():
            model.extractor.cuda()
        return model

    def predict(self, folder: Path, documents: Iterable[Document]) -> list[Document]:
        """`Model.predict` of the model in a folder."""
        return self.load(folder).predict(list(documents))

    def scores(self, folder: Path, gold: Iterable[Document], *, symmetric: Iterable[str] = ()) -> Result:
        """`openmie.train.evaluate` of the model in a folder."""
        model, gold = self.load(folder), list(gold)
        found, predicted = evaluate(model, gold, symmetric=symmetric)
        return Result(record(model, found, gold), predicted, found)

    def card(self, folder: Path) -> str:
        """The card that training wrote."""
        return (folder / "card.md").read_text(encoding="utf8")
