"""Runs of systems that are fine-tuned vision-language models; `chat_table.py` shows them.

The cells, folders and guarantees are the bench's own (`cell.py`, `work.py`): one JSON a run, none done twice, a killed
one goes on.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openmie import diorama
from openmie import recipe as recipes
from openmie.bench.run_spec import RunSpec, read
from openmie.data import replace_file as writing
from openmie.data.corpus import Corpus
from openmie.data.document import Document
from openmie.diorama.posts.summaries import summary_ceiling
from openmie.errors import TrainError
from openmie.train.evaluate import write_record
from openmie.vlm.sft.recipe import SFTRecipe, answered, facts_of, fit_sft, scores

CONSTRAINED = 100  # test documents that are answered once more under the grammar: it is slow, and tells one number
Watch = Callable[[str, Mapping[str, Any]], None]


def execute(cell: RunSpec, corpus: Corpus, out: str | Path, watch: Watch, about: Mapping[str, Any]) -> dict[str, Any]:
    """Do what is left of a run and return its record; `about`: the machine, and a function that tells the memory."""
    recipe: Any = cell.recipe(corpus)
    if cell.shuffle or cell.test:
        raise TrainError(
            "--shuffle or --test",
            expected="neither, for a system that answers in words",
            where=cell.paper,
            remedy="leave it out; `openmie zero-shot` prompts the model on another corpus",
        )
    folder = cell.folder(out)
    trained = read(folder / "train.json") or train(cell, recipe, corpus, folder, watch) | {"machine": about["machine"]}
    found = score(cell, recipe, corpus, trained, out)
    return found | {"machine": trained.get("machine", about["machine"]), "peak_mb": {"train": about["peak_mb"]()}}


def train(cell: RunSpec, recipe: SFTRecipe, corpus: Corpus, folder: Path, watch: Watch) -> dict[str, Any]:
    """Train, or go on, and write `train.json`."""
    mark, before = json.dumps(recipes.dump(recipe), sort_keys=True), folder / "recipe.json"
    if before.exists() and before.read_text(encoding="utf8") != mark:  # the page has changed since
        shutil.rmtree(folder / "model", ignore_errors=True)
    writing.replace_text(before, mark)
    data = recipe.data(corpus)

    def tell(kind: str, values: Mapping[str, Any]) -> None:
        told = {
            "start": "{lessons} lessons, {steps} steps",
            "dev": "step {step}, dev loss {loss:.4f}",
            "done": "trained in {seconds:.0f} s, dev loss {best:.4f}",
        }
        watch(kind, values if kind not in told else {**values, "told": told[kind].format(**values)})

    found = fit_sft(
        recipe, list(data.train)[: cell.posts or None], list(data.dev), folder / "model", seed=cell.seed, watch=tell
    )
    facts = {
        "cell": cell.dump(),
        "corpus": {"name": data.name},
        **facts_of(found),
        "recipe": recipes.dump(recipe),
        "fingerprint": found["fingerprint"],
        "seconds": found["seconds"],
    }
    write_record(folder / "train.json", facts)
    return facts


def score(
    cell: RunSpec, recipe: SFTRecipe, corpus: Corpus, trained: Mapping[str, Any], out: str | Path
) -> dict[str, Any]:
    """Answer the test split once, and a part of it under the grammar; keep what was answered."""
    from openmie.vlm.backends.local import Local

    started = time.perf_counter()
    gold = list(recipe.data(corpus).test)
    backend = Local(str(cell.folder(out) / "model"), max_tokens=recipe.max_tokens, batch_size=recipe.answers)
    predicted, _ = answered(recipe, backend, gold)
    cell.write_predictions(predicted, out)
    numbers = scores(recipe, gold, predicted)
    part = gold[:CONSTRAINED]
    held, _ = answered(recipe, backend, part, constrained=True)
    again = scores(recipe, part, held)
    numbers["Parsed, constrained"] = again["Parsed"]
    return record(cell, corpus, gold, numbers, again, trained) | {
        "seconds": {"train": trained["seconds"], "score": round(time.perf_counter() - started, 1)}
    }


def record(
    cell: RunSpec,
    corpus: Corpus,
    gold: Sequence[Document],
    numbers: Mapping[str, float],
    again: Mapping[str, float],
    trained: Mapping[str, Any],
) -> dict[str, Any]:
    """One run's JSON, in the shape of the other systems' records."""
    from openmie.bench.ceilings import dials

    config = dials(corpus)
    ceilings: dict[str, Any] = {}
    if config is not None:
        ceilings = {
            "F1, text": diorama.ceiling(config, task="ner"),
            "F1": diorama.ceiling(config, task="ner", modalities=("text", "image")),
            "Exact": summary_ceiling(config),
        }
    digest = hashlib.sha256("".join(d.to_json() for d in gold).encode("utf8", "surrogatepass")).hexdigest()
    kept = {k: trained[k] for k in ("corpus", "dev", "curve", "examples", "parameters", "skipped", "recipe")}
    return {
        "cell": cell.dump(),
        "flavour": cell.flavour,
        "row": cell.row,
        "task": cell.task,
        "metric": next(iter(numbers)),
        "scores": {name: {"f1": value} for name, value in numbers.items()},
        "constrained": {"documents": min(CONSTRAINED, len(gold)), **again},
        "ceilings": ceilings,
        "documents": len(gold),
        "data": digest,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        **kept,
    }
