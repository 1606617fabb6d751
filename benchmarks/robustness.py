"""Images that have nothing to do with the post: what they cost each system, at three shares of them.

    python benchmarks/robustness.py --out runs/robustness --seeds 1 [--posts 8000] [--epochs 4]
    python benchmarks/robustness.py --out runs/robustness --table

MGIPS-CL, MGIPS-CL without its gate, and `baseline cross` learn and are tested on Diorama with 0, 1/3 and 2/3 of the
images unrelated; beside them stand the computed ceilings. The second table is of posts whose text decides the types,
where an image has nothing to add: strict F1 with their own related image, and the same posts with the image of another
post; an honest filter of noise loses nothing there. Started again, finished runs are left alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np

from openmie import diorama, metrics
from openmie.data.corpus import Corpus
from openmie.data.document import Document
from openmie.model.pretrained import load
from openmie.papers import baseline, mgips_cl
from openmie.recipe import Recipe, set_field
from openmie.train import fit
from openmie.train.evaluate import evaluate

SHARES = {"0": 0.0, "1/3": 1 / 3, "2/3": 2 / 3}
TEST = 8000


def _mgips(ablation: str = "") -> Callable[[Corpus], Recipe]:
    def make(corpus: Corpus) -> Recipe:
        full = mgips_cl.recipe(corpus)
        return mgips_cl.ablations(full)[ablation] if ablation else full

    return make


SYSTEMS: dict[str, Callable[[Corpus], Recipe]] = {
    "MGIPS-CL": _mgips(),
    "MGIPS-CL w/o gate": _mgips("w/o gate"),
    "baseline cross": lambda corpus: baseline.recipe(corpus=corpus, task="ner"),
}


def decided(documents: list[Document]) -> list[Document]:
    """Posts whose text decides the types, and whose image is related."""
    return [d for d in documents if not any(d.source["ambiguous"]) and not d.source["unrelated"]]


def cost(gold: list[Document], own: list[Document], other: list[Document], draws: int = 1000) -> list[float]:
    """F1 with another post's image less that with the own one, and its 95% interval over posts drawn anew, paired."""
    counts = []  # (posts, 2 systems, correct + predicted + gold)
    for documents in zip(gold, own, other):
        want, *found = ({(m.start, m.end, m.label) for m in d.mentions} for d in documents)
        counts.append([[len(want & f), len(f), len(want)] for f in found])
    table, draw = np.array(counts), np.random.default_rng(0)

    def gap(chosen: np.ndarray) -> float:
        right, said, there = table[chosen].sum(0).T
        return float(np.diff(200 * right / np.maximum(said + there, 1))[0])

    ends = np.percentile([gap(draw.integers(0, len(table), len(table))) for _ in range(draws)], [2.5, 97.5])
    return [gap(np.arange(len(table))), *map(float, ends)]


def run(system: str, share: str, seed: int, out: Path, posts: int, epochs: int) -> None:
    name = f"{system}-{share}-{posts}x{epochs}-{seed}".replace("/", "of").replace(" ", "-")
    if (out / f"{name}.json").exists():
        return
    config = diorama.Config(translation=False, unrelated=SHARES[share])
    corpus = diorama.corpus(config, train=posts, dev=1000, test=TEST)
    recipe = set_field(SYSTEMS[system](corpus), "training.epochs", str(epochs))
    for event in fit(recipe, corpus.train, corpus.dev, out=out / name, seed=seed):
        if event.kind == "dev":
            print(name, event.epoch, event.values, flush=True)
    model, gold = load(out / name), list(corpus.test)
    whole = evaluate(model, gold)[0]["strict"]
    # posts decided by their text come from the same test posts whatever the share: those of a corpus all related
    related = diorama.corpus(diorama.Config(translation=False, unrelated=0.0), test=TEST)
    own = decided(list(related.test))
    other = [d.replace(images=own[(i + 1) % len(own)].images) for i, d in enumerate(own)]
    answers = {"own": model.predict(own), "other": model.predict(other)}
    parts = {k: metrics.spans(own, v, bootstrap=1000) for k, v in answers.items()}
    found = {
        "system": system, "unrelated": share, "seed": seed, "posts": posts, "epochs": epochs,
        "dev": event.values["best"],
        "ceilings": [diorama.ceiling(config, task="ner", modalities=s) for s in (("text",), ("text", "image"))],
        "f1": whole.f1, "interval": whole.interval, "decided": len(own),
        **{k: [v.f1, *(v.interval or ())] for k, v in parts.items()},
        "cost": cost(own, *answers.values()),
    }  # fmt: skip
    (out / f"{name}.json").write_text(json.dumps(found, indent=1), encoding="utf8")
    print(name, round(whole.f1, 2), {k: round(v.f1, 2) for k, v in parts.items()}, flush=True)


def table(out: Path, posts: int, epochs: int) -> None:
    """Two Markdown tables of the runs of one size; a cell that was not run says so."""
    runs = [r for p in sorted(out.glob("*.json")) if (r := json.loads(p.read_text()))["posts"] == posts]
    runs = [r for r in runs if r["epochs"] == epochs]
    print(f"{posts} posts, {epochs} epochs\n")
    at = {s: {x: [r for r in runs if (r["system"], r["unrelated"]) == (s, x)] for x in SHARES} for s in SYSTEMS}
    print("| system | " + " | ".join(f"unrelated {x}" for x in SHARES) + " |\n|" + "---|" * (len(SHARES) + 1))
    for system, cells in at.items():
        print(f"| {system} | " + " | ".join(_cell(r) for r in cells.values()) + " |")
    for i, sees in enumerate(("text", "text and image")):
        bounds = [diorama.ceiling(diorama.Config(unrelated=s), task="ner", modalities=("text", "image")[: i + 1])
                  for s in SHARES.values()]  # fmt: skip
        print(f"| ceiling, {sees} | " + " | ".join(f"{b:.2f}" for b in bounds) + " |")
    print("\n| system | learnt with | own image | another post's | difference (95%, paired) | n |\n|" + "---|" * 6)
    for system, cells in at.items():
        for share, found in cells.items():
            for r in found:
                own, other = (f"{r[k][0]:.2f}" for k in ("own", "other"))
                gap = "{:+.2f} ({:+.2f} to {:+.2f})".format(*r["cost"])
                print(f"| {system} | {share} | {own} | {other} | {gap} | {r['decided']} posts, seed {r['seed']} |")


def _cell(found: list[dict]) -> str:
    if not found:
        return "not run"
    f1, (low, high) = statistics.mean(r["f1"] for r in found), found[0]["ceilings"]
    return f"{f1:.2f} (closure {(f1 - low) / (high - low):.3f}, n={len(found)})"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/robustness"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--posts", type=int, default=8000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    for seed in () if asked.table else asked.seeds:
        for share in SHARES:
            for system in SYSTEMS:
                run(system, share, seed, asked.out, asked.posts, asked.epochs)
    table(asked.out, asked.posts, asked.epochs)
