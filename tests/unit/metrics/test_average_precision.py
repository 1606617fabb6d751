"""Average precision: known answers, and a slow loop that takes every threshold and every recall by itself."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmie import metrics
from openmie.data.box_iou import box_iou
from openmie.data.document import Document, Mention, Region
from openmie.errors import MetricError
from openmie.metrics.average_precision import COCO_IOUS, average_precision


def document(id, found, image="i"):
    return Document(id=id, regions=[Region(image=image, box=b, label=label, score=score) for b, label, score in found])


def slow(gold, predicted, ious, most=100):
    """Mean over labels and IoUs, each by loops over the sorted boxes and over 101 recalls."""
    labels = sorted({r.label for d in gold for r in d.regions})
    by_id = {d.id: d for d in predicted}
    areas = []
    for label in labels:
        for iou in ious:
            ranked, total = [], 0
            for d in gold:
                want = [r for r in d.regions if r.label == label]
                total += len(want)
                got = [r for r in by_id[d.id].regions if r.label == label] if d.id in by_id else []
                taken = set()
                for region in sorted(got, key=lambda r: -r.score)[:most]:
                    overlaps = [
                        (box_iou(region.box, w.box), -n)
                        for n, w in enumerate(want)
                        if n not in taken and w.image == region.image
                    ]
                    best, n = max(overlaps, default=(0.0, 0))
                    hit = bool(overlaps) and best >= iou - 1e-10
                    if hit:
                        taken.add(-n)
                    ranked.append((region.score, hit))
            ranked.sort(key=lambda pair: -pair[0])
            hits, points = 0, []
            for n, (_, hit) in enumerate(ranked, 1):
                hits += hit
                points.append((hits / total, hits / n))
            areas.append(sum(max((p for r, p in points if r >= k / 100), default=0.0) for k in range(101)) / 101)
    return 100 * sum(areas) / len(areas) if areas else 0.0


SQUARE = (0.0, 0.0, 10.0, 10.0)


def test_known_answers():
    gold = [document("a", [(SQUARE, "cat", None)]), document("b", [(SQUARE, "cat", None)])]
    half = (0.0, 0.0, 10.0, 5.0)  # IoU 0.5
    found = [document("a", [(SQUARE, "cat", 0.9)]), document("b", [(half, "cat", 0.8)])]
    made = average_precision(gold, found, (0.5, 0.75))
    assert made.by_iou[0.5] == pytest.approx(100.0)  # reached is enough
    assert made.by_iou[0.75] == pytest.approx(100 * 51 / 101)  # precision 1 at recalls 0 to 0.5
    assert made.mean == pytest.approx((made.by_iou[0.5] + made.by_iou[0.75]) / 2)
    worse = [document("a", [((50.0, 0.0, 60.0, 10.0), "cat", 0.95), (SQUARE, "cat", 0.9)])]
    assert average_precision(gold, worse, (0.5,)).mean == pytest.approx(50 * 51 / 101)
    assert metrics.average_precision(gold, []).mean == 0 == average_precision([], []).mean


def test_a_second_box_of_one_object_is_wrong_and_other_labels_are_ignored():
    gold = [document("a", [(SQUARE, "cat", None), ((20.0, 0.0, 30.0, 10.0), "dog", None)])]
    twice = [document("a", [(SQUARE, "cat", 0.9), (SQUARE, "cat", 0.8), (SQUARE, "text", 0.99)])]
    made = average_precision(gold, twice)
    assert made.by_label == {"cat": pytest.approx(100.0), "dog": 0.0} and made.mean == pytest.approx(50.0)
    assert list(made.by_iou) == list(COCO_IOUS)


def test_a_region_without_a_label_has_its_mentions():
    mention = Mention(id="m", start=0, end=1, label="PER")
    gold = [Document(id="a", text="x", mentions=[mention], regions=[Region(image="i", box=SQUARE, of="m")])]
    assert average_precision(gold, [document("a", [(SQUARE, "PER", 0.5)])]).mean == pytest.approx(100.0)


def test_what_cannot_be_ordered_is_refused():
    gold = [document("a", [(SQUARE, "cat", None)])]
    with pytest.raises(MetricError, match="without a score"):
        average_precision(gold, gold)
    with pytest.raises(MetricError, match="iou"):
        average_precision(gold, [], (1.0,))


CORNER = st.integers(0, 3)
ROWS = st.lists(st.tuples(CORNER, CORNER, st.sampled_from("xyz"), st.sampled_from("ij")), max_size=8)


@given(st.lists(st.tuples(ROWS, ROWS), min_size=1, max_size=4), st.randoms(use_true_random=False), st.integers(1, 9))
def test_it_is_the_slow_loop(pairs, order, most):
    scores = list(range(1, 1 + sum(len(got) for _, got in pairs)))
    order.shuffle(scores)

    def box(x, y):
        return (2.0 * x, 2.0 * y, 2.0 * x + 5, 2.0 * y + 5)

    def regions(rows, score):
        return [Region(image=i, box=box(x, y), label=z, score=score()) for x, y, z, i in rows]

    gold = [Document(id=f"{n}", regions=regions(want, lambda: None)) for n, (want, _) in enumerate(pairs)]
    found = [Document(id=f"{n}", regions=regions(got, scores.pop)) for n, (_, got) in enumerate(pairs)]
    if most < 9:  # a limit counts for an image, and the loop above knows a document
        gold, found = ([d.replace(regions=[r for r in d.regions if r.image == "i"]) for d in x] for x in (gold, found))
    ious = (0.3, 0.5, 0.9)
    made = average_precision(gold, found, ious, most=most if most < 9 else 100)
    assert made.mean == pytest.approx(slow(gold, found, ious, most if most < 9 else 100))


def test_the_order_of_documents_and_boxes_does_not_matter():
    draw = random.Random(0)

    def regions():
        return [
            ((x, 0.0, x + 5.0, 5.0), draw.choice("xy"), draw.random()) for x in map(float, draw.sample(range(20), 6))
        ]

    gold, found = ([document(str(n), regions()) for n in range(5)] for _ in range(2))
    mixed = [d.replace(regions=list(reversed(d.regions))) for d in reversed(found)]
    assert average_precision(gold, found).mean == pytest.approx(average_precision(gold, mixed).mean)
