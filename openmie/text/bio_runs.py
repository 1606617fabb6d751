"""Runs of BIO tags: where mentions begin and end. The one decoder for arrays and names; heads have one for tensors.

A run begins at a `B-`, or at an `I-` that does not go on with its own label (an orphan), and goes on with `I-` tags of
its label. BIOES and BILOU are the same with `E-` and `L-`, which go on and end a run, and `S-` and `U-`, which begin
and end one. There a run must have both its ends: one without `E-` or `L-` is an orphan, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Scheme = Literal["bio", "iob1", "bioes", "bilou"]


def run_bounds(
    label: npt.NDArray[np.int64], inside: Bools, opens: Bools, closes: Bools | None = None
) -> tuple[Bools, Bools]:
    """First and last words of the runs in a flat row of N words.

    Args:
        label: (N,) index of each tag's label, negative at words outside of any run.
        inside: (N,) whether a tag says that it goes on, as `I-` does.
        opens: (N,) whether a word is the first of its sentence, where nothing goes on.
        closes: (N,) whether a tag ends its run, as `E-` does; default: none does.

    Returns:
        Two (N,) arrays, True at first and at last words; runs end in the order in which they begin.
    """
    goes_on = inside & ~opens & (label >= 0)
    goes_on[1:] &= label[1:] == label[:-1]
    if closes is not None:
        goes_on[1:] &= ~closes[:-1]
    goes_on[:1] = False
    real = label >= 0
    last = real.copy()
    last[:-1] &= ~goes_on[1:]
    return real & ~goes_on, last


def tag_runs(tags: Sequence[str], scheme: str = "bio") -> Iterator[tuple[int, int, str, Literal["located", "orphan"]]]:
    """(first word, last word, label, status) of each run in the tags of one sentence, in order.

    Args:
        tags: Names such as `B-PER`; BIOES and BILOU are read too.
        scheme: `iob1`, where `I-` may begin a run; `bioes` or `bilou`, where `E-` or `L-` must end one; or `bio`. A run
            that the scheme forbids is an `orphan`.

    Reference: seqeval (Nakayama, 2018) in strict mode, whose entities are the located runs.
    """
    parts = [tag.partition("-") for tag in tags]
    kinds, names = [kind for kind, _, _ in parts], [name for _, _, name in parts]
    index = {name: i for i, name in enumerate(dict.fromkeys(names))}
    label = np.array([-1 if kind == "O" else index[name] for kind, name in zip(kinds, names)], dtype=np.int64)
    inside = np.array([kind in ("I", "E", "L") for kind in kinds], dtype=bool)
    closes = np.array([kind in ("E", "L", "S", "U") for kind in kinds], dtype=bool)
    first, last = run_bounds(label, inside, np.zeros(len(label), dtype=bool), closes)
    for start, end in zip(np.flatnonzero(first).tolist(), np.flatnonzero(last).tolist()):
        open_ended = scheme in ("bioes", "bilou") and not closes[end]
        orphan = scheme != "iob1" and (bool(inside[start]) or open_ended)
        yield start, end, names[start], "orphan" if orphan else "located"
