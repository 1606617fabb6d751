"""The card of a trained model: what it is, what it was trained on, and what stands beside its number."""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version

from openmie import recipe as recipes
from openmie.recipe import Recipe
from openmie.train.checkpoint import TrainingProgress


def card(recipe: Recipe, seed: int, progress: TrainingProgress, examples: int, data: str) -> str:
    """Markdown: task, seed, dev score, data hash, versions and the recipe. No test score: that is `evaluate`'s."""
    date = datetime.now(UTC)
    pins = ", ".join(f"{name} {version(name)}" for name in ("openmie", "torch", "transformers"))
    rows = ", ".join(f"{name} {number}" for name, number in progress.epoch_rows.items())
    return "\n".join(
        [
            "---",
            "library_name: openmie",
            "tags: [multimodal-information-extraction]",
            "---",
            f"# {recipe.name}",
            "",
            f"* task: {recipe.task}",
            f"* best dev F1 (selection): {progress.best:.2f} after epoch {progress.best_epoch + 1}, seed {seed}, "
            f"{date:%Y-%m-%d}",
            f"* trained on {examples} examples; sha256 of recipe, seed and data: `{data}`",
            f"* rows of each loss, an epoch: {rows}",
            f"* versions: Python {platform.python_version()}, {pins}",
            "* A model trained on Diorama, the generated corpus, is for trying things out, not for real posts.",
            "",
            "```json",
            json.dumps(recipes.dump(recipe), indent=1, ensure_ascii=False),
            "```",
            "",
        ]
    )
