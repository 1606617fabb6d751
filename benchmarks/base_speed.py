"""Posts a second: what labels cost base on top of its encoder, on one core.

    python benchmarks/base_speed.py --corpora DIR [--model FOLDER] [--posts 400] [--rounds 5] [--out speed.json]

The same texts go through `TextModel.entities` with the nine built-in labels and through the tower alone, words to
states, in turn; the ratio is of the medians of the rounds, and its range that of the rounds' own ratios. All is done
once before the clock runs, so that words and labels are known. 3 and 200 labels show what a set's size costs.
"""

from __future__ import annotations

import argparse
import datetime
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from openmie.base.labels import label_texts
from openmie.corpora import load

TIMES = dict[str, list[float]]


def timed(
    jobs: Mapping[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.perf_counter
) -> TIMES:
    """Seconds of each job in each round; in a round, one after the other."""
    for job in jobs.values():
        job()  # what is cached once (pieces of words, label vectors) is no part of the time
    found: TIMES = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            started = clock()
            job()
            found[name].append(clock() - started)
    return found


def summary(times: TIMES, posts: int, against: str) -> dict[str, Any]:
    """Posts a second, and the speed of each job as a share of one of them."""
    made = {}
    for name, seconds in times.items():
        ratios = [base / own for base, own in zip(times[against], seconds)]
        made[name] = {
            "posts a second": round(posts / statistics.median(seconds), 1),
            "share": round(statistics.median(times[against]) / statistics.median(seconds), 3),
            "range": [round(min(ratios), 3), round(max(ratios), 3)],
        }
    return made


def jobs(model: Any, texts: Sequence[str]) -> dict[str, Callable[[], object]]:
    """The tower alone, and entities with label sets of three sizes."""
    words = [[text[a:b] for a, b in model.tower.split(text)] for text in texts]
    many = {f"made-up label {k}": "" for k in range(200)}
    return {
        "tower alone": lambda: model.tower.encode(words),
        "9 built-in labels": lambda: model.entities(texts, label_texts()),
        "3 labels": lambda: model.entities(texts, {k: label_texts()[k] for k in ("PER", "LOC", "ORG")}),
        "200 labels": lambda: model.entities(texts, many),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, required=True, help="folder that holds gmner/")
    parser.add_argument("--model", type=Path, default=None, help="folder; default: the shipped weights")
    parser.add_argument("--posts", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    import torch

    from openmie.base.text_model import TextModel

    torch.set_num_threads(1)
    texts = [d.text for d in load(f"twitter:{asked.corpora / 'gmner'}").test][: asked.posts]
    times = timed(jobs(TextModel.load(asked.model), texts), asked.rounds)
    record = {"posts": len(texts), "rounds": asked.rounds, "date": str(datetime.date.today())}
    record["speed"] = summary(times, len(texts), "tower alone")
    if asked.out:
        asked.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print("| text only, one core | posts a second | speed of the tower (range) |\n|---|---|---|")
    for name, one in record["speed"].items():
        print(f"| {name} | {one['posts a second']} | {one['share']} ({one['range'][0]} to {one['range'][1]}) |")


if __name__ == "__main__":
    main()
