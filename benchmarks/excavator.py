"""Which excavator of MGIPS-CL binds a word to its patch? A toy whose answer is known; chance is 25%.

    python benchmarks/excavator.py [--seeds 3] [--steps 300]

A word's class is the code of the one patch, of 12 in any order, that carries the word's key (tests/fixtures/
patch_binding.py). Printed: the share of fresh words whose class is found, in percent, for each seed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from openmie.nn.fuse.interweave import Interweave
from openmie.papers.mgips_cl import PRINTED_EXCAVATOR

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.fixtures.patch_binding import PATCHES, WORDS, learnt

OURS = Interweave(width=32, heads=2, dropout=0.0)
LENGTHS: dict[str, Any] = {"token_map_lengths": (WORDS, PATCHES)}


def without_weights(fusion: Any) -> None:
    """Let the bound values through as they are: r + c of eq. 6 is 1."""
    for excavator in (fusion.image_guided, fusion.text_guided):
        excavator._weights = lambda m, mask: 1.0
        excavator.row = excavator.column = None


def variant(**change: Any) -> Interweave:
    return Interweave(**{"width": 32, "heads": 2, "dropout": 0.0, **change})


ROWS: dict[str, tuple[Interweave, Any]] = {
    "ours: attention, weights with a mean of one": (OURS, None),
    "ours without row and column weights": (OURS, without_weights),
    "ours without row weights": (variant(row=False), None),
    "ours without column weights": (variant(column=False), None),
    "attention, weights that sum to one": (variant(rescaled=False), None),
    "map over tokens, weights with a mean of one": (variant(binding="token_map", **LENGTHS), None),
    "as printed: map over tokens, weights that sum to one": (variant(**PRINTED_EXCAVATOR, **LENGTHS), None),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    args = parser.parse_args()
    for name, (part, change) in ROWS.items():
        found = [100 * learnt(part, 0.0, args.steps, seed, change)[0] for seed in range(args.seeds)]
        print(f"| {name} | {', '.join(f'{x:.1f}' for x in found)} |", flush=True)


if __name__ == "__main__":
    main()
