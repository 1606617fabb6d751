"""Box and grounded scores against double loops, brute-force matching and GMNER's rule by hand; tables; gap closure."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

import openmie.metrics as metrics
from openmie.data.document import Chain, Document, Mention, Region
from openmie.errors import MetricError
from openmie.metrics.grounding import iou_above, matching_size
from tests.fixtures import oracles

TEXT = "Ada saw Bo in Cork"
SPANS = [(0, 3), (8, 10), (14, 18)]
box = st.tuples(*[st.integers(0, 4)] * 2, *[st.integers(2, 8)] * 2).map(lambda b: tuple(map(float, b)))
region = st.builds(
    Region,
    image=st.sampled_from(["i", "j"]),
    box=box,
    label=st.sampled_from(["PER", "LOC"]),
    of=st.sampled_from(["m0", "m1", "m2"]),
)
regions = st.lists(region, max_size=6)


def document(found: list[Region], labels: str = "PPL", id: str = "d") -> Document:
    names = {"P": "PER", "L": "LOC"}
    return Document(
        id=id,
        text=TEXT,
        regions=found,
        mentions=[
            Mention(id=f"m{k}", start=a, end=b, label=names[x])
            for k, ((a, b), x) in enumerate(zip(SPANS, labels))
            if x != "-"
        ],
    )


@given(regions, regions, st.sampled_from([0.0, 0.25, 0.5, 0.75]))
def test_boxes_against_brute_force(gold, predicted, iou) -> None:
    right = sum(
        oracles.largest_matching(
            [
                [oracles.box_iou(p.box, g.box) > iou for g in gold if (g.image, g.label) == k]
                for p in predicted
                if (p.image, p.label) == k
            ]
        )
        for k in {(g.image, g.label) for g in gold}
    )
    got = metrics.boxes([document(gold)], [document(predicted)], iou)
    assert (got.correct, got.predicted, got.gold) == (right, len(predicted), len(gold))
    assert got == metrics.boxes([document(gold[::-1])], [document(predicted[::-1])], iou)


@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 2**36 - 1))
def test_matching_against_all_assignments(n, m, bits) -> None:
    hits = np.array([[bits >> (6 * i + j) & 1 for j in range(m)] for i in range(n)], dtype=bool).reshape(n, m)
    assert matching_size(hits) == oracles.largest_matching(hits.tolist())


@given(st.integers(0, 2**32 - 1))
def test_matching_against_scipy(seed) -> None:
    hits = np.random.default_rng(seed).random((15, 14)) < 0.12
    assert matching_size(hits) == (maximum_bipartite_matching(csr_matrix(hits)) >= 0).sum()


def test_matching_is_not_greedy_and_not_recursive() -> None:
    """Greedy in file order finds one here; a chain of 3,000 moves does not run out of stack."""
    assert matching_size(np.array([[True, True], [True, False]])) == 2
    n, kept = 3000, np.zeros((4, 5), dtype=bool)
    for row, columns in enumerate(([1, 2], [0, 4], [0, 1], [1])):  # the last moves the third, which moves the second
        kept[row, columns] = True
    assert matching_size(kept) == 4
    chain = np.eye(n, dtype=bool) | np.eye(n, k=1, dtype=bool)
    assert matching_size(np.vstack([chain[:-1], np.eye(1, n, dtype=bool)])) == n


@given(box, box)
def test_agreement_is_iou(a, b) -> None:
    left, right = Region(image="i", box=a), Region(image="i", box=b)
    for iou in (0.0, 0.25, 0.5):
        assert iou_above([left], [right], iou)[0, 0] == (oracles.box_iou(a, b) > iou)
        assert not iou_above([left], [Region(image="j", box=b)], iou)[0, 0]


def test_half_is_not_more_than_half() -> None:
    gold = [document([Region(image="i", box=(0, 0, 10, 10), label="PER")])]
    for b, right in (
        ((0, 0, 10, 5), 0),
        ((0, 0, 10, 5.01), 1),
        ((0, 0, 10, 20), 0),
        ((10, 0, 0, 10), 0),
        ((0, 0, 1e150, 1e150), 0),
    ):
        assert metrics.boxes(gold, [document([Region(image="i", box=b, label="PER")])]).correct == right


def test_each_gold_box_is_used_once_and_labels_count() -> None:
    one = Region(image="i", box=(0, 0, 10, 10), label="PER", of="m0")
    twice = metrics.boxes([document([one])], [document([one, one])])
    assert (twice.correct, twice.predicted, twice.gold) == (1, 2, 1)
    assert metrics.boxes([document([one])], [document([one.model_copy(update={"label": "LOC"})])]).correct == 0
    unlabelled = one.model_copy(update={"label": ""})  # then it has the label of what it shows
    assert metrics.boxes([document([one])], [document([unlabelled])]).correct == 1
    assert metrics.boxes([document([one])], []).gold == 1


@given(
    regions,
    regions,
    st.tuples(*[st.sampled_from("PL-")] * 3),
    st.tuples(*[st.sampled_from("PL-")] * 3),
    st.sampled_from([0.25, 0.5]),
)
def test_grounded_against_double_loops(gold, predicted, gold_labels, predicted_labels, iou) -> None:
    g, p = document(gold, "".join(gold_labels)), document(predicted, "".join(predicted_labels))
    got = metrics.grounded([g], [p], iou)
    assert (got.correct, got.predicted, got.gold) == oracles.grounded_scores([g], [p], iou)
    assert got.correct <= metrics.spans([g], [p]).correct
    assert got.correct <= metrics.grounded([g], [p], iou, types=False).correct


def test_gmner_rule_by_hand() -> None:
    near, far, other = (0.0, 0.0, 10.0, 10.0), (50.0, 50.0, 60.0, 60.0), (20.0, 20.0, 30.0, 30.0)

    def shows(*found) -> Document:
        return document([Region(image="i", box=b, of=of) for of, b in found])

    gold = shows(("m0", near), ("m0", far))  # two boxes of one entity; the others have none
    cases = {
        3: [(("m0", near),), (("m0", far),), (("m0", near), ("m0", far))],
        2: [(), (("m0", other),), (("m0", near), ("m0", other)), (("m0", near), ("m1", near))],
    }
    for right, predictions in cases.items():
        for said in predictions:
            got = metrics.grounded([gold], [shows(*said)])
            assert (got.correct, got.predicted, got.gold) == (right, 3, 3), said
    assert metrics.grounded([gold], [gold]).f1 == 100


def test_regions_of_a_chain_show_its_mentions() -> None:
    found = Region(image="i", box=(0, 0, 9, 9), of="c")
    whole = document([found]).replace(chains=[Chain(id="c", mentions=("m0", "m2"))])
    apart = document([found.model_copy(update={"of": "m0"}), found.model_copy(update={"of": "m2"})])
    assert metrics.grounded([whole], [apart]).f1 == 100


def test_orphans_and_unlocated_in_grounded() -> None:
    d = Document(
        id="d",
        text=TEXT,
        mentions=[
            Mention(id="a", start=0, end=3, label="PER", status="orphan"),
            *(Mention(id=x, start=0, end=0, label="PER", text=x, status="unlocated") for x in ("Zoe", "Kim")),
        ],
    )
    strict, lenient = metrics.grounded([d], [d]), metrics.grounded([d], [d], mode="lenient")
    assert (strict.correct, strict.predicted, lenient.correct, lenient.predicted) == (0, 2, 1, 3)


def test_refusals() -> None:
    d = document([])
    for iou in (-0.1, 1.0, float("nan")):
        for metric in (metrics.boxes, metrics.grounded):
            with pytest.raises(MetricError, match="iou"):
                metric([d], [d], iou)
    with pytest.raises(MetricError, match="one of: ner, re"):
        metrics.score([d], [d], "mner")


def test_score_and_table() -> None:
    one = Region(image="i", box=(0, 0, 10, 10), label="PER", of="m0")
    gold, predicted = [document([one]), document([one], id="e")], [document([one], "PP-")]
    names = {
        "ner": ["strict", "lenient"],
        "re": ["relations", "as_released"],
        "joint": ["pairs", "entities"],
        "boxes": ["boxes"],
        "grounded": ["grounded", "entities", "regions"],
    }
    for task, want in names.items():
        scores = metrics.score(iter(gold), iter(predicted), task, bootstrap=50)
        assert list(scores) == want
        assert all(s.interval and s.interval[0] <= s.interval[1] for s in scores.values())
    rows = metrics.table(metrics.score(gold, predicted, "ner"))
    assert [(r["metric"], r["label"]) for r in rows[:3]] == [("strict", ""), ("strict", "LOC"), ("strict", "PER")]
    assert (rows[0]["correct"], rows[0]["predicted"], rows[0]["gold"]) == (2, 2, 6)
    assert rows[0]["recall"] == pytest.approx(100 / 3) and rows[1]["f1"] == 0
    assert metrics.table(metrics.score(gold, predicted, "re"))[0]["accuracy"] == 0
    unnamed = {"x": metrics.Scores(1, 1, 1, {"": metrics.Scores(1, 1, 1)})}
    assert [r["label"] for r in metrics.table(unnamed)] == ["", "(none)"]


def test_normalised_gain() -> None:
    assert metrics.normalised_gain(75.0, 62.5, 87.5) == 0.5
    assert metrics.normalised_gain(metrics.Scores(correct=1, predicted=1, gold=1), 0, 100) == 1
    assert metrics.normalised_gain(50, 60, 80) == -0.5
    with pytest.raises(MetricError, match="Ceilings"):
        metrics.normalised_gain(1, 50, 50)


def test_metrics_import_no_torch_and_no_scipy() -> None:
    code = "import sys, openmie.metrics, openmie.model.codec.bio\n"
    code += "print({'torch', 'scipy', 'sklearn'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
