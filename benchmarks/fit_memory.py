"""Memory and CPU seconds of `fit` before its first step and of a step, by the number of training documents.

    python benchmarks/fit_memory.py [1000 50000]
    python benchmarks/fit_memory.py --parquet 10000 1000000

Texts of some 20 words are made up one at a time and never held, or lie in Parquet shards of 10,000 posts, as
`openmie train --corpus parquet:FOLDER` reads them; the baseline without images, batches of 32, each number in a process
of its own. Time is that of the processor, on one thread. 25 steps are made, with shards 200.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from openmie.corpora import load
from openmie.data.corpus import Corpus, Labels
from openmie.data.document import Document, Mention
from openmie.formats.registry import write
from openmie.papers import baseline
from openmie.train import fit

STEPS, STEPS_OF_SHARDS = 25, 200
SHARD = 10_000
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


def write_shards(n: int, folder: Path) -> None:
    """n posts in shards, made of the first one: ids are replaced."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = -(-n // SHARD)
    first = folder / f"train-{0:05d}-of-{count:05d}.parquet"
    write(posts(min(n, SHARD)), first)
    table = pq.read_table(first)
    for k in range(1, count):
        ids = pa.array([f"d{i}" for i in range(k * SHARD, k * SHARD + len(table))])
        own = table.set_column(table.schema.get_field_index("id"), "id", ids).slice(0, n - k * SHARD)
        pq.write_table(own, folder / f"train-{k:05d}-of-{count:05d}.parquet", compression="zstd", row_group_size=1000)


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one(n: int, shards: str = "") -> None:
    """Print the figures of a training on n documents, of shards or made up."""
    torch.set_num_threads(1)
    train = load(f"parquet:{shards}").train if shards else posts(n)
    recipe = baseline.ablations(baseline.recipe(LABELS, task="ner"))["text"]
    begun, steps = time.process_time(), list[float]()
    with tempfile.TemporaryDirectory() as folder:
        events = fit(recipe, train, list(posts(50)), out=folder, checkpoint_every=0, corpus="parquet:made-up")
        for event in events:
            now = time.process_time()
            if event.kind == "start":
                print(
                    f"{n:>9,} documents: {now - begun:6.1f} CPU s and {peak():5.0f} MB before the first step",
                    end="; ",
                    flush=True,
                )
            if event.kind == "step":
                steps.append(now - begun)
            begun = now
            if len(steps) == (STEPS_OF_SHARDS if shards else STEPS):
                events.close()
                break
    print(f"{1000 * statistics.median(steps[2:]):5.0f} CPU ms a step, {peak():5.0f} MB at its peak", flush=True)


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        one(int(sys.argv[2]), *sys.argv[3:])
        return
    if sys.argv[1:2] == ["--parquet"]:
        for n in map(int, sys.argv[2:]):
            with tempfile.TemporaryDirectory() as folder:
                write_shards(n, Path(folder))
                subprocess.run([sys.executable, __file__, "--one", str(n), folder], check=True)
        return
    for n in map(int, sys.argv[1:] or ("1000", "50000")):
        subprocess.run([sys.executable, __file__, "--one", str(n)], check=True)


if __name__ == "__main__":
    main()
