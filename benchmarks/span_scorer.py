"""Entity scoring of 10,000 sentences beside seqeval: from tag sequences to scores on both sides, same numbers checked.

    python benchmarks/span_scorer.py [--sentences 10000] [--repeats 5]

Ours is `spans_from_tags`, per label and micro, without a bootstrap. seqeval is its report (what training scripts call)
and its f1_score alone (no scores by label), in default and in strict IOB2 mode. Documents are timed separately: `spans`
from Documents to scores, the bootstrap of 1,000 draws, and decoding tags to Documents. Medians, one thread.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
import warnings
from collections.abc import Callable
from typing import get_args

import numpy as np
from seqeval.metrics import classification_report, f1_score
from seqeval.scheme import IOB2

from openmie.data.document import Document
from openmie.metrics import spans, spans_from_tags
from openmie.metrics.mentions import Mode
from openmie.model.codec import bio

LABELS = ("LOC", "MISC", "ORG", "PER")
Rows = list[list[str]]


def sentences(n: int, seed: int = 0) -> tuple[Rows, Rows]:
    """Gold of 10 to 30 words with about two entities, and predictions that differ in about a tag in twelve."""
    rng, names = random.Random(seed), bio.tags(LABELS)
    gold = []
    for _ in range(n):
        row: list[str] = []
        while len(row) < rng.randint(10, 30):
            label = rng.choice(LABELS)
            row += ["O"] * rng.randint(2, 8) + [f"B-{label}"] + [f"I-{label}"] * rng.choice((0, 0, 1, 2))
        gold.append(row)
    return gold, [[rng.choice(names) if rng.random() < 0.08 else t for t in row] for row in gold]


def median(work: Callable[[], object], repeats: int) -> float:
    """Milliseconds."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - begun))
    return statistics.median(times)


def compare(gold: Rows, predicted: Rows, mode: Mode, repeats: int) -> str:
    """One line of timings; stops where the numbers differ."""
    how = {"mode": "strict", "scheme": IOB2} if mode == "strict" else {}
    names = bio.tags(LABELS)
    want, got = ids(gold), ids(predicted)
    left, right = documents(gold), documents(predicted)
    theirs, ours = 100 * f1_score(gold, predicted, **how), spans_from_tags(gold, predicted, mode)
    if abs(theirs - ours.f1) > 1e-9 or spans(left, right, mode) != ours:
        raise SystemExit(f"{mode}: seqeval says {theirs}, ours {ours.f1}")
    report = median(lambda: classification_report(gold, predicted, **how), repeats)
    only_f1 = median(lambda: f1_score(gold, predicted, **how), repeats)
    tags = median(lambda: spans_from_tags(gold, predicted, mode), repeats)
    array = median(lambda: spans_from_tags(want, got, mode, names=names), repeats)
    whole = median(lambda: spans(left, right, mode), repeats)
    drawn = median(lambda: spans(left, right, mode, bootstrap=1000), repeats)
    return (
        f"{mode:10}{report:16.0f}{only_f1:12.0f}{tags:12.1f}{tags / report:11.3f}{tags / only_f1:9.3f}"
        f"{array:11.1f}{whole:11.1f}{drawn:12.1f}"
    )


def ids(rows: Rows) -> np.ndarray:
    """(B, T) tag ids, -1 past the words."""
    index, width = {t: k for k, t in enumerate(bio.tags(LABELS))}, max(map(len, rows))
    return np.array([[index[t] for t in row] + [-1] * (width - len(row)) for row in rows])


def documents(rows: Rows) -> list[Document]:
    empty = [Document.from_words(str(k), ["w"] * len(row)) for k, row in enumerate(rows)]
    return [d.replace(mentions=m) for d, m in zip(empty, bio.decode_batch(rows, empty, LABELS))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    gold, predicted = sentences(options.sentences)
    print(f"{options.sentences} sentences, {sum(map(len, gold))} words, medians of {options.repeats} in ms")
    print(
        f"{'':10}{'seqeval report':>16}{'seqeval f1':>12}{'ours, tags':>12}{'to report':>11}{'to f1':>9}"
        f"{'ours, ids':>11}{'documents':>11}{'+ interval':>12}"
    )
    for mode in get_args(Mode):
        print(compare(gold, predicted, mode, options.repeats))
    matrix, filled = ids(gold), documents(gold)
    decode = median(lambda: bio.decode_batch(matrix, filled, LABELS), options.repeats)
    encode = median(lambda: bio.encode_batch(filled, LABELS), options.repeats)
    print(f"codec: ids to mentions {decode:.0f} ms, documents to ids {encode:.0f} ms")


if __name__ == "__main__":
    main()
