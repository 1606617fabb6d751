"""The card of a trained model: what it is, what it was trained on, and what stands beside its number."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import PurePath

from openmie import recipe as recipes
from openmie.data.document import Document
from openmie.recipe import Recipe
from openmie.train.checkpoint import TrainingProgress

DIORAMA = "* A model trained on Diorama, the generated corpus, is for trying things out, not for real posts."


@dataclass(frozen=True)
class CardFacts:
    """What a model was trained on: the corpus's name, documents of both splits, examples (pairs, for relations)."""

    corpus: str
    train: int
    dev: int
    examples: int


def corpus_name(spec: str) -> str:
    """A corpus as `corpora.load` takes it, without the folders that lead to it: "twitter:DIR?OPTIONS"."""
    format, colon, rest = spec.partition(":")
    path, mark, options = rest.partition("?")
    named = rest if format == "diorama" else f"{PurePath(path).name}{mark}{options}"
    return f"{format}{colon}{named}"


def named_corpora(documents: Iterable[Document]) -> str:
    """The corpora that documents say they are of, the most frequent first; "" where none says so."""
    found = Counter(str(d.source.get("corpus", "")) for d in documents)
    return ", ".join(name for name, _ in found.most_common(4) if name)


def card(recipe: Recipe, seed: int, progress: TrainingProgress, facts: CardFacts, data: str) -> str:
    """Markdown: task, labels, corpus, seed, dev score, data hash, versions and the recipe.

    No test score: that is `evaluate`'s.
    """
    date = datetime.now(UTC)
    pins = ", ".join(f"{name} {version(name)}" for name in ("openmie", "torch", "transformers"))
    rows = ", ".join(f"{name} {number}" for name, number in progress.epoch_rows.items())
    lines = [
        "---",
        "library_name: openmie",
        "tags: [multimodal-information-extraction]",
        "---",
        f"# {recipe.name}",
        "",
        f"* task: {recipe.task}",
        *_labels(recipe),
        f"* corpus: {facts.corpus or 'not named'}; {facts.train} training documents ({facts.examples} examples), "
        f"{facts.dev} dev documents",
        f"* best dev F1 (selection): {progress.best:.2f} after epoch {progress.best_epoch + 1}, seed {seed}, "
        f"{date:%Y-%m-%d}",
        f"* sha256 of recipe, seed and data: `{data}`",
        f"* rows of each loss, an epoch: {rows}",
        f"* versions: Python {platform.python_version()}, {pins}",
    ]
    if facts.corpus.startswith("diorama"):
        lines.append(DIORAMA)
    return "\n".join([*lines, "", "```json", json.dumps(recipes.dump(recipe), indent=1, ensure_ascii=False), "```", ""])


def _labels(recipe: Recipe) -> list[str]:
    """What the heads predict: a line for each of their fields that holds labels."""
    found: dict[str, None] = {}
    for head in recipe.heads:
        for field in fields(head):
            value = getattr(head, field.name)
            if isinstance(value, tuple) and value and all(isinstance(x, str) for x in value):
                found[f"* {field.name} ({type(head).__name__}): {', '.join(value)}"] = None
    return list(found)
