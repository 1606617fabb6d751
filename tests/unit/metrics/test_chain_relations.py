"""Relations between chains: against loops and brute-force matching, by hand, and the release's numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import openmie.metrics as metrics
from openmie.corpora import load
from openmie.data.document import Chain, Document, Mention, Relation
from openmie.errors import MetricError
from tests.fixtures import chain_oracles, oracles

TEXT = "a b c d e"
LABELS = ("peer", "parent", "None")


def document(chains: list[set[int]], relations: list[tuple[int, int, str]], prefix: str = "") -> Document:
    """Chain i has the mentions of chains[i], the letters at 2k; a mention may be in several."""
    mentions, found = [], []
    for i, members in enumerate(chains):
        for k in sorted(members):
            mentions.append(Mention(id=f"{prefix}m{i}.{k}", start=2 * k, end=2 * k + 1))
        found.append(Chain(id=f"{prefix}c{i}", mentions=tuple(f"{prefix}m{i}.{k}" for k in sorted(members))))
    return Document(
        id="d",
        text=TEXT,
        mentions=mentions,
        chains=found,
        relations=[Relation(head=f"{prefix}c{h}", tail=f"{prefix}c{t}", label=x) for h, t, x in relations],
    )


members = st.sets(st.integers(0, 4), min_size=1, max_size=3)
side = st.tuples(
    st.lists(members, min_size=3, max_size=3),
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from(LABELS)), max_size=5),
)


def listed(chains: list[set[int]], relations: list[tuple[int, int, str]]) -> list[tuple[frozenset, frozenset, str]]:
    return [(frozenset(chains[h]), frozenset(chains[t]), x) for h, t, x in relations if x != "None"]


@settings(max_examples=60, deadline=None)
@given(side, side, st.sampled_from([(), ("peer",)]))
def test_overlap_against_brute_force(gold, predicted, symmetric) -> None:
    sides = []
    for triples in (listed(*gold), listed(*predicted)):
        kept: list = []
        for h, t, x in triples:
            if (h, t, x) not in kept and not (x in symmetric and (t, h, x) in kept):
                kept.append((h, t, x))
        sides.append(kept)
    want, got = sides
    hits = [[chain_oracles.agree(p, g, symmetric) for g in want] for p in got]
    found = metrics.chain_relations([document(*gold)], [document(*predicted, prefix="p")], symmetric=symmetric)
    assert (found.correct, found.predicted, found.gold) == (oracles.largest_matching(hits), len(got), len(want))
    assert sum(s.correct for s in found.by_label.values()) == found.correct
    turned = metrics.chain_relations([document(*predicted)], [document(*gold, prefix="p")], symmetric=symmetric)
    assert (turned.correct, turned.gold) == (found.correct, found.predicted)
    itself = metrics.chain_relations([document(*gold)], [document(*gold, prefix="p")], symmetric=symmetric)
    assert itself.correct == itself.predicted == itself.gold
    assert (
        found.correct
        >= metrics.relations([document(*gold)], [document(*predicted, prefix="p")], symmetric=symmetric).correct
    )


@settings(max_examples=60, deadline=None)
@given(side, side)
def test_directed_and_undirected_against_brute_force(gold, predicted) -> None:
    """Symmetric labels are of the default alone: of `directed` none is symmetric, of `undirected` every one."""
    pair = [document(*gold)], [document(*predicted, prefix="p")]
    for mode, symmetric in (("directed", ()), ("undirected", LABELS)):
        found = metrics.chain_relations(*pair, mode, symmetric=("peer",))
        same = metrics.chain_relations(*pair, symmetric=symmetric)
        assert (found.correct, found.predicted, found.gold) == (same.correct, same.predicted, same.gold)


def test_a_turned_relation_is_right_without_direction_alone() -> None:
    chains, found = [{0, 1}, {2}, {3, 4}], {}
    gold = document(chains, [(0, 1, "peer"), (1, 2, "parent"), (0, 2, "parent")])
    turned = document([{0}, {2}, {4}], [(1, 0, "peer"), (2, 1, "parent"), (0, 2, "parent")], "p")
    for mode in ("overlap", "directed", "undirected"):
        found[mode] = metrics.chain_relations([gold], [turned], mode, symmetric=("peer",)).correct
    assert found == {"overlap": 2, "directed": 1, "undirected": 3}


@settings(max_examples=60, deadline=None)
@given(side, side)
@example(([{0, 2}, {0}, {0}], [(0, 0, "peer"), (0, 1, "peer")]), ([{0}, {2}, {0, 2}], [(1, 0, "peer")]))
@example(([{0}, {2}, {0}], [(1, 1, "peer"), (0, 1, "peer")]), ([{0}, {2}, {0, 2}], [(2, 1, "peer")]))
@example(([{0}, {1}, {2}], [(0, 2, "peer"), (1, 2, "peer")]), ([{0, 1}, {2}, {3}], [(0, 1, "peer")]))
@example(([{0}, {1}, {2}], [(0, 2, "peer")]), ([{0}, {0}, {2}], [(0, 2, "parent"), (2, 1, "peer")]))
def test_the_releases_accounting_against_loops(gold, predicted) -> None:
    right, n = chain_oracles.released_hits(listed(*gold), listed(*predicted), [frozenset(c) for c in predicted[0]])
    found = metrics.chain_relations([document(*gold)], [document(*predicted, prefix="p")], mode="as_released")
    assert (found.correct, found.predicted, found.gold) == (right, n, len(listed(*gold)))


def test_by_hand() -> None:
    gold = document([{0, 1}, {2}, {3}], [(0, 1, "parent"), (1, 2, "peer")])
    cases = [
        ([{0}, {2, 4}], [(0, 1, "parent")], (1, 1)),  # an overlap at both ends is enough
        ([{0}, {2}], [(1, 0, "parent")], (0, 1)),  # direction counts
        ([{0}, {2}], [(0, 1, "peer")], (0, 1)),  # so does the label
        ([{4}, {2}], [(0, 1, "parent")], (0, 1)),
        ([{0}, {1}, {2}], [(0, 2, "parent"), (1, 2, "parent")], (1, 2)),  # pieces of a chain share one gold relation
        ([{0}, {2}], [(0, 1, "parent"), (0, 1, "parent")], (1, 1)),  # said twice
        ([{0, 1, 2, 3, 4}], [(0, 0, "parent"), (0, 0, "peer")], (2, 2)),
        ([{0}, {2}], [(0, 1, "None")], (0, 0)),
    ]
    for chains, relations, (correct, predicted) in cases:
        found = metrics.chain_relations([gold], [document(chains, relations, prefix="p")])
        assert (found.correct, found.predicted, found.gold) == (correct, predicted, 2), relations
    peer = document([{2}, {3}], [(1, 0, "peer")], prefix="p")
    assert metrics.chain_relations([gold], [peer]).correct == 0
    assert metrics.chain_relations([gold], [peer], symmetric=("peer",)).correct == 1
    assert metrics.chain_relations([gold], []).gold == 2


def test_greedy_would_find_fewer() -> None:
    gold = document([{0}, {1}, {2}], [(0, 2, "peer"), (1, 2, "peer")])
    both = document([{0, 1}, {0}, {2}], [(0, 2, "peer"), (1, 2, "peer")], prefix="p")
    assert metrics.chain_relations([gold], [both]).correct == 2


def test_mentions_are_chains_of_one() -> None:
    gold = document([{0, 1}, {2}], [(0, 1, "parent")])
    loose = document([{0}, {2}], []).replace(chains=[], relations=[Relation(head="m0.0", tail="m1.2", label="parent")])
    for mode in ("overlap", "as_released"):
        assert metrics.chain_relations([gold], [loose], mode=mode).correct == 1
        assert metrics.chain_relations([loose], [gold], mode=mode).correct == 1


def test_what_is_not_located_is_never_right_but_counts() -> None:
    lost = Mention(id="q", start=0, end=0, text="Zoe", status="unlocated")
    d = document([{0}], [])
    d = d.replace(mentions=[*d.mentions, lost], relations=[Relation(head="q", tail="c0", label="peer")])
    for mode in ("overlap", "as_released"):
        found = metrics.chain_relations([d], [d], mode=mode)
        assert found.correct == 0 and found.predicted and found.gold == 1
    partly = d.replace(
        chains=[Chain(id="c0", mentions=("m0.0", "q"))], relations=[Relation(head="c0", tail="c0", label="peer")]
    )
    assert metrics.chain_relations([partly], [partly]).correct == 1


def test_as_released_by_hand() -> None:
    gold = document([{0}, {1}, {2}], [(0, 1, "parent"), (0, 1, "peer"), (1, 2, "peer")])
    found = metrics.chain_relations([gold], [gold], mode="as_released")  # two labels of one pair: the last is kept
    assert (found.correct, found.predicted, found.gold) == (2, 4, 3)
    turned = document([{1}, {2}], [(1, 0, "peer")], prefix="p")
    assert metrics.chain_relations([gold], [turned], mode="as_released").correct == 1  # either direction will do
    pieces = document([{0}, {1}, {2}], [(0, 2, "peer"), (1, 2, "peer")])
    joined = document([{0, 1}, {2}], [(1, 0, "peer")], prefix="p")
    found = metrics.chain_relations([pieces], [joined], mode="as_released")  # each reading uses up one
    assert (found.correct, found.predicted, found.gold) == (2, 2, 2) and found.f1 == 100
    assert metrics.chain_relations([pieces], [joined]).correct == 0
    loop = document([{0, 1}], [(0, 0, "peer")])
    assert metrics.chain_relations([loop], [loop], mode="as_released").predicted == 1


def test_refusals() -> None:
    d = document([{0}, {1}], [(0, 1, "peer")])
    with pytest.raises(MetricError, match="overlap, directed, undirected, as_released"):
        metrics.chain_relations([d], [d], mode="strict")
    bad = d.replace(relations=[Relation(head="c0", tail="nobody", label="peer")])
    for mode in ("overlap", "as_released"):
        for gold, predicted in (([bad], [d]), ([d], [bad])):
            with pytest.raises(MetricError, match=r"document d: a \w+ relation with an end 'nobody'"):
                metrics.chain_relations(gold, predicted, mode=mode)


@pytest.mark.real
@pytest.mark.parametrize(
    "language, want, counts",
    [("en", (50.0, 98.5, 66.3), (1367, 2734, 1388)), ("zh", (50.0, 97.5, 66.1), (960, 1920, 985))],
)
def test_gold_fed_as_prediction_scores_what_the_release_gives_it(corpora: Path, language, want, counts) -> None:
    gold = list(load(f"m3d:{corpora / 'm3d'}", language=language).split("dev"))
    found = metrics.chain_relations(gold, gold, mode="as_released")
    assert (round(found.precision, 1), round(found.recall, 1), round(found.f1, 1)) == want
    assert (found.correct, found.predicted, found.gold) == counts
    assert metrics.chain_relations(gold, gold).f1 == 100
