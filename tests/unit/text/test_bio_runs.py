"""One decoder of BIO runs for arrays and names, one for tensors: both against a loop over words."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from openmie.model.codec import bio
from openmie.nn.decode.spans import spans_of
from openmie.text.bio_runs import run_bounds, tag_runs

NAMES = ("O", "B-X", "I-X", "B-Y", "I-Y")
MORE = (*NAMES, "E-X", "S-X", "L-Y", "U-Y")


def slow(tags):
    """A run grows while a word goes on with its label and nothing has ended it."""
    runs, open_ = [], None
    for i, tag in enumerate(tags):
        kind, label = tag[0], tag[2:]
        if kind in "IEL" and open_ == label:
            runs[-1][1] = i
        elif kind != "O":
            runs.append([i, i, label, "orphan" if kind in "IEL" else "located"])
        open_ = None if kind in "OELSU" else label
    return [tuple(run) for run in runs]


@given(st.lists(st.sampled_from(MORE), max_size=12))
def test_names_are_decoded_as_by_a_loop(tags):
    assert list(tag_runs(tags)) == slow(tags)
    assert [r[:3] for r in tag_runs(tags, "iob1")] == [r[:3] for r in slow(tags)]
    assert all(status == "located" for *_, status in tag_runs(tags, "iob1"))


@given(st.lists(st.lists(st.integers(0, 4), max_size=7), min_size=1, max_size=4))
def test_arrays_and_tensors_are_decoded_as_by_a_loop(rows):
    width = max(1, max(map(len, rows)))
    ids = np.array([row + [3] * (width - len(row)) for row in rows])
    mask = np.arange(width) < np.array([len(row) for row in rows])[:, None]
    want = [(r, *run[:2]) for r, row in enumerate(rows) for run in slow([NAMES[i] for i in row])]
    found = bio.runs(ids, mask)
    assert [(int(r), int(a), int(b) - 1) for r, a, b in zip(found.row, found.first, found.last)] == want
    spans, real = spans_of(torch.tensor(ids), torch.tensor(mask))
    assert [(r, *spans[r, k].tolist()) for r, k in real.nonzero().tolist()] == want


@given(st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5), min_size=1, max_size=4))
def test_a_flat_row_of_sentences_is_each_by_itself(sentences):
    flat = [NAMES.index(tag) for tags in sentences for tag in tags]
    ids, opens = np.array(flat), np.array([i == 0 for tags in sentences for i in range(len(tags))])
    first, last = run_bounds(np.where(ids > 0, (ids - 1) // 2, -1), (ids > 0) & (ids % 2 == 0), opens)
    border = np.cumsum([0, *map(len, sentences)])
    want = [(border[s] + a, border[s] + b) for s, tags in enumerate(sentences) for a, b, *_ in slow(tags)]
    assert list(zip(np.flatnonzero(first), np.flatnonzero(last))) == want
