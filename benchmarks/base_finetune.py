"""How much 10, 30, 100 and 300 annotated sentences help base: CrossNER, whose labels its weights were never shown.

    python benchmarks/base_finetune.py --corpora DIR --out curve.jsonl [--domain politics] [--seeds 0 1 2]

A cell is a number of sentences and a seed, fine-tuned from the shipped weights or trained from scratch on the same
tower (new adapters and heads): the first sentences of the training and dev splits together in the seed's order, for
training has 200 in politics. Nothing is chosen on them: thresholds are those of the weights, or 0.5 from scratch.
Beside them the weights without any sentence. F1 on the test split. Each cell is a line of the record as soon as it is
measured; cells of the same weights and settings that the record has are not measured again.
"""

from __future__ import annotations

import argparse
import datetime
import json
import random
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from base_rows import ENTITY_ROWS
from base_scoring import gold_documents, predict_entities, score_entities
from base_table import documents, model_hash, model_labels

from openmie.base.finetune import FinetuneOptions, finetune
from openmie.base.text_model import WEIGHTS, TextModel
from openmie.data.document import Document
from openmie.data.replace_file import replace_file

KEY = ("weights", "row", "limit", "least_steps", "sentences", "from", "seed")  # what tells one cell from another


def cells(sizes: Sequence[int], seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """The cells of a curve: without a sentence, then by number of sentences, seed and start."""
    yield {"sentences": 0, "from": "base", "seed": 0}
    for size in sizes:
        for seed in seeds:
            for start in ("base", "scratch"):
                yield {"sentences": size, "from": start, "seed": seed}


class Curve:
    """What cells are measured on.

    Args:
        corpora: folder of the corpora.
        row: name in `ENTITY_ROWS`.
        start: folder of the weights.
        limit: test sentences; 0: all.
        least_steps: see `FinetuneOptions`.
    """

    def __init__(self, corpora: Path, row: str, start: Path, limit: int, least_steps: int) -> None:
        self.start, found = start, ENTITY_ROWS[row]
        self.about = {"weights": model_hash(start), "row": row, "limit": limit, "least_steps": least_steps}
        self.gold = gold_documents(documents(corpora, found.test, limit), found.names)
        splits = [found.test.replace("#test", f"#{split}") for split in ("train", "dev")]
        self.pool = gold_documents([d for spec in splits for d in documents(corpora, spec)], found.names)
        self.labels = model_labels(found)

    def measure(self, cell: Mapping[str, Any]) -> dict[str, Any]:
        """The record of a cell: scores, and seconds of training and of all."""
        begun = time.process_time()
        model = self._model(cell["sentences"], cell["from"] == "scratch", cell["seed"])
        trained = time.process_time()
        scores = score_entities(self.gold, predict_entities(model, self.gold, self.labels))
        shown = {name: round(getattr(scores, name), 2) for name in ("f1", "precision", "recall")}
        spent = {"training_cpu_s": round(trained - begun, 1), "cpu_s": round(time.process_time() - begun, 1)}
        return {**self.about, **cell, **shown, **spent, "date": datetime.date.today().isoformat()}

    def _model(self, size: int, scratch: bool, seed: int) -> TextModel:
        if not size:
            return TextModel.load(self.start)
        options = FinetuneOptions(scratch=scratch, seed=seed, least_steps=self.about["least_steps"])
        with tempfile.TemporaryDirectory() as folder:
            return finetune(
                self.sentences(size, seed), Path(folder), labels=self.labels, start=self.start, options=options
            )

    def sentences(self, size: int, seed: int) -> list[Document]:
        """The sentences of a cell; of one seed, fewer are a part of more."""
        order = list(range(len(self.pool)))
        random.Random(seed).shuffle(order)
        return [self.pool[i] for i in order[:size]]


def key(cell: Mapping[str, Any]) -> tuple[Any, ...]:
    """What tells a cell from another."""
    return tuple(cell.get(name) for name in KEY)


def known_cells(out: Path) -> list[dict[str, Any]]:
    """The lines of a record."""
    return [json.loads(line) for line in out.read_text(encoding="utf8").splitlines()] if out.exists() else []


def run(curve: Any, wanted: Iterable[Mapping[str, Any]], out: Path) -> list[dict[str, Any]]:
    """Measure the cells that the record lacks, and return all that are wanted.

    Args:
        curve: see `Curve`.
        wanted: cells.
        out: record, which is whole after each cell.
    """
    lines = known_cells(out)
    have = {key(line): line for line in lines}
    asked = []
    for cell in wanted:
        named = key({**curve.about, **cell})
        if named not in have:
            have[named] = curve.measure(cell)
            lines.append(have[named])
            with replace_file(out) as file:
                file.write("".join(json.dumps(line) + "\n" for line in lines).encode())
            print(json.dumps(have[named]), flush=True)
        asked.append(have[named])
    return asked


def markdown(found: Sequence[Mapping[str, Any]]) -> str:
    """Means of seeds as a table, with the lowest and the highest."""
    lines = ["| sentences | fine-tuned from base | from scratch |", "|---|---|---|"]
    for size in dict.fromkeys(cell["sentences"] for cell in found):
        row = [str(size)]
        for start in ("base", "scratch"):
            f1 = [c["f1"] for c in found if (c["sentences"], c["from"]) == (size, start)]
            spread = f" ({min(f1):.1f} to {max(f1):.1f})" if len(f1) > 1 else ""
            row.append(f"{sum(f1) / len(f1):.1f}{spread}" if f1 else "-")
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run the curve, and print it as a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--domain", default="politics")
    parser.add_argument("--sizes", type=int, nargs="*", default=[10, 30, 100, 300])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--start", type=Path, default=WEIGHTS, help="folder of the weights; default: the shipped ones")
    parser.add_argument("--limit", type=int, default=0, help="first test sentences; 0: all")
    parser.add_argument("--least-steps", type=int, default=FinetuneOptions().least_steps)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="record to write, or to go on with: JSON lines")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    row = next(name for name in ENTITY_ROWS if name.startswith("CrossNER") and options.domain in name)
    curve = Curve(options.corpora, row, options.start, options.limit, options.least_steps)
    print(markdown(run(curve, cells(options.sizes, options.seeds), options.out)))


if __name__ == "__main__":
    main()
