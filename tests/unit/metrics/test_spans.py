"""Entity scores: parity with seqeval both ways, with conlleval's rules by hand, and the law of aligned documents."""

from __future__ import annotations

import random
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import classification_report, f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

import openmie.metrics as metrics
from openmie.data.document import Document, Mention
from openmie.errors import MetricError
from openmie.metrics.counting import bootstrap_interval
from openmie.model.codec import bio
from tests.fixtures import oracles

LABELS = ("LOC", "PER", "creative-work")
TAGS = bio.tags(LABELS)
SEQEVAL = {"lenient": {}, "strict": {"mode": "strict", "scheme": IOB2}}


@st.composite
def tagged(draw):
    """Gold and predicted tags of the same lengths, often equal, orphans included."""
    gold = draw(st.lists(st.lists(st.sampled_from(TAGS), min_size=1, max_size=8), min_size=1, max_size=5))
    same = st.booleans()
    return gold, [[t if draw(same) else draw(st.sampled_from(TAGS)) for t in row] for row in gold]


def documents(tags: list[list[str]]) -> list[Document]:
    empty = [Document.from_words(f"s{k}", ["w"] * len(row)) for k, row in enumerate(tags)]
    return [d.replace(mentions=m) for d, m in zip(empty, bio.decode_batch(tags, empty, LABELS))]


def seqeval(gold: list[list[str]], predicted: list[list[str]], mode: str) -> list[float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [100 * f(gold, predicted, **SEQEVAL[mode]) for f in (precision_score, recall_score, f1_score)]


@pytest.mark.parametrize("mode", ["strict", "lenient"])
@given(both=tagged())
def test_parity_with_seqeval_and_the_oracle(mode, both) -> None:
    gold, predicted = both
    ids = [np.array([[TAGS.index(t) for t in row] + [-1] * (8 - len(row)) for row in side]) for side in both]
    want = seqeval(gold, predicted, mode)
    counts = oracles.tag_scores(gold, predicted, mode == "lenient")
    results = [
        metrics.spans(documents(gold), documents(predicted), mode, bootstrap=20),
        metrics.spans_from_tags(gold, predicted, mode, bootstrap=20),
        metrics.spans_from_tags(*ids, mode, names=TAGS, bootstrap=20),
    ]
    for s in results:
        assert (s.precision, s.recall, s.f1) == pytest.approx(want)
        assert (s.precision, s.recall, s.f1) == pytest.approx(oracles.f1(*counts))
        assert (s.correct, s.predicted, s.gold) == counts
        assert s == results[0]


@pytest.mark.parametrize("mode", ["strict", "lenient"])
@given(both=tagged())
def test_by_label_parity_with_seqeval(mode, both) -> None:
    gold, predicted = both
    got = metrics.spans_from_tags(gold, predicted, mode).by_label
    if not got:  # seqeval's report fails where there is no entity at all
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = classification_report(gold, predicted, output_dict=True, **SEQEVAL[mode])
    assert list(got) == [x for x in report if not x.endswith(" avg")]
    for label, s in got.items():
        want = report[label]
        assert s.gold == want["support"]
        assert (s.precision, s.recall, s.f1) == pytest.approx(
            tuple(100 * want[x] for x in ("precision", "recall", "f1-score"))
        )


FIXTURES = [  # gold, predicted, conlleval counts (correct, predicted, gold), strict counts; counted by hand
    ("B-PER I-PER O B-LOC", "B-PER I-PER O I-LOC", (2, 2, 2), (1, 1, 2)),  # an orphan is an entity to conlleval
    ("B-PER I-LOC O", "B-PER O O", (1, 1, 2), (1, 1, 1)),  # I- of another label right after: a chunk of its own
    ("B-PER I-PER", "I-PER I-PER", (1, 1, 1), (0, 0, 1)),
    ("B-PER I-PER I-LOC I-PER", "B-PER I-PER I-LOC I-PER", (3, 3, 3), (1, 1, 1)),  # I-PER does not reach back
    ("B-PER B-PER", "B-PER I-PER", (0, 1, 2), (0, 1, 2)),
    ("I-PER B-PER I-PER", "I-PER I-PER I-PER", (0, 1, 2), (0, 0, 1)),
    ("O O", "O O", (0, 0, 0), (0, 0, 0)),
]


@pytest.mark.parametrize(("gold", "predicted", "lenient", "strict"), FIXTURES)
def test_conlleval_fixtures(gold, predicted, lenient, strict) -> None:
    for mode, want in (("lenient", lenient), ("strict", strict)):
        s = metrics.spans_from_tags([gold.split()], [predicted.split()], mode)
        assert (s.correct, s.predicted, s.gold) == want


def test_a_file_with_orphans_counts_them_as_lenient_only() -> None:
    rows = [["B-PER", "O"], ["I-PER", "O"], ["B-LOC", "I-PER"]] * 5
    gold = documents(rows)
    assert metrics.spans(gold, gold, "lenient").gold == 20
    assert metrics.spans(gold, gold, "strict").gold == 10
    assert metrics.spans(gold, gold, "strict").f1 == metrics.spans(gold, gold, "lenient").f1 == 100


def test_unlocated_predictions_are_wrong_and_gold_is_missed() -> None:
    d = Document(id="d", text="Ada met Bo")
    right = Mention(id="a", start=0, end=3, label="PER")
    lost = [Mention(id=x, start=0, end=0, label="PER", text=x, status="unlocated") for x in ("Zoe", "Kim")]
    s = metrics.spans([d.replace(mentions=[right])], [d.replace(mentions=[right, *lost])])
    assert (s.correct, s.predicted, s.gold) == (1, 3, 1)
    s = metrics.spans([d.replace(mentions=[right, *lost])], [d.replace(mentions=[right, *lost])])
    assert (s.correct, s.predicted, s.gold) == (1, 3, 3)


def test_ids_scores_and_order_of_mentions_play_no_part() -> None:
    d = Document(id="d", text="Ada met Bo")
    a = Mention(id="a", start=0, end=3, label="PER", score=0.1)
    b = Mention(id="b", start=8, end=10, label="PER")
    twin = [
        Mention(id="x", start=8, end=10, label="PER", score=1.0),
        Mention(id="y", start=0, end=3, label="PER"),
        Mention(id="z", start=0, end=3, label="PER"),
    ]
    s = metrics.spans([d.replace(mentions=[a, b])], iter([d.replace(mentions=twin)]))
    assert (s.correct, s.predicted, s.gold) == (2, 2, 2)  # the third says what the second says


def test_documents_are_aligned_by_id_and_gold_is_never_cut() -> None:
    """A document that was not predicted, or only up to word 32, leaves the recall's denominator as it is."""
    rng = random.Random(1)
    rows = [[rng.choice(TAGS) for _ in range(40)] for _ in range(6)]
    gold = documents(rows)
    short = documents([row[:32] + ["O"] * 8 for row in rows])
    full, cut = metrics.spans(gold, gold), metrics.spans(gold, reversed(short[:4]))
    assert full.gold == cut.gold and full.recall == 100 and 0 < cut.recall < 70
    assert metrics.spans(gold, []).gold == full.gold


def test_refusals() -> None:
    d, e = Document(id="d"), Document(id="e")
    for gold, predicted, message in (
        ([d], [e], "'e'"),
        ([d, d], [d], "'d' twice among the gold"),
        ([d], [d, d], "'d' twice among the predicted"),
        (d, [d], "one document"),
    ):
        with pytest.raises(MetricError, match=message):
            metrics.spans(gold, predicted)
    with pytest.raises(MetricError, match="strict, lenient"):
        metrics.spans([d], [d], "IOB2")
    for gold, predicted, kw, message in (
        ([["O"]], [["O"], ["O"]], {}, "2 predicted sentences"),
        ([["O"], ["O"]], [["O"], ["O", "O"]], {}, "sentence 1"),
        ([["O"]], [["S-PER"]], {}, "S-PER"),
        ([["O"]], [["[SEP]"]], {}, "SEP"),
        (np.zeros((1, 2)), np.zeros((1, 3)), {"names": TAGS}, "shapes"),
        (np.zeros((1, 2)), np.full((1, 2), 99), {"names": TAGS}, "99"),
    ):
        with pytest.raises(MetricError, match=message):
            metrics.spans_from_tags(gold, predicted, **kw)


def test_mask_decides_what_is_read() -> None:
    gold, predicted = np.array([[1, 0], [1, 1]]), np.array([[1, 1], [1, 7]])
    s = metrics.spans_from_tags(gold, predicted, names=TAGS, mask=[[True, True], [True, False]])
    assert (s.correct, s.predicted, s.gold) == (2, 3, 2)
    assert metrics.spans_from_tags([], []).f1 == 0


def test_interval_is_the_bootstrap_over_documents() -> None:
    """The draw over distinct rows against documents drawn one by one; seeded; narrower with more documents."""
    rng = np.random.default_rng(0)
    counts = np.minimum(rng.integers(0, 4, (200, 3)), 3)
    counts[:, 0] = np.minimum(counts[:, 0], counts[:, 1:].min(axis=1))
    drawn = [counts[rng.integers(0, 200, 200)].sum(axis=0) for _ in range(4000)]
    slow = np.quantile([oracles.f1(*map(int, c))[2] for c in drawn], [0.025, 0.975])
    fast = bootstrap_interval(counts, 4000, seed=3)
    assert fast == pytest.approx(tuple(slow), abs=0.6)
    assert fast == bootstrap_interval(counts, 4000, seed=3) != bootstrap_interval(counts, 4000, seed=4)
    low, high = bootstrap_interval(np.tile(counts, (50, 1)), 1000)
    assert high - low < (fast[1] - fast[0]) / 4
    assert bootstrap_interval(counts, 0) is None and bootstrap_interval(counts[:0], 100) is None
    with pytest.raises(MetricError):
        bootstrap_interval(counts, -1)


@pytest.mark.real
@pytest.mark.parametrize("mode", ["strict", "lenient"])
def test_twitter2017_is_scored_as_seqeval_scores_it(corpora: Path, mode: str) -> None:
    blocks = (corpora / "twitter2017" / "test.txt").read_text(encoding="utf-8").strip().split("\n\n")
    gold = [[line.split("\t")[1].strip() for line in block.split("\n")[1:]] for block in blocks]
    rng = random.Random(0)
    names = sorted({t for row in gold for t in row})
    predicted = [[rng.choice(names) if rng.random() < 0.1 else t for t in row] for row in gold]
    got = metrics.spans_from_tags(gold, predicted, mode)
    assert {k: v.gold for k, v in got.by_label.items()} == {"PER": 621, "LOC": 178, "ORG": 395, "MISC": 157}
    assert (got.precision, got.recall, got.f1) == pytest.approx(seqeval(gold, predicted, mode))
