"""`openmie train base`: fine-tune the model that is installed with openmie on a corpus of the user's own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openmie.errors import RecipeError

if TYPE_CHECKING:
    from openmie.data.corpus import Corpus

BASE = "base"


def refuse_recipe_options(**given: Any) -> None:
    """Refuse options of `train` that concern the recipe of a paper's system.

    Raises:
        RecipeError: one is given.
    """
    for name, value in given.items():
        if value:
            raise RecipeError(
                f"--{name} with base",
                expected="--corpus, --out, --seed and --option KEY=VALUE",
                remedy="leave it out; base has no recipe, its settings are options, such as --option epochs=12",
            )


def train_base(data: Corpus, out: Path, options: Iterable[str], seed: int) -> None:
    """Fine-tune, score on dev where there is a dev split, and say where the model lies.

    Args:
        data: with a train split, perhaps with a dev split.
        out: folder to write.
        options: KEY=VALUE, fields of `FinetuneOptions`, `start` or `labels`.
        seed: of everything that is drawn.

    Raises:
        RecipeError: an unknown option, a value of another type, or a label twice in the file of labels.
        CorpusError: no document with a mention, or no file of labels.
    """
    from openmie.base.finetune import FinetuneOptions, finetune
    from openmie.base.predictor import Base
    from openmie.metrics import spans
    from openmie.metrics.span_edges import at_whole_words
    from openmie.vlm.prompting.typed_labels import typed_labels

    known = {field: type(value) for field, value in vars(FinetuneOptions()).items() if field != "seed"}
    given = dict(_parsed(option, {**known, "start": str, "labels": str}) for option in options)
    start, labels = given.pop("start", ""), given.pop("labels", "")
    described = typed_labels(file=Path(labels)) if labels else {}
    dev = list(data.dev) if "dev" in data.sources else []
    finetune(
        data.train,
        out,
        dev=dev,
        labels=described.get("mentions"),
        relations=described.get("relations"),
        start=Path(start) if start else None,
        options=FinetuneOptions(**given, seed=seed),
    )
    edges: Any = given.get("span_edges", FinetuneOptions.span_edges)
    found = list(Base.load(out).predict(d.without_gold() for d in dev)) if dev else []
    score = f"dev F1 {spans(*at_whole_words(dev, found, edges)[:2]).f1:.2f}; " if dev else ""
    print(f"{score}model: {out}; openmie extract posts.jsonl --model {out}")


def _parsed(option: str, known: dict[str, type]) -> tuple[str, Any]:
    """The name and the value of KEY=VALUE."""
    key, equals, value = option.partition("=")
    if not equals or key not in known:
        raise RecipeError.unknown("option of base", option, tuple(known))
    if known[key] is bool and value.lower() in ("true", "false"):
        return key, value.lower() == "true"
    try:
        if known[key] is not bool:
            return key, known[key](value)
    except ValueError:
        pass
    raise RecipeError(
        f"{key}={value}",
        expected={bool: "true or false", int: "a whole number", float: "a number"}.get(known[key], "a text"),
        where="--option",
        remedy=f"write for example --option {key}=" + {bool: "true", int: "16", float: "12"}.get(known[key], "..."),
    )
