"""Entity scores straight from BIO tags, without documents: what a training loop or a scorer of other files needs.

B sentences, N words in all. Both sides are laid out as one flat row, so that every step is one array operation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain, count
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from openmie.errors import MetricError
from openmie.metrics.counting import scores_from_counts
from openmie.metrics.mentions import Mode, check_mode
from openmie.metrics.scores import Scores
from openmie.text.bio_runs import run_bounds

Ints = npt.NDArray[np.int64]


class _Chunks(NamedTuple):
    """Label index of the chunk that starts at each word, or -1 (N,); where it ends (N,), read only at starts."""

    label: Ints
    end: Ints


def spans_from_tags(
    gold: Any,
    predicted: Any,
    mode: Mode = "strict",
    *,
    names: Sequence[str] | None = None,
    mask: Any = None,
    bootstrap: int = 0,
    seed: int = 0,
) -> Scores:
    """Scores of `openmie.metrics.spans`, from BIO tags.

    Args:
        gold: Sequences of sequences of tag names, or an integer array (B, T) with `names`.
        predicted: As `gold`, with the same lengths.
        mode: As in `spans`.
        names: The tag of each id, for arrays.
        mask: (B, T), True at words; by default where gold is not negative.
        bootstrap: Number of bootstrap samples of sentences; 0: no interval.
        seed: Seed of the bootstrap.

    Raises:
        MetricError: For different numbers or lengths of sentences, a tag that is not O, B-X or I-X, and an id without
            a name.

    Reference: seqeval (Nakayama, 2018), whose numbers these are.
    """
    check_mode(mode)
    if names is None:
        lengths, sides, names = _numbered(list(gold), list(predicted))
    else:
        lengths, sides = _masked(gold, predicted, mask, len(names))
    return _score(sides[0], sides[1], lengths, names, mode, bootstrap, seed)


def _score(
    gold: Ints, predicted: Ints, lengths: Ints, names: Sequence[str], mode: Mode, bootstrap: int, seed: int
) -> Scores:
    kind, label, labels = _parse(names)
    opens = np.zeros(len(gold), dtype=bool)  # the first word of each sentence
    opens[(np.cumsum(lengths) - lengths)[lengths > 0]] = True
    want, got = (_chunks(side, kind, label, opens, mode == "lenient") for side in (gold, predicted))
    hit = (want.label >= 0) & (want.label == got.label) & (want.end == got.end)
    sentence = np.repeat(np.arange(len(lengths)), lengths)
    marks = (hit, got.label >= 0, want.label >= 0)
    counts = np.stack([np.bincount(sentence[x], minlength=len(lengths)) for x in marks], axis=1)
    per = np.stack(
        [np.bincount(side.label[x], minlength=len(labels)) for side, x in zip((want, got, want), marks)], axis=1
    )
    by_label = {labels[k]: Scores(*per[k].tolist()) for k in np.argsort(labels).tolist() if per[k].any()}
    return scores_from_counts(counts, by_label, bootstrap, seed)


def _parse(names: Sequence[str]) -> tuple[Ints, Ints, list[str]]:
    """Of each tag: 0 for O, 1 for B-, 2 for I-; its label index or -1. And the labels."""
    for name in names:
        if name != "O" and name[:2] not in ("B-", "I-"):
            raise MetricError(
                f"tag {name!r}",
                expected="O, B-X or I-X",
                remedy="map special tags ([CLS], X, ...) to O and other schemes to BIO before scoring",
            )
    labels = sorted({name[2:] for name in names if name != "O"})
    kind = np.array(["OBI".index(name[0]) for name in names], dtype=np.int64)
    label = np.array([labels.index(name[2:]) if name != "O" else -1 for name in names], dtype=np.int64)
    return kind, label, labels


def _chunks(ids: Ints, kind: Ints, label: Ints, opens: npt.NDArray[np.bool_], lenient: bool) -> _Chunks:
    """`I-X` goes on after `B-X` or `I-X` of the same sentence; else it starts an orphan, which strict leaves out."""
    tag, of = kind[ids], label[ids]
    starts, ends = run_bounds(of, tag == 2, opens)
    end = np.zeros(len(ids), dtype=np.int64)
    end[starts] = np.flatnonzero(ends)  # chunks end in the order in which they start
    return _Chunks(np.where(starts if lenient else starts & (tag == 1), of, -1), end)


def _numbered(gold: list[Sequence[str]], predicted: list[Sequence[str]]) -> tuple[Ints, list[Ints], list[str]]:
    """Lengths of the sentences, both sides flat as numbers, and the tag of each number."""
    lengths, other = (np.fromiter(map(len, side), np.int64, len(side)) for side in (gold, predicted))
    _check_lengths(lengths, other)
    table: defaultdict[str, int] = defaultdict(count().__next__)  # a number for each tag when it is first seen
    sides = [
        np.fromiter(map(table.__getitem__, chain.from_iterable(side)), np.int64, int(lengths.sum()))
        for side in (gold, predicted)
    ]
    return lengths, sides, list(table)


def _check_lengths(gold: Ints, predicted: Ints) -> None:
    remedy = "predict a tag for every word of every gold sentence; nothing may be cut off"
    if len(gold) != len(predicted):
        raise MetricError(f"{len(predicted)} predicted sentences", expected=f"{len(gold)}, as in gold", remedy=remedy)
    if (gold != predicted).any():
        at = int(np.flatnonzero(gold != predicted)[0])
        raise MetricError(
            f"{predicted[at]} predicted tags", expected=f"{gold[at]}, as in gold", where=f"sentence {at}", remedy=remedy
        )


def _masked(gold: Any, predicted: Any, mask: Any, names: int) -> tuple[Ints, list[Ints]]:
    """Lengths of the sentences, and both sides flat, of integer arrays (B, T)."""
    gold, predicted = np.asarray(gold, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    if gold.ndim != 2 or gold.shape != predicted.shape:
        raise MetricError(
            f"arrays of shapes {gold.shape} and {predicted.shape}",
            expected="(B, T) twice",
            remedy="pad both sides to one length and pass the mask",
        )
    words = gold >= 0 if mask is None else np.asarray(mask, dtype=bool)
    sides = [gold[words], predicted[words]]
    for side in sides:
        if len(side) and not 0 <= side.min() <= side.max() < names:
            raise MetricError(
                f"tag ids from {side.min()} to {side.max()}",
                expected=f"0 to {names - 1}",
                remedy="pass the mask, and the names of the tags that the ids were made with",
            )
    return words.sum(axis=1), sides
