"""The Prompt Format Adapter under load: round trips, any string at all, and walks through its grammar.

    python benchmarks/pfa_roundtrip.py [--trips 10000] [--strings 100000] [--walks 300] [--seed 0]

Trips: random documents with hostile texts, names, labels and patches are rendered (three in ten in the plain variant)
and read back with and without their text; mentions, places, patches and summary must be the same and nothing said to be
odd. Strings: anything, half of it made of the format's own pieces; none may raise, nor yield a label that was not asked
for or a place that the text does not have. Walks: random bytes among those that the grammar allows; each must parse
cleanly. Prints how many of each failed, and times; ends with 1 if any did.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from openmie.vlm import pfa
from tests.fixtures import adversarial_inputs as nasty
from tests.unit.vlm.pfa.test_pfa import ADA, LABELS, check


def trip(seed: int) -> None:
    rng = random.Random(seed)
    labels = rng.choice(nasty.LABELS)
    check(nasty.document(rng, labels), labels, rng.random() < 0.3)


def string(seed: int) -> None:
    rng = random.Random(-1 - seed)
    labels = rng.choice(nasty.LABELS)
    source = nasty.document(rng, labels) if seed % 9 == 0 else ADA if seed % 3 == 0 else None
    found = pfa.parse(nasty.answer(rng), labels, source, plain=seed % 5 == 0)
    assert {m.label for m in found.mentions} <= set(labels)
    assert all(found.text[m.start : m.end] == m.text for m in found.mentions if m.status == "located")


def walk(seed: int) -> None:
    from tests.unit.vlm.pfa.test_grammar import SMALL, TASKS, matcher
    from tests.unit.vlm.pfa.test_grammar import walk as walked

    rng = random.Random(seed)
    tasks, plain, text = TASKS[seed % 3], seed % 2 == 1, ADA.text if seed % 4 < 2 else None
    answer = walked(matcher(list(LABELS), 4, tasks, text, plain=plain, bounds=SMALL), rng)
    assert pfa.parsed_cleanly(pfa.parse(answer, LABELS, ADA if text else None, tasks, plain=plain)), answer


def run(name: str, one: Callable[[int], None], number: int, seed: int) -> int:
    start, failed = time.perf_counter(), 0
    for n in range(number):
        try:
            one(seed + n)
        except Exception as error:
            failed += 1
            print(f"  {name} {seed + n}: {type(error).__name__}: {str(error)[:200]}")
    print(f"{number} {name}: {failed} failed, {time.perf_counter() - start:.1f} s")
    return failed


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, number in (("trips", 10_000), ("strings", 100_000), ("walks", 300), ("seed", 0)):
        options.add_argument(f"--{name}", type=int, default=number)
    asked = options.parse_args()
    jobs = (("trips", trip, asked.trips), ("strings", string, asked.strings), ("walks", walk, asked.walks))
    sys.exit(1 if sum(run(name, one, number, asked.seed) for name, one, number in jobs) else 0)


if __name__ == "__main__":
    main()
