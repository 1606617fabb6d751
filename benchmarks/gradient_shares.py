"""How much of the text encoder's gradient comes from the alignments? Flavour `small` on Diorama, through a training.

    python benchmarks/gradient_shares.py [--posts 1000] [--epochs 1] [--seed 1] [--every 4] [--system NAME]

At the start, and as the mean over the steps of a training, one measurement in `every`: the norm of the weighted
gradient of each alignment in the text encoder, as a share of that of the main loss, in percent.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import replace
from typing import Any

import torch

from openmie import corpora
from openmie.model.pretrained import Model
from openmie.papers import camim, mgips_cl, shap_ca
from openmie.train.gradient_shares import gradient_shares
from openmie.train.length_buckets import Buckets
from openmie.train.optimizer import build_optimizer, build_schedule

SYSTEMS: dict[str, tuple[str, Any]] = {
    "Shap-CA, names": ("translation=false", lambda c: shap_ca.recipe(c, task="ner")),
    "Shap-CA, relations": ("paired=true,translation=false", lambda c: shap_ca.recipe(c, task="re")),
    "Shap-CA, joint": ("paired=true,translation=false", lambda c: shap_ca.recipe(c, task="joint")),
    "MGIPS-CL": ("translation=false", mgips_cl.recipe),
    "CAMIM, TMR": ("paired=true", camim.recipe),
}


def measure(options: str, make: Any, args: argparse.Namespace) -> dict[str, list[float]]:
    """Alignment -> its share at each measured step."""
    corpus = corpora.load(f"diorama:{options},train={args.posts},dev=2,test=2")
    recipe = make(corpus)
    training = replace(recipe.training, epochs=args.epochs)
    torch.manual_seed(args.seed)
    model = Model.new(recipe)
    extractor = model.extractor.train()
    examples = model.featurizer.featurize(corpus.split("train"), gold=True)
    buckets = Buckets([e.length for e in examples], training.batch_size, args.seed)
    optimizer = build_optimizer(extractor.named_parameters(), training.param_groups)
    schedule = build_schedule(optimizer, training, args.epochs * len(buckets))
    found: dict[str, list[float]] = {}
    for epoch in range(args.epochs):
        buckets.epoch = epoch
        for step, chosen in enumerate(buckets):
            batch = model.featurizer.collate([examples[i] for i in chosen])
            if step % args.every == 0:
                for name, share in gradient_shares(extractor, batch).items():
                    found.setdefault(name, []).append(100 * share)
            extractor(batch).total.backward()
            if training.max_grad_norm:
                torch.nn.utils.clip_grad_norm_(extractor.parameters(), training.max_grad_norm)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--system", action="append", choices=list(SYSTEMS), help="default: all")
    args = parser.parse_args()
    print("| system | alignment | first step, % | mean, % | largest, % |\n|---|---|---|---|---|")
    for name in args.system or SYSTEMS:
        options, make = SYSTEMS[name]
        for align, shares in measure(options, make, args).items():
            mean = statistics.fmean(shares)
            print(f"| {name} | {align} | {shares[0]:.3g} | {mean:.3g} | {max(shares):.3g} |", flush=True)


if __name__ == "__main__":
    main()
