"""How much 10, 30, 100 and more annotated sentences help base: CrossNER, whose labels its weights were never shown.

    python benchmarks/base_finetune.py --corpora DIR [--domain politics] [--sizes 10 30 100 200] [--seeds 1]

For each number of sentences, the first ones of the training split in a seed's order: fine-tuned from the shipped
weights, and trained from scratch on the same tower (new adapters and heads). No dev split is read: thresholds are those
of the weights, or 0.5 from scratch. Beside them the shipped weights without any sentence. F1 on the test split.
"""

from __future__ import annotations

import argparse
import datetime
import json
import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from base_rows import ENTITY_ROWS
from base_scoring import gold_documents, predict_entities, score_entities
from base_table import documents, model_labels

from openmie.base.finetune import FinetuneOptions, finetune
from openmie.base.text_model import TextModel
from openmie.data.document import Document


def curve(
    corpora: Path, row_name: str, sizes: Sequence[int], seed: int, start: Path | None, limit: int
) -> list[dict[str, Any]]:
    """Scores by number of sentences, fine-tuned and from scratch."""
    row = ENTITY_ROWS[row_name]
    gold = gold_documents(documents(corpora, row.test, limit), row.names)
    train = gold_documents(documents(corpora, row.test.replace("test", "train")), row.names)
    labels = model_labels(row)
    random.Random(seed).shuffle(train)
    found = [{"sentences": 0, "from": "base", **_scored(TextModel.load(start), gold, labels)}]
    for size in sizes:
        for scratch in (False, True):
            begun = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                model = finetune(
                    train[:size],
                    Path(folder),
                    labels=labels,
                    start=start,
                    options=FinetuneOptions(scratch=scratch, seed=seed),
                )
            scores = _scored(model, gold, labels)
            found.append(
                {
                    "sentences": size,
                    "from": "scratch" if scratch else "base",
                    **scores,
                    "seconds": round(time.perf_counter() - begun),
                }
            )
            print(json.dumps(found[-1]), flush=True)
    return found


def _scored(model: TextModel, gold: Sequence[Document], labels: Mapping[str, str]) -> dict[str, float]:
    scores = score_entities(gold, predict_entities(model, gold, dict(labels)))
    return {"f1": round(scores.f1, 2), "precision": round(scores.precision, 2), "recall": round(scores.recall, 2)}


def main() -> None:
    """Run the curve, and print it as a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--domain", default="politics")
    parser.add_argument("--sizes", type=int, nargs="*", default=[10, 30, 100, 200])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--start", type=Path, help="folder of the weights; default: the shipped ones")
    parser.add_argument("--limit", type=int, default=0, help="first test sentences; 0: all")
    parser.add_argument("--out", type=Path, help="JSON record to write")
    options = parser.parse_args()
    torch.set_num_threads(1)
    row = next(name for name in ENTITY_ROWS if options.domain in name)
    runs = {
        seed: curve(options.corpora, row, options.sizes, seed, options.start, options.limit)
        for seed in range(options.seeds)
    }
    record = {"date": datetime.date.today().isoformat(), "row": row, "runs": runs}
    if options.out:
        options.out.write_text(json.dumps(record, indent=1) + "\n", "utf8")
    print("| sentences | from | F1, mean of seeds |\n|---|---|---|")
    for entries in zip(*runs.values()):
        mean = sum(e["f1"] for e in entries) / len(entries)
        print(f"| {entries[0]['sentences']} | {entries[0]['from']} | {mean:.1f} |")


if __name__ == "__main__":
    main()
