"""MUC, B3 and CEAF against scorch, against loops over sets, by hand, and on real documents."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import scorch.scores as scorch
from hypothesis import given, settings
from hypothesis import strategies as st

import openmie.metrics as metrics
from openmie.corpora import load
from openmie.data.document import Chain, Document, Mention
from openmie.errors import MetricError
from tests.fixtures import chain_oracles as oracles

N = 7
TEXT = " ".join("abcdefg")  # mention k is the letter at 2k
NAMES = ("MUC", "B3", "CEAF phi4", "CEAF phi3")


def document(
    partition: dict[int, int], id: str = "d", prefix: str = "", label: str = "PER", alone: bool = True
) -> Document:
    """`partition` says which chain a mention is in; chains of one mention are left out with alone=False."""
    mentions = [Mention(id=f"{prefix}m{k}", start=2 * k, end=2 * k + 1, label=label) for k in partition]
    found = {c: tuple(f"{prefix}m{k}" for k in partition if partition[k] == c) for c in partition.values()}
    return Document(
        id=id,
        text=TEXT,
        mentions=mentions,
        chains=[Chain(id=f"{prefix}c{c}", mentions=m) for c, m in found.items() if alone or len(m) > 1],
    )


def sets(partition: dict[int, int]) -> list[frozenset]:
    return [frozenset(k for k in partition if partition[k] == c) for c in dict.fromkeys(partition.values())]


partitions = st.dictionaries(st.integers(0, N - 1), st.integers(0, 3), max_size=N)
corpus = st.lists(st.tuples(partitions, partitions), min_size=1, max_size=4)


def parts(found: metrics.ChainScores) -> list[tuple[float, float, float]]:
    return [(s.precision, s.recall, s.f1) for s in (found.muc, found.b3, found.ceaf, found.ceaf_m)]


def flat(found: list) -> list[float]:
    return [x for row in found for x in row]


@settings(max_examples=60, deadline=None)
@given(corpus, st.booleans())
def test_against_loops_over_sets(drawn, alone) -> None:
    gold = [document(g, str(i)) for i, (g, _) in enumerate(drawn)]
    predicted = [document(p, str(i), "p", alone=alone) for i, (_, p) in enumerate(drawn)]
    want, got = [sets(g) for g, _ in drawn], [sets(p) for _, p in drawn]
    expected = [
        oracles.muc(want, got),
        oracles.b3(want, got),
        oracles.ceaf(want, got, oracles.phi4),
        oracles.ceaf(want, got, oracles.phi3),
    ]
    found = metrics.chains(gold, predicted)
    assert flat(parts(found)) == pytest.approx(flat(expected))
    assert found.mean == found.f1 == pytest.approx(sum(x[2] for x in expected[:3]) / 3)
    assert found.correct == sum(c in g for g, p in zip(want, got) for c in p)
    assert (found.predicted, found.gold) == (sum(map(len, got)), sum(map(len, want)))
    released = metrics.chains(gold, predicted, mode="as_released")
    muc, b3, phi3 = oracles.released(want, got)
    assert flat(parts(released)) == pytest.approx([*muc, *b3, *phi3, *phi3])
    assert released.mean == pytest.approx((muc[2] + b3[2] + phi3[2]) / 3)


def scorched(gold: list[set], predicted: list[set]) -> list[tuple[float, float, float]]:
    found = [measure(gold, predicted) for measure in (scorch.muc, scorch.b_cubed, scorch.ceaf_e, scorch.ceaf_m)]
    return [(100 * p, 100 * r, 100 * f) for r, p, f in found]


@settings(max_examples=60, deadline=None)
@given(corpus)
def test_parity_with_scorch_on_one_document_of_all(drawn) -> None:
    gold = [document(g, str(i)) for i, (g, _) in enumerate(drawn)]
    predicted = [document(p, str(i), "p") for i, (_, p) in enumerate(drawn)]
    want, got = ([{(i, k) for k in c} for i, pair in enumerate(drawn) for c in sets(pair[side])] for side in (0, 1))
    ours = parts(metrics.chains(gold, predicted))
    if not any(a & b for a in want for b in got):  # there scorch divides by zero
        assert flat(ours[1:]) == [0.0 if want or got else 100.0] * 9
        return
    linked = all(any(len(c) > 1 for c in side) for side in (want, got))  # else scorch's MUC is 0 throughout
    first = 0 if linked else 1
    assert flat(ours[first:]) == pytest.approx(flat(scorched(want, got)[first:]))


def test_by_hand() -> None:
    """Three chains of 3, 2 and 2 mentions, thrown into one."""
    gold = document({0: 0, 1: 0, 2: 0, 3: 1, 4: 1, 5: 2, 6: 2})
    joined = document(dict.fromkeys(range(7), 0), prefix="p")
    found = metrics.chains([gold], [joined])
    assert parts(found)[0] == pytest.approx((100 * 4 / 6, 100, 80))
    assert found.b3.precision == pytest.approx(100 * (9 + 4 + 4) / 7 / 7) and found.b3.recall == 100
    assert found.ceaf.precision == pytest.approx(60) and found.ceaf.recall == pytest.approx(20)
    assert found.ceaf_m.f1 == pytest.approx(300 / 7)
    assert found.mean == pytest.approx((80 + found.b3.f1 + 30) / 3)
    assert (found.correct, found.predicted, found.gold) == (0, 1, 3)


def test_nothing_against_nothing_and_one_sided() -> None:
    empty, some = document({}), document({0: 0, 1: 0})
    for nothing in ([(empty, empty)], []):
        assert metrics.chains([g for g, _ in nothing], [p for _, p in nothing]).mean == 100
    alone = document({0: 0, 1: 1})
    assert metrics.chains([alone], [alone]).muc.f1 == 100 and metrics.chains([alone], [alone]).mean == 100
    assert metrics.chains([some], [alone]).muc.f1 == metrics.chains([alone], [some]).muc.f1 == 0
    assert metrics.chains([alone], [some]).b3.f1 == pytest.approx(200 * 1 * 0.5 / 1.5)
    for found in (metrics.chains([some], []), metrics.chains([some], [empty])):
        assert found.mean == 0 and found.gold == 1 and found.b3.gold == 2
    assert metrics.chains([empty], [some]).mean == 0


def test_a_document_that_was_not_predicted_keeps_its_gold() -> None:
    docs = [document({0: 0, 1: 0}, "a"), document({0: 0, 1: 0}, "b")]
    found = metrics.chains(docs, docs[:1])
    assert (found.muc.precision, found.muc.recall) == (found.ceaf.precision, found.ceaf.recall) == (100, 50)


@settings(max_examples=60, deadline=None)
@given(partitions, partitions, st.permutations(range(N)), st.integers(0, 5))
def test_names_and_order_play_no_part(gold, predicted, order, shift) -> None:
    renamed = {k: (predicted[k] + shift) % 9 for k in sorted(predicted, key=order.index)}
    one = metrics.chains([document(gold)], [document(predicted)])
    other = metrics.chains([document(gold, prefix="x", label="LOC")], [document(renamed, prefix="y")])
    assert flat(parts(one)) == pytest.approx(flat(parts(other)))


@settings(max_examples=60, deadline=None)
@given(partitions, partitions)
def test_turned_round_precision_is_recall(gold, predicted) -> None:
    one, other = (metrics.chains([document(a)], [document(b)]) for a, b in ((gold, predicted), (predicted, gold)))
    assert flat([(p, r) for p, r, _ in parts(one)]) == pytest.approx(flat([(r, p) for p, r, _ in parts(other)]))
    assert all(0 <= x <= 100 + 1e-9 for x in flat(parts(one)))
    assert flat(parts(metrics.chains([document(gold)], [document(gold, prefix="p")]))) == [100.0] * 12


def test_what_counts() -> None:
    base = document({0: 0, 1: 0, 2: 1})
    again = Mention(id="again", start=0, end=1)
    twice = base.replace(mentions=[*base.mentions, again], chains=[Chain(id="c0", mentions=("m0", "m1", "again"))])
    assert metrics.chains([base], [twice]).mean == 100  # the same span twice in one chain
    joined = base.replace(
        mentions=[*base.mentions, again],
        chains=[Chain(id="c0", mentions=("m0", "m1")), Chain(id="c1", mentions=("m2", "again"))],
    )
    assert metrics.chains([joined], [document({0: 0, 1: 0, 2: 0})]).mean == 100  # one span in two chains joins them
    empty = base.replace(chains=[*base.chains, Chain(id="nothing")])
    assert metrics.chains([empty], [base]).correct == 2 == metrics.chains([empty], [base]).gold
    orphan = base.replace(mentions=[*base.mentions, Mention(id="o", start=6, end=7, status="orphan")])
    assert metrics.chains([base], [orphan]).mean == 100
    inside = orphan.replace(chains=[Chain(id="c0", mentions=("m0", "m1", "o"))])
    assert metrics.chains([base], [inside]).mean < 100
    labels = [document({0: 0, 1: 0}, label=x) for x in ("PER", "LOC")]
    assert metrics.chains(labels[:1], labels[1:]).mean == 100
    assert metrics.chains(labels[:1], labels[1:], labels=True).mean == 0


def test_what_is_not_located_is_never_right_but_counts() -> None:
    lost = [Mention(id=x, start=0, end=0, text="Zoe", status="unlocated") for x in ("u", "v")]
    base = document({0: 0, 1: 0})
    d = base.replace(mentions=[*base.mentions, *lost], chains=[Chain(id="c", mentions=("m0", "m1", "u", "v"))])
    found = metrics.chains([d], [d])
    assert (found.ceaf_m.correct, found.ceaf_m.predicted, found.ceaf_m.gold) == (2, 4, 4)
    assert (found.muc.correct, found.muc.gold) == (1, 3)


def test_refusals() -> None:
    d = document({0: 0, 1: 0})
    with pytest.raises(MetricError, match="standard, as_released"):
        metrics.chains([d], [d], mode="conll")
    bad = d.replace(chains=[Chain(id="c", mentions=("m0", "nobody"))])
    for gold, predicted, side in (([bad], [d], "gold"), ([d], [bad], "predicted")):
        with pytest.raises(MetricError, match=rf"document d: a {side} chain 'c' of 'nobody'.*dangling"):
            metrics.chains(gold, predicted)
    with pytest.raises(MetricError, match="gold does not have"):
        metrics.chains([d], [document({}, "other")])


def test_interval_and_table() -> None:
    gold = [document({0: 0, 1: 0, 2: 1, 3: 1}, str(i)) for i in range(30)]
    predicted = [document({0: 0, 1: 0, 2: 1, 3: 1 if i % 3 else 0}, str(i), "p") for i in range(30)]
    found = metrics.chains(gold, predicted, bootstrap=300, seed=2)
    assert found.interval is not None and found.interval[0] < found.mean < found.interval[1]
    assert found == metrics.chains(gold, predicted, bootstrap=300, seed=2)
    rows = metrics.table({"chains": found})
    assert [r["label"] for r in rows] == ["", *NAMES] and rows[0]["f1"] == found.mean
    assert metrics.chains(gold, gold, bootstrap=20).interval == (100, 100)


def test_many_chains_are_paired_block_by_block() -> None:
    """2,000 chains that would make a table of 4 million: each block on its own."""
    text = "a" * 5000
    mentions = [Mention(id=f"m{k}", start=k, end=k + 1) for k in range(5000)]
    gold = Document(
        id="d",
        text=text,
        mentions=mentions,
        chains=[Chain(id=f"c{k}", mentions=(f"m{2 * k}", f"m{2 * k + 1}")) for k in range(2000)],
    )
    shifted = gold.replace(chains=[Chain(id=f"c{k}", mentions=(f"m{2 * k + 1}", f"m{2 * k + 2}")) for k in range(2000)])
    found = metrics.chains([gold], [shifted])
    assert found.ceaf_m.correct == 1000 + 2000 and found.muc.f1 == 0 and metrics.chains([gold], [gold]).mean == 100


def damaged(d: Document, rng: random.Random) -> Document:
    """Mentions left out and made up, chains joined and cut."""
    kept = [m for m in d.mentions if rng.random() < 0.85]
    spans = {(m.start, m.end) for m in d.mentions}
    more = [
        Mention(id=f"x{k}", start=w.start, end=w.end)
        for k, w in enumerate(d.words)
        if rng.random() < 0.03 and (w.start, w.end) not in spans
    ]
    of = {m: c.id if rng.random() < 0.8 else rng.choice(d.chains).id for c in d.chains for m in c.mentions}
    of |= {m.id: rng.choice(d.chains).id for m in more if rng.random() < 0.5}
    ids = [m.id for m in (*kept, *more)]
    return d.replace(
        relations=(),
        mentions=[*kept, *more],
        chains=[Chain(id=c.id, mentions=tuple(m for m in ids if of.get(m) == c.id)) for c in d.chains],
    )


@pytest.mark.real
@pytest.mark.parametrize("language", ["en", "zh"])
def test_parity_with_scorch_on_m3d(corpora: Path, language: str) -> None:
    gold = list(load(f"m3d:{corpora / 'm3d'}", language=language).split("dev"))[:60]
    rng = random.Random(3)  # 60 documents: scorch compares all chains with all
    predicted = [damaged(d, rng) for d in gold]
    want, got = [], []
    for documents, side in ((gold, want), (predicted, got)):
        for d in documents:
            spans = {m.id: (d.id, m.start, m.end) for m in d.mentions}
            chained = {m for c in d.chains for m in c.mentions}
            side += [{spans[m] for m in c.mentions} for c in d.chains if c.mentions]
            side += [{spans[m]} for m in spans if m not in chained]
    found = metrics.chains(gold, predicted)
    assert flat(parts(found)) == pytest.approx(flat(scorched(want, got)))
    assert found.mean == pytest.approx(100 * scorch.conll2012(want, got)) and 20 < found.mean < 90
    assert metrics.chains(gold, gold).mean == 100
