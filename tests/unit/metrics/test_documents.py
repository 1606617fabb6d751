"""The four tasks together, links from regions to chains, the error table: laws, by hand, at the command line."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import openmie.metrics as metrics
from openmie.cli.application import app
from openmie.data.document import Chain, Document, Mention, Region, Relation
from openmie.errors import MetricError
from openmie.metrics.comparison import comparable
from openmie.metrics.counting import bootstrap_counts
from openmie.metrics.errors_table import CAUSES, TASKS
from tests.fixtures import oracles

TEXT = "abcdefgh"
KINDS = ("PER", "LOC")
LABELS = ("peer", "parent")


def made(rng: random.Random, id: str, prefix: str = "") -> Document:
    """A small document of everything, overlapping mentions and what is not located included."""
    spans = sorted({(a, a + rng.randint(1, 3)) for a in rng.sample(range(6), rng.randint(0, 5))})
    mentions = [Mention(id=f"{prefix}m{k}", start=a, end=b, label=rng.choice(KINDS)) for k, (a, b) in enumerate(spans)]
    if rng.random() < 0.2:
        mentions.append(Mention(id=f"{prefix}lost", start=0, end=0, label="PER", text="Zoe", status="unlocated"))
    of = {m.id: rng.randint(0, 2) for m in mentions if rng.random() < 0.9}
    chains = [
        Chain(id=f"{prefix}c{c}", label="PER", mentions=tuple(m for m in of if of[m] == c))
        for c in sorted(set(of.values()))
    ]
    ends = [c.id for c in chains]
    relations = [
        Relation(head=rng.choice(ends), tail=rng.choice(ends), label=rng.choice(LABELS))
        for _ in range(rng.randint(0, 3) if ends else 0)
    ]
    regions = []
    for _ in range(rng.randint(0, 4)):
        x, y = rng.randint(0, 3), rng.randint(0, 3)
        regions.append(
            Region(
                image=rng.choice(["f1", "f2"]),
                box=(x, y, x + rng.randint(2, 6), y + rng.randint(2, 6)),
                label=rng.choice(KINDS),
                of=rng.choice(["", *ends]),
            )
        )
    return Document(id=id, text=TEXT, mentions=mentions, chains=chains, relations=relations, regions=regions)


def both(seed: int, n: int = 3) -> tuple[list[Document], list[Document]]:
    rng = random.Random(seed)
    gold = [made(rng, f"d{k}") for k in range(n)]
    predicted = [made(rng, d.id, "p") if rng.random() < 0.8 else d for d in gold if rng.random() < 0.9]
    return gold, predicted


seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_the_parts_are_the_scores_of_their_tasks(seed) -> None:
    gold, predicted = both(seed)
    found = metrics.documents(gold, predicted, symmetric=("peer",))
    assert found.entities == metrics.spans(gold, predicted)
    assert found.chains == metrics.chains(gold, predicted)
    assert found.relations == metrics.chain_relations(gold, predicted, symmetric=("peer",))
    assert found.regions == metrics.boxes(gold, predicted)
    counted = [s.f1 for s in found.by_label.values() if s.gold or s.predicted]
    assert found.mean == found.f1 == pytest.approx(float(np.mean(counted)) if counted else 0)
    itself = metrics.documents(gold, gold)
    unlocated = any(m.status == "unlocated" for d in gold for m in d.mentions)
    assert unlocated or not itself.tasks or itself.mean == 100


def test_the_papers_average_and_tasks_that_are_not_there() -> None:
    rng = random.Random(0)
    gold = [made(rng, f"d{k}") for k in range(40)]
    predicted = [made(rng, d.id, "p") if k % 2 else d for k, d in enumerate(gold)]
    found = metrics.documents(gold, predicted, bootstrap=200, seed=1)
    assert found.tasks == TASKS
    text = found.entities.f1 + found.chains.mean + found.relations.f1
    assert found.mean == pytest.approx((text + found.regions.f1) / 4)
    blind = metrics.documents([d.replace(regions=()) for d in gold], [d.replace(regions=()) for d in predicted])
    assert blind.tasks == TASKS[:3]
    assert blind.mean == pytest.approx(text / 3)
    assert metrics.documents([], []).mean == 0
    for s in (found, *found.by_label.values()):
        assert s.interval[0] < s.f1 < s.interval[1]


def test_draws_in_blocks_are_the_same_draws(monkeypatch) -> None:
    counts = np.random.default_rng(0).integers(0, 5, (50, 4)).astype(float)
    whole = bootstrap_counts(counts, 200, 3)
    monkeypatch.setattr("openmie.metrics.counting._CELLS", 1000)
    assert np.array_equal(whole, bootstrap_counts(counts, 200, 3)) and whole.shape == (200, 4)


@settings(max_examples=60, deadline=None)
@given(seeds, st.sampled_from([0.0, 0.5]))
def test_region_links_against_brute_force(seed, iou) -> None:
    gold, predicted = both(seed)
    right = n_got = n_want = 0
    for d in gold:
        want = [r for r in d.regions if r.of]
        got = [(r, p) for p in predicted if p.id == d.id for r in p.regions if r.of]
        n_want, n_got = n_want + len(want), n_got + len(got)
        right += oracles.largest_matching(
            [
                [
                    (r.image, r.label) == (w.image, w.label)
                    and oracles.box_iou(r.box, w.box) > iou
                    and bool(places(p, r.of) & places(d, w.of))
                    for w in want
                ]
                for r, p in got
            ]
        )
    found = metrics.region_links(gold, predicted, iou)
    assert (found.correct, found.predicted, found.gold) == (right, n_got, n_want)


def places(document: Document, chain: str) -> set[tuple[int, int]]:
    found = document.find(chain)
    assert isinstance(found, Chain)
    return {(m.start, m.end) for id in found.mentions if (m := document.find(id)).end > 0}


def test_region_links_by_hand() -> None:
    d = Document(
        id="d",
        text=TEXT,
        mentions=[Mention(id=f"m{k}", start=k, end=k + 1, label="PER") for k in range(4)],
        chains=[Chain(id="a", mentions=("m0", "m1")), Chain(id="b", mentions=("m2",))],
    )
    first, second = (0, 0, 10, 10), (20, 0, 30, 10)

    def shows(*found: tuple[tuple, str]) -> Document:
        return d.replace(regions=[Region(image="f", box=b, label="PER", of=of) for b, of in found])

    gold = [shows((first, "a"), (second, "b"), (first, ""))]
    cases = [
        ([(first, "a"), (second, "b")], 2),
        ([(first, "b"), (second, "a")], 0),
        ([(first, "m1")], 1),
        ([(first, "m3")], 0),
        ([(first, "a"), (first, "a")], 1),
        ([((5, 5, 10, 10), "a")], 0),
    ]
    for said, right in cases:
        found = metrics.region_links(gold, [shows(*said)])
        assert (found.correct, found.predicted, found.gold) == (right, len(said), 2), said
    assert metrics.region_links(gold, [shows((first, ""))]).predicted == 0
    assert metrics.boxes(gold, [shows((first, "b"), (second, "a"))]).correct == 2  # the boxes are right
    for bad in (shows((first, "nobody")), shows((first, "c")).replace(chains=[Chain(id="c", mentions=("x",))])):
        with pytest.raises(MetricError, match=r"document d: a predicted region in 'f' of '(nobody|c)'"):
            metrics.region_links(gold, [bad])
    with pytest.raises(MetricError, match="iou"):
        metrics.region_links(gold, gold, 1.0)


def test_several_regions_a_frame() -> None:
    """Three people in one frame, one twice as found: each is used once, in whatever order."""
    d = Document(id="d", text=TEXT)
    people = [(0, 0, 10, 10), (12, 0, 22, 10), (24, 0, 34, 10)]
    gold = d.replace(regions=[Region(image="f", box=b, label="PER") for b in people])
    found = [*people[::-1], (0, 0, 10, 9), (12, 0, 22, 4)]
    scores = metrics.boxes([gold], [d.replace(regions=[Region(image="f", box=b, label="PER") for b in found])])
    assert (scores.correct, scores.predicted, scores.gold) == (3, 5, 3)


@settings(max_examples=100, deadline=None)
@given(seeds, st.sampled_from([(), ("peer",)]))
def test_errors_are_a_partition(seed, symmetric) -> None:
    """What is wrong, of all kinds and causes, and what is right make all predictions and all gold."""
    gold, predicted = both(seed)
    table = metrics.errors(gold, predicted, symmetric=symmetric)
    scores = metrics.documents(gold, predicted, symmetric=symmetric)
    for task in TASKS:
        s = scores.by_label[task] if task != "chains" else scores.chains
        assert (table.correct[task], table.totals[task, "predicted"], table.totals[task, "gold"]) == (
            s.correct,
            s.predicted,
            s.gold,
        )
        for side, of in (("predicted", s.predicted), ("gold", s.gold)):
            assert table.count(task, side) == of - s.correct
            kinds = [(k, c) for (t, sd, k), causes in CAUSES.items() if (t, sd) == (task, side) for c in causes]
            assert sum(table.count(task, side, k, c) for k, c in kinds) == of - s.correct
            assert table.rate(task, side) == pytest.approx(100 * (of - s.correct) / of if of else 0)
    assert {(m.task, m.side, m.kind) for m in table.mistakes} <= set(CAUSES)
    assert all(m.cause in CAUSES[m.task, m.side, m.kind] and m.what for m in table.mistakes)
    assert sum(x["count"] for x in table.lines() if x["cause"]) == len(table.mistakes)
    assert sum(x["count"] for x in table.lines() if not x["cause"]) == len(table.mistakes)


def base() -> Document:
    mentions = [Mention(id=f"m{k}", start=k, end=k + 1, label="PER") for k in range(6)]
    return Document(
        id="d",
        text=TEXT,
        mentions=mentions,
        chains=[
            Chain(id="a", mentions=("m0", "m1")),
            Chain(id="b", mentions=("m2", "m3")),
            Chain(id="c", mentions=("m4",)),
            Chain(id="e", mentions=("m5",)),
        ],
    )


def kinds(table: metrics.ErrorTable, task: str) -> list[tuple[str, str, str]]:
    return [(m.side, m.kind, m.cause) for m in table.mistakes if m.task == task]


def only(said: Sequence[tuple[str, str, str]], side: str) -> list[tuple[str, str]]:
    return [(kind, cause) for s, kind, cause in said if s == side]


def test_entities_are_sorted() -> None:
    gold = Document(
        id="d",
        text="Ada Lovelace met Bo",
        mentions=[Mention(id="a", start=0, end=12, label="PER"), Mention(id="b", start=17, end=19, label="PER")],
    )
    lost = Mention(id="z", start=0, end=0, label="PER", text="Zoe", status="unlocated")
    said = gold.replace(
        mentions=[
            Mention(id="a", start=0, end=3, label="PER"),
            lost,
            Mention(id="b", start=17, end=19, label="LOC"),
            Mention(id="c", start=13, end=16),
        ]
    )
    found = kinds(metrics.errors([gold], [said]), "entities")
    assert sorted(only(found, "predicted")) == sorted(
        [
            ("boundary", "overlaps an entity"),
            ("boundary", "no entity there"),
            ("type", "another type there"),
            ("boundary", "not in the text"),
        ]
    )
    assert only(found, "gold") == [("missed", "wrong boundary"), ("missed", "wrong type")]
    assert only(kinds(metrics.errors([gold], []), "entities"), "gold") == [("missed", "not found")] * 2
    assert metrics.errors([gold], [said]).mistakes[0].what == "Ada (PER) at 0:3"


@pytest.mark.parametrize(
    "chains, predicted, gold",
    [
        ([("m0", "m2")], [("wrong mentions", "joins chains")], "joined with others"),
        ([("m0",)], [("mentions missing", "the rest was not found")], "mentions missing"),
        ([("m0",), ("m1",)], [("mentions missing", "the rest is in other chains")] * 2, "split"),
        ([("m0", "m1", "new")], [("wrong mentions", "some mentions are none")], "holds what is no mention"),
        ([("new",)], [("wrong mentions", "no mention is one")], "not found"),
    ],
)
def test_chains_are_sorted(chains, predicted, gold) -> None:
    """The first gold chain, of two mentions, against what was said; other mentions are as in gold or not there."""
    d = base()
    named = {m for c in chains for m in c}
    kept = [m for m in d.mentions if m.id in named]
    said = d.replace(
        mentions=[*kept, *([Mention(id="new", start=6, end=7)] if "new" in named else [])],
        chains=[Chain(id=f"x{k}", mentions=c) for k, c in enumerate(chains)],
    )
    found = kinds(metrics.errors([d], [said]), "chains")
    assert only(found, "predicted") == predicted and only(found, "gold")[0] == ("missed", gold)


@pytest.mark.parametrize(
    "said, predicted, gold",
    [
        ([("a", "b", "peer")], ("wrong type", "another type there"), "wrong type"),
        ([("b", "a", "parent")], ("false relation", "turned round"), "turned round"),
        ([("a", "c", "parent")], ("false relation", "not related"), "not answered"),
        ([("m0", "m1", "parent")], ("false relation", "both ends are one thing"), "not answered"),
        ([("a", "new", "parent")], ("false relation", "an end is no entity"), "not answered"),
        ([("a", "b", "parent"), ("m0", "b", "parent")], ("repeated", "gold has it once"), None),
        ([("a", "b", "parent"), ("a", "b", "peer")], ("wrong type", "more types than there are"), None),
    ],
)
def test_relations_are_sorted(said, predicted, gold) -> None:
    d = base().replace(relations=[Relation(head="a", tail="b", label="parent")])
    new = Mention(id="new", start=6, end=7, label="PER")
    answer = d.replace(mentions=[*d.mentions, new], relations=[Relation(head=h, tail=t, label=x) for h, t, x in said])
    found = kinds(metrics.errors([d], [answer]), "relations")
    assert only(found, "predicted") == [predicted]
    assert only(found, "gold") == ([("missed", gold)] if gold else [])


def test_relations_missed_for_their_ends() -> None:
    d = base().replace(relations=[Relation(head="a", tail="b", label="parent")])
    silent = d.replace(mentions=d.mentions[:2], chains=d.chains[:1], relations=())
    joined = d.replace(chains=[Chain(id="x", mentions=("m0", "m1", "m2", "m3"))], relations=())
    for said, cause in ((silent, "an end was not found"), (joined, "both ends in one chain")):
        assert only(kinds(metrics.errors([d], [said]), "relations"), "gold") == [("missed", cause)]
    two = d.replace(relations=[Relation(head=head, tail="b", label="parent") for head in "ac"])
    one = d.replace(
        chains=[Chain(id="x", mentions=("m0", "m4")), d.chains[1]],
        relations=[Relation(head="x", tail="b", label="parent")],
    )
    assert only(kinds(metrics.errors([two], [one]), "relations"), "gold") == [("missed", "one answer for two")]


def test_regions_are_sorted() -> None:
    d = Document(id="d", text=TEXT)

    def shows(*found: tuple[str, tuple, str]) -> Document:
        return d.replace(regions=[Region(image=i, box=b, label=x) for i, b, x in found])

    box, half, away = (0, 0, 10, 10), (0, 0, 10, 4), (50, 50, 60, 60)
    gold = shows(("f", box, "PER"))
    for said, predicted, missed in (
        (("f", box, "LOC"), ("type", "another type there"), "wrong type"),
        (("f", half, "PER"), ("boundary", "overlaps a region"), "wrong boundary"),
        (("f", away, "PER"), ("boundary", "no region there"), "not found"),
        (("g", box, "PER"), ("boundary", "no region in the image"), "not found"),
    ):
        found = kinds(metrics.errors([gold], [shows(said)]), "regions")
        assert (only(found, "predicted"), only(found, "gold")) == ([predicted], [("missed", missed)])
    twice = metrics.errors([gold], [shows(("f", box, "PER"), ("f", box, "PER"))])
    assert kinds(twice, "regions") == [("predicted", "repeated", "gold has it once")]
    assert twice.rate("regions", "predicted", "repeated") == 50
    other = metrics.errors([shows(("f", box, "PER"), ("f", box, "PER"))], [gold])
    assert kinds(other, "regions") == [("gold", "missed", "one box for two")]


def test_score_prints_documents_and_errors(tmp_path) -> None:
    rng = random.Random(5)
    gold = [made(rng, f"d{k}") for k in range(6)]
    predicted = [made(rng, d.id, "p") for d in gold]
    for name, side in (("gold", gold), ("predicted", predicted)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(d.to_json() for d in side), encoding="utf8")
    command = ["score", str(tmp_path / "gold.jsonl"), str(tmp_path / "predicted.jsonl"), "--task", "document"]
    shown = CliRunner().invoke(app, [*command, "--bootstrap", "20", "--errors"])
    assert shown.exit_code == 0, shown.output
    assert all(word in shown.output for word in ("document", "CEAF phi4", "region links", "joins chains", "% of all"))
    shown = CliRunner().invoke(app, [*command[:3], "--task", "ner", "--bootstrap", "0", "--errors"])
    assert "no entity there" in shown.output and "joins chains" not in shown.output
    data = json.loads(CliRunner().invoke(app, [*command, "--bootstrap", "0", "--errors", "--format", "json"]).stdout)
    gold, predicted, notes = comparable(gold, predicted, "document")  # these made-up spans cut words, which is told
    assert "cut words" in shown.output and any("cut words" in note.found for note in notes)
    table = metrics.errors(gold, predicted)
    assert data["errors"] == table.lines()
    assert data["scores"][0]["f1"] == pytest.approx(metrics.documents(gold, predicted).mean)
    names = list(metrics.score(gold, predicted, "document", bootstrap=0))
    directions = ["directed relations", "undirected relations"]
    assert names == ["document", *TASKS, *directions, "region links", "chains as_released", "relations as_released"]


def test_means_of_fewer_tasks_have_other_names() -> None:
    rng = random.Random(6)
    gold = [made(rng, f"d{k}") for k in range(6)]
    blind = [d.replace(regions=()) for d in gold]
    assert metrics.documents(gold, gold).name() == "document"
    assert metrics.documents(gold, gold).name("own") == "own"
    assert metrics.documents(blind, blind).name() == "document (entities, chains, relations)"
    assert next(iter(metrics.score(blind, blind, "document", bootstrap=0))) == "document (entities, chains, relations)"
    bare = [d.replace(regions=(), relations=(), chains=(), mentions=()) for d in gold]
    assert metrics.documents(bare, bare).name() == "document (no task)"


def test_a_region_link_with_another_label_is_wrong() -> None:
    d = Document(id="d", text=TEXT, mentions=[Mention(id="m", start=0, end=1, label="PER")])
    gold, other = (d.replace(regions=[Region(image="f", box=(0, 0, 9, 9), label=x, of="m")]) for x in ("PER", "LOC"))
    assert metrics.region_links([gold], [gold]).correct == 1
    found = metrics.region_links([gold], [other])
    assert (found.correct, found.predicted, found.gold) == (0, 1, 1)
