"""Cohen's kappa against scikit-learn on units listed one by one; differences, written and decided; and resolved."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from itertools import combinations, permutations
from math import isnan
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from openmie.annotation import agreement as measures
from openmie.annotation.adjudication_file import Disagreement, write
from openmie.annotation.agreement import agreement, apply_decisions, kappa, read_decisions, resolve
from openmie.data.document import Chain, Document, Image, Mention, Region, Relation
from openmie.errors import MetricError
from tests.fixtures import oracles

TEXT = "ab cd ef gh ij kl"
KINDS = ("PER", "LOC")
LABELS = ("peer", "parent")


def made(rng: random.Random, id: str = "d", prefix: str = "", words: bool = True) -> Document:
    """A document of mentions on words, chains of them, relations between chains, boxes that are apart or the same."""
    starts = sorted(rng.sample(range(0, 18, 3), rng.randint(0, 6)))
    mentions = [Mention(id=f"{prefix}m{a}", start=a, end=a + 2, label=rng.choice(KINDS)) for a in starts]
    of = {m.id: rng.randint(0, 2) for m in mentions}
    chains = [
        Chain(id=f"{prefix}c{c}", label="thing", mentions=tuple(m for m in of if of[m] == c))
        for c in sorted(set(of.values()))
    ]
    ends = [c.id for c in chains]
    relations = {
        (h, t): Relation(head=h, tail=t, label=rng.choice(LABELS))
        for h, t in permutations(ends, 2)
        if rng.random() < 0.4
    }
    regions = [
        Region(
            image="f",
            box=(20 * x, 0, 20 * x + 10 + rng.randint(0, 1), 10),
            label=rng.choice(KINDS),
            of=rng.choice(["", *ends]),
        )
        for x in rng.sample(range(4), rng.randint(0, 3))
    ]
    base = Document(id=id, text=TEXT, words=TEXT.split(" ") if words else (), images=[Image(id="f", kind="frame")])
    return base.replace(mentions=mentions, chains=chains, relations=list(relations.values()), regions=regions)


def annotated(seed: int, n: int = 3) -> tuple[list[Document], list[Document]]:
    rng = random.Random(seed)
    a = [made(rng, f"d{k}", words=k % 2 == 0) for k in range(n)]
    return a, [made(rng, d.id, "b", bool(d.words)) if rng.random() < 0.7 else d for d in a]


def spans(d: Document) -> dict[tuple[int, int], str]:
    return {(m.start, m.end): m.label for m in d.mentions}


def owners(d: Document) -> dict[tuple[int, int], frozenset]:
    of = {}
    for c in d.chains:
        members = frozenset((d.find(m).start, d.find(m).end) for m in c.mentions)
        of |= dict.fromkeys(members, members)
    return of


def listed(a: Document, b: Document) -> dict[str, list[tuple[str, str]]]:
    """The units of a document, one by one; documents whose things can be paired in one way only."""
    out: dict[str, list[tuple[str, str]]] = {}
    units = [(w.start, w.end) for w in a.words] or [(i, i + 1) for i in range(len(a.text))]
    out["entities"] = [
        tuple("".join(m.label for m in d.mentions if m.start < end and start < m.end) for d in (a, b))
        for start, end in units
    ]
    one, other = spans(a), spans(b)
    in_a, in_b = owners(a), owners(b)
    out["chains"] = [
        (str(in_a[x] is in_a[y] or in_a[x] == in_a[y]), str(in_b[x] == in_b[y]))
        for x, y in combinations(sorted(one.keys() & other.keys()), 2)
    ]
    return out


seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_kappa_is_that_of_sklearn_on_units_listed_one_by_one(seed) -> None:
    a, b = annotated(seed)
    found = agreement(a, b)
    units: dict[str, list] = {}
    for one, other in zip(a, b):
        for layer, rows in listed(one, other).items():
            units.setdefault(layer, []).extend(rows)
    for layer, rows in units.items():
        k = found.layers[layer]
        assert k.n == len(rows)
        if rows:
            assert k.observed == pytest.approx(sum(x == y for x, y in rows) / len(rows))
        if len({x for row in rows for x in row}) > 1:
            assert k.kappa == pytest.approx(100 * cohen_kappa_score(*zip(*rows)))
            assert found.kappa[layer] == k.kappa and -100 - 1e-9 <= k.kappa <= 100 + 1e-9
        else:
            assert isnan(k.kappa)
    known = [k for x in ("entities", "chains", "relations", "boxes") if not isnan(k := found.layers[x].kappa)]
    assert found.kappa["overall"] == pytest.approx(sum(known) / len(known)) if known else True


def within(groups: dict) -> tuple[int, float, float]:
    """Units, agreement and chance of groups of (agreement of a unit, of every answer of A with every one of B)."""
    n = sum(len(same) for same, _ in groups.values())
    return n, sum(sum(same) for same, _ in groups.values()) / n, sum(len(s) * every for s, every in groups.values()) / n


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_units_of_spans_and_boxes_are_all_that_could_be_marked(seed) -> None:
    a, b = annotated(seed)
    found, longest = agreement(a, b), 0
    units = [[(w.start, w.end) for w in d.words] or [(i, i + 1) for i in range(len(TEXT))] for d in a]
    for d, e, words in zip(a, b, units):
        for start, end in {*spans(d), *spans(e)}:
            longest = max(longest, [w[1] for w in words].index(end) - [w[0] for w in words].index(start) + 1)
    groups = {}
    for length in range(1, longest + 1):
        runs = [(k, (w[i][0], w[i + length - 1][1])) for k, w in enumerate(units) for i in range(len(w) - length + 1)]
        said = [[spans(x[k]).get(s, "") for k, s in runs] for x in (a, b)]
        every = sum(x == y for x in said[0] for y in said[1]) / len(runs) ** 2
        groups[length] = [x == y for x, y in zip(*said)], every
    if groups:
        k = found.layers["spans"]
        assert (k.n, k.observed, k.expected) == pytest.approx(within(groups))
    drawn = [
        {(r.label, d.id): [x.box for x in d.regions if x.label == r.label] for d in x for r in d.regions}
        for x in (a, b)
    ]
    groups = {}
    for label in {key[0] for x in drawn for key in x}:
        frames = [[x.get((label, d.id), []) for d in a] for x in drawn]  # one frame a document
        groups[label] = [dice(x, y) for x, y in zip(*frames)], sum(dice(x, y) for x in frames[0] for y in frames[1]) / 9
    if groups:
        k = found.layers["boxes"]
        assert (k.n, k.observed, k.expected) == pytest.approx(within(groups))


def dice(a: list, b: list) -> float:
    """Twice the most pairs of boxes above an IoU of 0.5, by the number of boxes; these are apart or the same."""
    return 2 * sum(oracles.box_iou(x, y) > 0.5 for x in a for y in b) / (len(a) + len(b)) if a or b else 1.0


# --- simulated annotators: each marks what is there with probability r, else what it would mark of another document, so
#     that two of them agree beyond chance on r * r of the units.

RATES = {"PER": 0.4, "LOC": 0.1, "ORG": 0.02}


def drawn_at_random(rng: random.Random) -> dict[str, list[tuple[int, ...]]]:
    found: dict[str, list[tuple[int, ...]]] = {}
    for label, rate in RATES.items():
        corners = [
            (rng.randint(0, 150), rng.randint(0, 150)) for _ in range(rng.choice((1, 1, 2)) * (rng.random() < rate))
        ]
        found[label] = [(x, y, x + rng.randint(20, 90), y + rng.randint(20, 90)) for x, y in corners]
    return found


def spans_at_random(rng: random.Random) -> dict[int, tuple[int, int, str]]:
    """Block of ten words -> first word, number of words, label of a span in it."""
    found = {}
    for block in range(0, 100, 10):
        n = rng.choice((1, 1, 1, 2, 3))
        start = block + rng.randint(0, 10 - n)
        found[block] = start, n, rng.choice(("PER", "PER", "LOC"))
    return {x: span for x, span in found.items() if rng.random() < 0.7}


def simulated(rng: random.Random, truth: list, reliability: float) -> list[Document]:
    documents = []
    for k, (frames, marked) in enumerate(truth):
        seen = []
        for frame in frames:
            other = drawn_at_random(rng)
            seen.append(
                {
                    x: [tuple(v + rng.randint(-1, 1) for v in box) for box in frame[x]]
                    if rng.random() < reliability
                    else other[x]
                    for x in frame
                }
            )
        other = spans_at_random(rng)
        kept = {x: (marked if rng.random() < reliability else other).get(x) for x in range(0, 100, 10)}
        found = [x for x in kept.values() if x]
        documents.append(
            Document(
                id=f"d{k}",
                text=" ".join(["ab"] * 100),
                words=["ab"] * 100,
                images=[Image(id=f"f{n}", kind="frame") for n in range(len(frames))],
                regions=[Region(image=f"f{n}", box=b, label=x) for n, f in enumerate(seen) for x in f for b in f[x]],
                mentions=[Mention(id=f"m{x}", start=3 * x, end=3 * (x + n) - 1, label=label) for x, n, label in found],
            )
        )
    return documents


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_kappa_of_simulated_annotators_is_what_they_are_worth(seed) -> None:
    rng = random.Random(seed)
    truth = [([drawn_at_random(rng) for _ in range(12)], spans_at_random(rng)) for _ in range(120)]
    rng, reliabilities = random.Random(seed), (0.0, 0.3, 0.5, 0.7, 0.9, 1.0)
    found = [agreement(*(simulated(rng, truth, r) for _ in "AB")).kappa for r in reliabilities]
    for layer in ("boxes", "spans", "entities"):
        worth = [kappa[layer] for kappa in found]
        assert worth == pytest.approx([100 * r**2 for r in reliabilities], abs=5.0), layer
        assert worth == sorted(worth) and worth[-1] == pytest.approx(100)


def test_two_good_annotators_of_boxes_are_good() -> None:
    """Of 100 frames with one box in every second, both annotators draw all but one of these alike."""
    frames = [Image(id=f"f{n}", kind="frame") for n in range(100)]
    a = Document(
        id="d", images=frames, regions=[Region(image=f"f{n}", box=(0, 0, 9, 9), label="PER") for n in range(0, 100, 2)]
    )
    b = a.replace(regions=a.regions[1:])
    found = agreement([a], [b])
    assert (found.layers["boxes"].n, found.layers["boxes"].observed) == (100, 0.99)
    assert found.kappa["boxes"] == pytest.approx(98.0) and found.kappa["overall"] == found.kappa["boxes"]
    none = agreement([a], [a.replace(regions=())])
    assert none.kappa["boxes"] == pytest.approx(0.0)  # who draws nothing agrees by chance alone


def test_kinds_that_nobody_marked_and_links_that_nobody_makes_count_for_nothing() -> None:
    a, b = pair()
    found = agreement([a], [b])
    assert found.layers["links"].n == 1 and found.layers["links"].observed == 0
    bare = [d.replace(regions=[r.model_copy(update={"of": ""}) for r in d.regions]) for d in (a, b)]
    assert "links" not in agreement(bare[:1], bare[1:]).kappa
    unlocated = a.replace(
        mentions=[*a.mentions, Mention(id="u", start=0, end=0, label="PER", text="zz", status="unlocated")]
    )
    inside = a.replace(mentions=[*a.mentions, Mention(id="u", start=9, end=10, label="PER", text="g")])
    for d in (unlocated, inside):  # neither is a run of words: one unit more
        assert agreement([a], [d]).layers["spans"].n == agreement([a], [a]).layers["spans"].n + 1


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_relations_of_annotators_with_the_same_chains(seed) -> None:
    """Where both have the same things, units are their ordered pairs."""
    rng = random.Random(seed)
    a = made(rng)
    ends = [c.id for c in a.chains]
    b = a.replace(
        relations=[
            Relation(head=h, tail=t, label=rng.choice(LABELS)) for h, t in permutations(ends, 2) if rng.random() < 0.5
        ]
    )
    said = [{(r.head, r.tail): r.label for r in d.relations} for d in (a, b)]
    rows = [tuple(s.get(pair, "") for s in said) for pair in permutations(ends, 2)]
    k = agreement([a], [b]).layers["relations"]
    assert k.n == len(rows) and (not rows or k.observed == sum(x == y for x, y in rows) / len(rows))
    if len({x for row in rows for x in row}) > 1:
        assert k.kappa == pytest.approx(100 * cohen_kappa_score(*zip(*rows)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=40))
def test_kappa_of_tables(rows) -> None:
    from collections import Counter

    ours = kappa(Counter(rows))
    turned = kappa(Counter((y, x) for x, y in rows))
    assert ours.n == len(rows) and ours.observed == turned.observed and ours.expected == pytest.approx(turned.expected)
    if len({x for row in rows for x in row}) > 1:
        assert ours.kappa == pytest.approx(100 * cohen_kappa_score(*zip(*rows)))


def test_by_hand() -> None:
    """Cohen's own kind of example: 20 of 25 yes, 15 of 25 no, by one; 0.7 observed, 0.5 by chance."""
    found = kappa({("yes", "yes"): 20, ("yes", "no"): 5, ("no", "yes"): 10, ("no", "no"): 15})
    assert (found.n, found.observed, found.expected, found.kappa) == (50, 0.7, 0.5, pytest.approx(40))
    assert isnan(kappa({}).kappa) and isnan(kappa({("a", "a"): 3}).kappa)
    a, _ = annotated(3)
    same = agreement(a, a)
    assert same.disagreements == () and all(isnan(k) or k == pytest.approx(100) for k in same.kappa.values())
    assert agreement([], []).kappa.keys() == {"overall"}


def test_symmetric_labels_and_ends_that_are_mentions() -> None:
    mentions = [Mention(id=f"m{k}", start=3 * k, end=3 * k + 2) for k in range(3)]
    d = Document(id="d", text=TEXT, mentions=mentions)
    a, b = (d.replace(relations=[Relation(head=h, tail=t, label="peer")]) for h, t in (("m0", "m1"), ("m1", "m0")))
    assert len(agreement([a], [b]).disagreements) == 2
    same = agreement([a], [b], symmetric=("peer",))
    assert same.disagreements == () and same.layers["relations"].n == 6
    assert same.kappa["relations"] == pytest.approx(100)
    (kept,) = resolve([b], [a], [], symmetric=("peer",))
    assert [(r.head, r.tail) for r in kept.relations] == [("m1", "m0")]
    none = agreement([a], [d.replace(relations=[Relation(head="m0", tail="m1", label="None")])])
    assert [(x.layer, x.what, x.a, x.b) for x in none.disagreements] == [
        ("relations", "ab at 0..2 -> cd at 3..5", "peer", "(none)")
    ]


# --- resolving -------------------------------------------------------------------------------------------------------


def meaning(d: Document) -> tuple:
    """What a document says, whatever the ids."""

    def places(id: str) -> frozenset:
        found = d.find(id)
        ids = found.mentions if isinstance(found, Chain) else (id,)
        return frozenset((d.find(m).start, d.find(m).end) for m in ids) if id else frozenset()

    return (
        {(m.start, m.end, m.label) for m in d.mentions},
        {places(c.id) for c in d.chains},
        {(places(r.head), places(r.tail), r.label) for r in d.relations},
        {(r.image, r.box, r.label, places(r.of)) for r in d.regions},
    )


@settings(max_examples=80, deadline=None)
@given(seeds)
def test_all_decided_for_one_is_what_that_one_said(seed) -> None:
    a, b = annotated(seed)
    found = agreement(a, b).disagreements
    for side, documents in (("a", a), ("b", b)):
        kept = list(resolve(a, b, [replace(x, decision=side) for x in found]))
        for made_, said in zip(kept, documents):
            spans_, chains, relations, regions = meaning(made_)
            want = meaning(said)
            assert (spans_, chains, relations) == want[:3] and not made_.errors
            loose = {(i, x, of) for i, _, x, of in regions}  # agreed boxes are A's, to the pixel
            assert loose == {(i, x, of) for i, _, x, of in want[3]} and (side == "b" or regions == want[3])
            assert made_.dangling() == [] and not made_.errors
    assert [meaning(d) for d in resolve(a, b, [], undecided="a")] == [meaning(d) for d in a]
    assert [d.model_dump() for d in resolve(a, a, [])] == [d.model_dump() for d in apply_decisions(a, a, [])]


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_any_decisions_can_be_carried_out(seed) -> None:
    """Documents stay whole, agreed things stay, and once it is resolved nobody differs from it where it was decided."""
    a, b = annotated(seed)
    rng = random.Random(seed)
    found = [
        replace(
            x,
            decision=rng.choice(
                ["a", "b"]
                if x.layer == "chains"
                else ["a", "b", "none", "label: NEW"]
                if x.layer != "links"
                else ["a", "b", "none"]
            ),
        )
        for x in agreement(a, b).disagreements
    ]
    for made_, one, other in zip(resolve(a, b, found), a, b):
        assert made_.dangling() == []
        agreed = {(*s, x) for s, x in spans(one).items() if spans(other).get(s) == x}
        assert agreed <= {(m.start, m.end, m.label) for m in made_.mentions}
        assert made_.text == one.text and made_.images == one.images
        assert len({m for c in made_.chains for m in c.mentions}) == sum(len(c.mentions) for c in made_.chains)


def decided(a: Document, b: Document, **words: str) -> Document:
    """Every disagreement of a layer decided by its word."""
    found = agreement([a], [b]).disagreements
    (made_,) = resolve([a], [b], [replace(x, decision=words[x.layer]) for x in found])
    return made_


def pair() -> tuple[Document, Document]:
    d = Document(id="d", text=TEXT, words=TEXT.split(" "), images=[Image(id="f 1", kind="frame")], summary="s")
    a = d.replace(
        mentions=[Mention(id=f"m{k}", start=3 * k, end=3 * k + 2, label="PER") for k in (0, 1, 2)],
        chains=[Chain(id="one", mentions=("m0", "m1"), label="PER"), Chain(id="two", mentions=("m2",), label="PER")],
        relations=[Relation(head="one", tail="two", label="peer")],
        regions=[Region(image="f 1", box=(0, 0, 10, 10), label="PER", of="one")],
    )
    b = d.replace(
        mentions=[
            Mention(id=f"m{k}", start=3 * k, end=3 * k + 2, label="LOC" if k == 1 else "PER") for k in (0, 1, 2, 3)
        ],
        chains=[Chain(id="one", mentions=("m0",)), Chain(id="two", mentions=("m1", "m2", "m3"))],
        relations=[Relation(head="two", tail="one", label="parent")],
        regions=[
            Region(image="f 1", box=(0, 0, 10, 9), label="LOC", of="two"),
            Region(image="f 1", box=(50, 0, 60, 9), label="LOC"),
        ],
    )
    return a, b


def test_differences_are_named_and_decided() -> None:
    a, b = pair()
    found = agreement([a], [b]).disagreements
    assert [(x.layer, x.where, x.what, x.a, x.b) for x in found] == [
        ("spans", "3..5", "cd", "PER", "LOC"),
        ("spans", "9..11", "gh", "(none)", "PER"),
        ("chains", "0..2", "", "ab 0..2, cd 3..5 | ef 6..8", "ab 0..2 | cd 3..5, ef 6..8"),
        ("relations", "0..2/0..2 > 6..8/3..5", "ab at 0..2 -> ef at 6..8", "peer", "(none)"),
        ("relations", "6..8/3..5 > 0..2/0..2", "ef at 6..8 -> ab at 0..2", "(none)", "parent"),
        ("boxes", "f 1 1/1", "", "PER at 0, 0, 10, 10", "LOC at 0, 0, 10, 9"),
        ("boxes", "f 1 x/2", "", "(none)", "LOC at 50, 0, 60, 9"),
        ("links", "f 1 1/1", "PER", "ab at 0..2", "ef at 6..8"),
    ]
    made_ = decided(a, b, spans="label: ORG", chains="b", relations="label: x+y", boxes="label: DOG", links="a")
    assert [(m.id, m.start, m.label) for m in made_.mentions] == [
        ("m0", 0, "PER"),
        ("m1", 3, "ORG"),
        ("m2", 6, "PER"),
        ("m3", 9, "ORG"),
    ]
    assert [(c.mentions, c.label) for c in made_.chains] == [(("m0",), "PER"), (("m1", "m2", "m3"), "PER")]
    assert {r.label for r in made_.relations} == {"x", "y"} and len(made_.relations) == 4
    assert [(r.box, r.label, r.of) for r in made_.regions] == [
        ((0, 0, 10, 10), "DOG", made_.chains[0].id),
        ((50, 0, 60, 9), "DOG", ""),
    ]
    assert made_.summary == "s" and made_.errors == ()


def test_what_loses_its_mentions_is_named() -> None:
    a, b = pair()
    lonely = b.replace(mentions=[b.mentions[0]], chains=[Chain(id="one", mentions=("m0",))], relations=(), regions=())
    made_ = decided(a, lonely, spans="b", chains="a", relations="a", boxes="a", links="a")
    assert [m.start for m in made_.mentions] == [0] and made_.relations == ()
    assert "relation 'peer'" in made_.errors[0].found and made_.errors[0].where == "document d"
    assert [r.of for r in made_.regions] == [made_.chains[0].id]
    gone = decided(
        a.replace(regions=[Region(image="f 1", box=(0, 0, 9, 9), of="two")]),
        lonely,
        spans="b",
        chains="a",
        relations="b",
        boxes="a",
        links="a",
    )
    assert gone.regions[0].of == "" and "what region f 1 1/x shows" in gone.errors[0].found


def test_a_mention_that_only_one_marked_goes_where_its_chain_went() -> None:
    a, b = pair()
    made_ = decided(a, b, spans="b", chains="a", relations="a", boxes="a", links="a")
    assert meaning(made_)[1] == {frozenset({(0, 2), (3, 5), (9, 11)}), frozenset({(6, 8)})}  # one each: the first


@pytest.mark.parametrize("name", ["d.csv", "d.json"])
def test_files_round_trip(tmp_path: Path, name: str) -> None:
    a, b = annotated(11, 5)
    found = agreement(a, b)
    assert found.disagreements and found.write(tmp_path / name) == len(found.disagreements)
    assert read_decisions(tmp_path / name) == list(found.disagreements)
    assert not list(tmp_path.glob("*.tmp"))


cells = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("'=+-@\t\n\r ,;\""), max_size=12)


@settings(max_examples=80, deadline=None)
@given(cells, cells, cells, st.sampled_from(["csv", "json"]))
def test_any_text_round_trips(tmp_path_factory, what, a, note, kind) -> None:
    path = tmp_path_factory.getbasetemp() / f"cells.{kind}"
    row = Disagreement(document="=1+1", layer="spans", where="0..2", what=what, a=a, b="'=x", decision="A ", note=note)
    write([row], path)
    assert read_decisions(path) == [row]
    if kind == "csv":
        assert path.read_bytes().startswith(b"\xef\xbb\xbf") and b'"=1+1"' not in path.read_bytes()


def test_spreadsheets_may_change_the_file(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("Decision;where;document;layer;mine\r\nB;3..5;d;spans;x\r\n;;;;\r\nLabel: ORG;9..11;d;spans;\r\n")
    assert [(d.where, d.parsed_decision()) for d in read_decisions(path)] == [
        ("3..5", ("b", "")),
        ("9..11", ("label", "ORG")),
    ]


@pytest.mark.parametrize(
    "text, match",
    [
        ("document,layer,where\nd,spans,0..2\n", "0 columns 'decision'"),
        (
            "document,layer,where,decision\nd,spans,0..2,maybe\n",
            "row 2: decision 'maybe' on spans. Expected a or b",
        ),
        ("document,layer,where,decision\nd,chains,0..2,none\n", "decision 'none' on chains. Expected a or b"),
        ("document,layer,where,decision\nd,links,0..2,label: X\n", "decision 'label: X' on links"),
        ("document,layer,where,decision\nd,words,0..2,a\n", "Expected a layer of spans"),
        ("document,layer,where,decision\nd,spans,0..2,label:\n", "decision 'label:'"),
        ("document,layer,where,decision\nd,spans,0..2,a\nd,spans,0..2,b\n", "rows 2 and 3: two rows"),
        ("document,layer,where,decision\nd,spans\n", "2 cells in row 2"),
        ('document,layer,where,decision\n"d,spans,0..2,a\n', "d.csv: "),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "d.csv"
    path.write_text(text)
    with pytest.raises(MetricError, match=match):
        read_decisions(path)


def test_other_files_that_cannot_be_read(tmp_path: Path) -> None:
    for name, data in (("d.json", b'{"document": 1}'), ("e.json", b"[["), ("f.csv", "dé".encode("latin-1"))):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(MetricError, match="UTF-8 CSV or JSON"):
            read_decisions(tmp_path / name)
    with pytest.raises(MetricError, match="half a character"):
        write([Disagreement(document="\ud800", layer="spans", where="x")], tmp_path / "g.csv")
    assert json.loads(b"[]") == [] and not (tmp_path / "g.csv").exists()


def test_refusals() -> None:
    a, b = pair()
    found = [replace(x, decision="a") for x in agreement([a], [b]).disagreements]
    cases = [
        (lambda: agreement([a], []), "1 documents that annotator B lacks, the first 'd'"),
        (lambda: agreement([], [b]), "annotator A lacks"),
        (lambda: agreement([a, a], [b]), "Id 'd' twice from annotator A"),
        (lambda: agreement([a], [Document(id="d", text="other")]), "document d: another text"),
        (lambda: agreement([a], [b.replace(words=())]), "document d: other words"),
        (
            lambda: agreement([a.replace(chains=[Chain(id="c", mentions=("no",))])], [b]),
            "chain 'c' of annotator A with 'no'",
        ),
        (
            lambda: agreement([a], [b.replace(relations=[Relation(head="no", tail="one", label="x")])]),
            "a relation of annotator B with 'no'",
        ),
        (lambda: resolve([a], [b], found[1:]), "1 disagreements without a decision"),
        (lambda: resolve([a], [b], [*found, found[0]]), "two decisions on spans 3..5"),
        (lambda: resolve([a], [b], [*found, replace(found[0], where="1..2")]), "do not differ in"),
        (lambda: resolve([a], [b], [], undecided="c"), "undecided='c'"),
    ]
    for call, match in cases:
        with pytest.raises(MetricError, match=match):
            call()
    assert meaning(next(iter(resolve([a], [b], found[1:], undecided="b"))))[0] == meaning(a)[0] - {(3, 5, "PER")} | {
        (3, 5, "LOC")
    }
    assert measures.agreement is agreement
