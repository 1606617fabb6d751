"""The system of a fine-tuned vision-language model: trained, prompted and scored as the recipe says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openmie import recipe as recipes
from openmie.data.corpus import Corpus
from openmie.data.document import Document
from openmie.metrics.mre import name_scores
from openmie.train.evaluate import score_data
from openmie.train.system import Result, Watch
from openmie.vlm.sft.model_folder import CARD
from openmie.vlm.sft.recipe import SFTRecipe, facts_of, fit_sft, predict, scores

CONSTRAINED = 100  # test documents that are predicted once more under the grammar: it is slow, and gives one number
EVENTS = {  # of training, as a line
    "start": "{lessons} lessons, {steps} steps",
    "dev": "step {step}, dev loss {loss:.4f}",
    "done": "trained in {seconds:.0f} s, dev loss {best}",
}


class SFTSystem:
    """A fine-tuned vision-language model, see `SFTRecipe`; the protocol is `openmie.train.system.System`."""

    is_generative = True

    def __init__(self, recipe: SFTRecipe) -> None:
        self.recipe = recipe

    def data(self, corpus: Corpus) -> Corpus:
        """The documents with an image and a summary, split as the recipe says."""
        return self.recipe.data(corpus)

    def fit(
        self,
        train: Iterable[Document],
        dev: Iterable[Document],
        out: Path,
        *,
        seed: int = 0,
        precision: str = "no",  # the recipe's own (`training.precision`) counts
        watch: Watch,
    ) -> dict[str, Any]:
        """`fit_sft`; each event is passed to `watch` with the line `told` that a console may print."""

        def tell(kind: str, values: Mapping[str, Any]) -> None:
            if kind in ("step_end", "interrupted"):  # a bench goes on from the last dev loss
                return
            best = values.get("best")
            told = {**values, "best": "not looked at" if best is None else f"{best:.4f}"}
            watch(kind, values if kind not in EVENTS else {**values, "told": EVENTS[kind].format(**told)})

        found = fit_sft(self.recipe, train, dev, out, seed=seed, watch=tell)
        return facts_of(found) | {"fingerprint": found["fingerprint"]}

    def predict(self, folder: Path, documents: Iterable[Document]) -> list[Document]:
        """The answers of the model in a folder, read."""
        return predict(self.recipe, self._backend(folder), documents)[0]

    def scores(self, folder: Path, gold: Iterable[Document], *, symmetric: Iterable[str] = ()) -> Result:
        """The recipe's measures in percent, and the share of answers in the format under its grammar, of a part."""
        gold, backend = list(gold), self._backend(folder)
        predicted, _ = predict(self.recipe, backend, gold)
        numbers = scores(self.recipe, gold, predicted)
        names = {"F1": score_data(name_scores(gold, predicted))} if "F1" in numbers else {}
        part = gold[:CONSTRAINED]
        held, _ = predict(self.recipe, backend, part, constrained=True)
        again = scores(self.recipe, part, held)
        numbers["Parsed, constrained"] = again["Parsed"]
        digest = hashlib.sha256("".join(d.to_json() for d in gold).encode("utf8", "surrogatepass")).hexdigest()
        return Result(
            {
                "scores": {name: {"f1": value, **names.get(name, {})} for name, value in numbers.items()},
                "constrained": {"documents": len(part), **again},
                "documents": len(gold),
                "data": digest,
                "date": f"{datetime.now(UTC):%Y-%m-%d}",
                "recipe": recipes.dump(self.recipe),
            },
            predicted,
        )

    def card(self, folder: Path) -> str:
        """The card that training wrote."""
        return (folder / CARD).read_text(encoding="utf8")

    def _backend(self, folder: Path) -> Any:
        from openmie.vlm.backends.local import Local

        return Local(str(folder), max_tokens=self.recipe.max_tokens, batch_size=self.recipe.answers)
