"""Relation and joint scores: parity with scikit-learn, with double loops, and cases by hand."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

import openmie.metrics as metrics
from openmie.corpora import load
from openmie.data.document import Chain, Document, Mention, Relation
from openmie.errors import MetricError
from tests.fixtures import oracles

TEXT = "Ada saw Bo in Cork"
SPANS = [(0, 3), (8, 10), (14, 18)]
RELATIONS = ["None", "peer", "parent", "present_in"]


def mentions(prefix: str = "g", labels: tuple[str, ...] = ("PER", "PER", "LOC")) -> list[Mention]:
    return [Mention(id=f"{prefix}{k}", start=a, end=b, label=x) for k, ((a, b), x) in enumerate(zip(SPANS, labels))]


def document(id: str, links: list, prefix: str = "g", labels: tuple[str, ...] = ("PER", "PER", "LOC")) -> Document:
    return Document(
        id=id,
        text=TEXT,
        mentions=mentions(prefix, labels),
        relations=[Relation(head=f"{prefix}{h}", tail=f"{prefix}{t}", label=x) for h, t, x in links],
    )


pairs_ = st.sampled_from([(0, 1), (1, 0), (0, 2), (2, 1)])
links = st.lists(st.tuples(pairs_, st.sampled_from([*RELATIONS, ""])), max_size=5)
kinds = st.tuples(*[st.sampled_from(["PER", "LOC"])] * 3)
side = st.dictionaries(st.sampled_from("abcd"), st.tuples(links, kinds), max_size=4)


def built(drawn: dict, prefix: str, known: set[str] | None = None) -> list[Document]:
    return [
        document(id, [(h, t, x) for (h, t), x in found], prefix, labels)
        for id, (found, labels) in drawn.items()
        if known is None or id in known
    ]


@given(side, side, st.sampled_from([(), ("peer",), ("peer", "parent")]))
def test_against_double_loops(gold_drawn, predicted_drawn, symmetric) -> None:
    gold = built(gold_drawn, "g")
    predicted = built(predicted_drawn, "p", set(gold_drawn))
    for typed, got in (
        (False, metrics.relations(gold, predicted, symmetric=symmetric)),
        (True, metrics.pairs(gold, predicted, symmetric)),
    ):
        want = oracles.link_scores(gold, predicted, typed, symmetric)
        assert (got.correct, got.predicted, got.gold) == want
        assert got.correct == sum(s.correct for s in got.by_label.values())
        assert not {"None", ""} & set(got.by_label)
    for whole in (metrics.relations(gold, gold, symmetric=symmetric), metrics.pairs(gold, gold, symmetric)):
        assert whole.correct == whole.predicted == whole.gold


@given(st.lists(st.tuples(st.sampled_from(RELATIONS), st.sampled_from(RELATIONS)), min_size=1, max_size=30))
def test_rows_are_scored_as_sklearn_scores_them(rows) -> None:
    gold = [document(str(k), [(0, 1, y)]) for k, (y, _) in enumerate(rows)]
    predicted = [document(str(k), [(0, 1, y)], "p") for k, (_, y) in enumerate(rows)]
    _like_sklearn([y for y, _ in rows], [y for _, y in rows], RELATIONS, metrics.relations(gold, predicted))
    released = metrics.relations(gold, predicted, as_released=True)
    assert released == metrics.relations(gold, predicted)


@given(
    st.lists(st.tuples(pairs_, st.sampled_from(RELATIONS), st.sampled_from(RELATIONS)), max_size=12), st.integers(1, 4)
)
def test_as_released_every_row_counts(rows, size) -> None:
    """However rows are put into documents, the same pair twice in one among them: the accounting of the release."""
    rows = [rows[i : i + size] for i in range(0, len(rows), size)]
    gold = [document(str(k), [(*p, y) for p, y, _ in part]) for k, part in enumerate(rows)]
    predicted = [document(str(k), [(*p, z) for p, _, z in part], "p") for k, part in enumerate(rows)]
    flat = [x for part in rows for x in part]
    got = metrics.relations(gold, predicted, symmetric=("peer",), as_released=True)
    if flat:
        _like_sklearn([y for _, y, _ in flat], [z for *_, z in flat], RELATIONS, got)
    half = predicted[: len(predicted) // 2]  # what is not answered is None, and what nobody asked for does not count
    more = [d.replace(relations=[*d.relations, Relation(head="p2", tail="p0", label="peer")]) for d in half]
    silent = [z if k < len(half) else "None" for k, part in enumerate(rows) for *_, z in part]
    if flat:
        _like_sklearn([y for _, y, _ in flat], silent, RELATIONS, metrics.relations(gold, more, as_released=True))


def _like_sklearn(gold: list[str], predicted: list[str], labels: list[str], got: metrics.Scores) -> None:
    p, r, f, _ = precision_recall_fscore_support(gold, predicted, labels=labels[1:], average="micro", zero_division=0)
    assert (got.precision, got.recall, got.f1) == pytest.approx((100 * p, 100 * r, 100 * f))
    assert got.accuracy == pytest.approx(100 * accuracy_score(gold, predicted))


def test_accuracy_counts_None_and_silence() -> None:
    gold = [document("a", [(0, 1, "None"), (0, 2, "present_in")]), document("b", [(0, 1, "None")]), document("c", [])]
    said = [document("a", [(0, 2, "present_in")], "p")]  # says nothing of one pair; b was not predicted
    got = metrics.relations(gold, said)
    assert (got.correct, got.predicted, got.gold) == (1, 1, 1)
    assert got.accuracy == pytest.approx(200 / 3)
    assert metrics.relations([], []).accuracy == 0


def test_direction_counts_unless_symmetric() -> None:
    gold = [document("a", [(0, 1, "peer"), (0, 2, "parent")])]
    turned = [document("a", [(1, 0, "peer"), (2, 0, "parent")])]
    assert metrics.pairs(gold, turned).correct == metrics.relations(gold, turned).correct == 0
    assert metrics.pairs(gold, turned, symmetric=("peer",)).correct == 1
    loose = metrics.relations(gold, turned, symmetric=("peer",))
    assert (loose.correct, loose.accuracy) == (1, 50.0)
    both = [document("a", [(0, 1, "peer"), (1, 0, "peer")])]
    assert metrics.pairs(gold, both, symmetric=("peer",)).predicted == 1


def test_a_symmetric_answer_to_a_turned_None_is_wrong() -> None:
    got = metrics.relations([document("a", [(1, 0, "None")])], [document("a", [(1, 0, "peer")])], symmetric=("peer",))
    assert (got.accuracy, got.predicted) == (0.0, 1)


def test_types_count_in_joint_scores_only() -> None:
    gold, other = [document("a", [(0, 1, "peer")])], [document("a", [(0, 1, "peer")], labels=("PER", "ORG", "LOC"))]
    assert metrics.relations(gold, other).f1 == 100
    assert metrics.pairs(gold, other).f1 == 0


def test_several_labels_of_one_pair() -> None:
    gold = [document("a", [(0, 1, "peer"), (0, 1, "parent")])]
    half = metrics.relations(gold, [document("a", [(0, 1, "peer")])])
    assert (half.precision, half.recall, half.accuracy) == (100, 50, 0)
    assert metrics.relations(gold, gold).accuracy == 100


def test_chains_are_their_mentions() -> None:
    chains = [Chain(id="c", mentions=("g0", "g1"), label="PER"), Chain(id="d", mentions=("g2",), label="LOC")]
    chained = Document(
        id="a",
        text=TEXT,
        mentions=mentions(),
        chains=chains,
        relations=[Relation(head="c", tail="d", label="present_in")],
    )
    reordered = chained.replace(
        chains=[Chain(id="x", mentions=("g1", "g0"), label="PER")],
        relations=[Relation(head="x", tail="g2", label="present_in")],
    )
    assert metrics.pairs([chained], [reordered]).f1 == 100
    assert metrics.pairs([chained], [document("a", [(0, 2, "present_in")])]).f1 == 0


def test_unlocated_ends_are_never_right_but_count() -> None:
    lost = Mention(id="q", start=0, end=0, label="PER", text="Zoe", status="unlocated")
    d = Document(
        id="a", text=TEXT, mentions=[*mentions(), lost], relations=[Relation(head="q", tail="g2", label="peer")]
    )
    for got in (metrics.pairs([d], [d]), metrics.relations([d], [d])):
        assert (got.correct, got.predicted, got.gold) == (0, 1, 1)
    assert metrics.relations([d], [d]).accuracy == 0


def test_an_end_that_leads_nowhere_is_named() -> None:
    good = document("a", [])
    for bad in (
        good.replace(relations=[Relation(head="g0", tail="zz", label="peer")]),
        good.replace(chains=[Chain(id="zz")], relations=[Relation(head="g0", tail="zz", label="peer")]),
        good.replace(
            chains=[Chain(id="zz", mentions=("no",))], relations=[Relation(head="zz", tail="g0", label="peer")]
        ),
    ):
        with pytest.raises(MetricError, match=r"document a: a predicted relation with an end 'zz'.*dangling"):
            metrics.pairs([good], [bad])


@pytest.mark.real
def test_mnre_is_scored_as_sklearn_scores_it(corpora: Path) -> None:
    gold = list(load(f"mnre:{corpora / 'mnre'}").test)
    answers = [d.relations[0].label for d in gold]
    labels = ["None", *sorted(set(answers) - {"None"})]
    rng = random.Random(0)
    guesses = [rng.choice(labels) if rng.random() < 0.4 else y for y in answers]
    predicted = [
        d.replace(relations=[Relation(head=d.relations[0].head, tail=d.relations[0].tail, label=y)])
        for d, y in zip(gold, guesses)
    ]
    assert len(gold) == 1614
    for as_released in (False, True):
        _like_sklearn(answers, guesses, labels, metrics.relations(gold, predicted, as_released=as_released))
