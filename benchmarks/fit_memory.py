"""Memory and CPU seconds of `fit` before its first step and of a step, by the number of training documents.

    python benchmarks/fit_memory.py [1000 50000]

Texts of some 20 words are made up one at a time and never held; the baseline without images, batches of 32, each
number in a process of its own. Time is that of the processor, on one thread.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import torch

from openmie.data.corpus import Corpus, Labels
from openmie.data.document import Document, Mention
from openmie.papers import baseline
from openmie.train import fit

STEPS = 25
LABELS = Corpus("bench", {}, declared=Labels(mentions=("LOC", "PER"), relations=("None",)))


def posts(n: int) -> Iterator[Document]:
    for i in range(n):
        words = ["Ada", "and", "Bo", "like", "Rome", *(["a", "lot", "and", "more", "of", "it"] * (1 + i % 3)), str(i)]
        found = Document.from_words(f"d{i}", words)
        named = {"m0": (0, "PER"), "m1": (2, "PER"), "m2": (4, "LOC")}
        mentions = [
            Mention(id=k, start=found.words[w].start, end=found.words[w].end, label=label)
            for k, (w, label) in named.items()
        ]
        yield found.replace(mentions=mentions)


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one(n: int) -> None:
    """Print the figures of a training on n documents."""
    torch.set_num_threads(1)
    recipe = baseline.ablations(baseline.recipe(LABELS, task="ner"))["text"]
    begun, steps = time.process_time(), list[float]()
    with tempfile.TemporaryDirectory() as folder:
        events = fit(recipe, posts(n), list(posts(50)), out=folder, checkpoint_every=0)
        for event in events:
            now = time.process_time()
            if event.kind == "start":
                print(
                    f"{n:>9,} documents: {now - begun:6.1f} CPU s and {peak():5.0f} MB before the first step", end="; "
                )
            if event.kind == "step":
                steps.append(now - begun)
            begun = now
            if len(steps) == STEPS:
                events.close()
                break
    print(f"{1000 * statistics.median(steps[2:]):5.0f} CPU ms a step, {peak():5.0f} MB at its peak", flush=True)


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        one(int(sys.argv[2]))
        return
    for n in map(int, sys.argv[1:] or ("1000", "50000")):
        subprocess.run([sys.executable, __file__, "--one", str(n)], check=True)


if __name__ == "__main__":
    main()
