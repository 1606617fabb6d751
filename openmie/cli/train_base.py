"""`openmie train base`: fine-tune the model that is installed with openmie on a corpus of the user's own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openmie.errors import CorpusError, RecipeError

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
        RecipeError: an unknown option, or a value of another type.
        CorpusError: no document with a mention.
    """
    from openmie.base.finetune import FinetuneOptions, finetune
    from openmie.base.predictor import Base
    from openmie.metrics import spans

    known = {field: type(value) for field, value in vars(FinetuneOptions()).items() if field != "seed"}
    given = dict(_parsed(option, {**known, "start": str, "labels": str}) for option in options)
    start, labels = given.pop("start", ""), given.pop("labels", "")
    dev = list(data.dev) if "dev" in data.sources else []
    finetune(
        data.train,
        out,
        dev=dev,
        labels=_read_labels(labels) if labels else None,
        start=Path(start) if start else None,
        options=FinetuneOptions(**given, seed=seed),
    )
    score = f"dev F1 {spans(dev, Base.load(out).predict(d.without_gold() for d in dev)).f1:.2f}; " if dev else ""
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


def _read_labels(path: str) -> dict[str, str]:
    """Names and descriptions of a JSON file."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf8"))
    except (OSError, ValueError) as error:
        found = error
    if isinstance(found, dict) and all(isinstance(text, str) for text in found.values()):
        return found
    raise CorpusError(
        "no readable JSON" if isinstance(found, Exception) else "something else than names and descriptions",
        expected='names and descriptions, such as {"PER": "a person"}',
        where=path,
        remedy="correct the file, or leave --option labels out",
    )
