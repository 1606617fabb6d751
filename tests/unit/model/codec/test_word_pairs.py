"""The word-pair codec: what goes in comes out, what cannot is listed, any grid can be read; the released scheme."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openmie.data.document import Chain, Document, Mention, Relation
from openmie.errors import DocumentError
from openmie.model.codec.word_pairs import encode_batch
from openmie.model.codec.word_pairs_ceiling import Counts, ceiling
from openmie.model.codec.word_pairs_classes import class_names, facts, stack_cells
from openmie.model.codec.word_pairs_decoding import decode_batch

MENTIONS = ("loc", "org", "per")
RELATIONS = ("None", "peer", "member_of", "contain")
SYMMETRIC = ("peer",)
NAMES = class_names(MENTIONS, RELATIONS)
WORDS = ("né", "x", "日本", "🙂👍", "ab", "c", "dd", "e")
SETS: tuple[Any, Any] = (MENTIONS, RELATIONS)


def document(n: int, mentions: list[tuple[int, int, str]] = (), relations: list[tuple[int, int, str]] = ()) -> Document:
    """n words; mentions as (first word, last word, label), relations as (index of head, index of tail, label)."""
    d = Document.from_words("d", [WORDS[k % len(WORDS)] for k in range(n)])
    return d.replace(
        mentions=[
            Mention(id=f"e{k}", start=d.words[a].start, end=d.words[b].end, label=label)
            for k, (a, b, label) in enumerate(mentions)
        ],
        relations=[Relation(head=f"e{a}", tail=f"e{b}", label=label) for a, b, label in relations],
    )


def back(d: Document, cells: Any = None, scheme: str = "exact", **how: Any) -> Document:
    """The document through the cells and back."""
    if cells is None:
        cells = encode_batch([d], *SETS, scheme=scheme, symmetric=SYMMETRIC).cells[0]
    mentions, relations = decode_batch([cells], [d], *SETS, scheme=scheme, symmetric=SYMMETRIC, **how)[0]
    return d.replace(mentions=mentions, relations=relations)


def said(d: Document) -> Any:
    return facts(d.mentions, d.relations, SYMMETRIC)


@st.composite
def posts(draw: st.DrawFn, overlapping: bool = False) -> Document:
    """Documents as of JMERE: typed mentions, some of them neighbours, and relations of ordered pairs."""
    n = draw(st.integers(1, 9))
    spans: list[tuple[int, int, str]] = []
    at = 0
    while at < n and not overlapping:
        length = draw(st.integers(1, 3))
        if draw(st.booleans()):
            spans.append((at, min(at + length, n) - 1, draw(st.sampled_from(MENTIONS))))
        at += length
    for _ in range(draw(st.integers(0, 6)) if overlapping else 0):
        first = draw(st.integers(0, n - 1))
        spans.append((first, draw(st.integers(first, n - 1)), draw(st.sampled_from(MENTIONS))))
    ends = st.integers(0, max(len(spans) - 1, 0))
    links = draw(st.lists(st.tuples(ends, ends, st.sampled_from(RELATIONS)), max_size=8)) if spans else []
    return document(n, draw(st.permutations(spans)), links)


# --- exact


def test_cells_by_hand() -> None:
    d = document(6, [(0, 1, "per"), (2, 2, "per"), (4, 5, "org")], [(0, 2, "member_of"), (2, 1, "contain")])
    got = encode_batch([d], *SETS)
    per, org, member, contain = (NAMES.index(x) for x in ("per", "org", "member_of", "contain"))
    want = np.zeros((6, 6), dtype=int)
    want[0, 1] = want[2, 2] = per
    want[4, 5] = org
    want[:2, 4:] = member
    want[4:, 2] = contain
    assert (got.cells[0] == want).all() and got.dropped == ((),) and got.spurious == ((),)
    d = d.replace(relations=[Relation(head="e2", tail="e0", label="peer")])
    want[:2, 4:] = want[4:, :2] = NAMES.index("peer")
    want[4:, 2] = 0
    assert (encode_batch([d], *SETS, symmetric=SYMMETRIC).cells[0] == want).all()


def test_class_names() -> None:
    assert NAMES == ("none", "loc", "org", "per", "peer", "member_of", "contain")
    assert class_names((), ()) == ("none",)
    for wrong in ("loc", ("a", "a")):
        with pytest.raises(DocumentError, match="each once"):
            class_names(wrong, ())
        with pytest.raises(DocumentError, match="each once"):
            class_names((), wrong)
    with pytest.raises(DocumentError, match="exact or as_released"):
        class_names((), (), "nested")  # type: ignore[arg-type]


@settings(max_examples=300, deadline=None)
@given(posts())
def test_documents_come_back(d: Document) -> None:
    """All but a second relation of an ordered pair, and a relation of a mention with itself."""
    got = encode_batch([d], *SETS, symmetric=SYMMETRIC)
    wanted = said(d)
    taken = Counter((h, t) for h, t, label in wanted[1] if label not in SYMMETRIC)
    loops = {f for f in wanted[1] if f[0] == f[1]}
    listed = {id(x.what) for x in got.dropped[0]}
    held = d.replace(relations=[r for r in d.relations if id(r) not in listed])
    assert not any(isinstance(x.what, Mention) for x in got.dropped[0]) and got.spurious == ((),)
    for overlaps in (False, True):
        assert said(back(d, got.cells[0], overlaps=overlaps)) == said(held)
    room = all(n == 1 for n in taken.values()) and not loops
    undirected = {(h, t) for h, t, label in wanted[1] if label in SYMMETRIC}
    if room and all((h, t) not in taken or (t, h) not in taken for h, t in undirected):
        assert not got.dropped[0]


@settings(max_examples=200, deadline=None)
@given(posts(overlapping=True))
def test_nothing_of_overlapping_mentions_is_lost_silently(d: Document) -> None:
    """What is not listed as lost comes back; what comes back beside it is listed as made."""
    got = encode_batch([d], *SETS, symmetric=SYMMETRIC, overlaps=True)
    listed = {id(x.what) for x in got.dropped[0]}
    held = d.replace(mentions=[m for m in d.mentions if id(m) not in listed], relations=())
    made = facts(held.mentions, got.spurious[0], SYMMETRIC)[1]
    kept = facts(held.mentions, [r for r in d.relations if id(r) not in listed], SYMMETRIC)[1]
    found = said(back(d, got.cells[0], overlaps=True))
    assert found[0] == said(held)[0]
    assert found[1] == kept | made and not made & said(d)[1]
    assert all(x.why for x in got.dropped[0])


@settings(max_examples=400, deadline=None)
@given(posts() | posts(overlapping=True), st.sampled_from(("exact", "as_released")), st.booleans())
def test_what_is_reported_lost_is_what_decoding_loses(d: Document, scheme: str, overlaps: bool) -> None:
    """Reported losses are gold less decode(encode(gold)), in both schemes and both ways of reading."""
    got = encode_batch([d], *SETS, scheme=scheme, symmetric=SYMMETRIC, overlaps=overlaps)
    read, gold = said(back(d, got.cells[0], scheme, overlaps=overlaps)), said(d)
    lost = [x.what for x in got.dropped[0]]
    relations = [x for x in lost if isinstance(x, Relation)]
    assert {(m.start, m.end, m.label) for m in lost if isinstance(m, Mention)} == gold[0] - read[0]
    assert facts(d.mentions, relations, SYMMETRIC)[1] == gold[1] - read[1]
    held = d.replace(relations=[r for r in d.relations if r not in relations])
    assert said(held)[1] == gold[1] & read[1] and all(x.why for x in got.dropped[0])
    assert len({id(x) for x in lost}) == len(lost)


def test_overlapping_mentions_of_merged_posts_are_reported_one_by_one() -> None:
    """Made up after relation corpora merged by post: each row brings its own spans, of which some are parts of others.

    Read as predictions are, the first and longest of each pile stays; the rest and their relations are losses.
    """
    d = document(
        8,
        [(0, 2, "org"), (2, 2, "loc"), (1, 4, "org"), (6, 7, "per")],
        [(0, 3, "member_of"), (3, 0, "member_of"), (1, 0, "contain"), (2, 3, "contain"), (3, 1, "peer")],
    )
    got = encode_batch([d], *SETS, symmetric=SYMMETRIC)
    names = [getattr(x.what, "id", None) or (x.what.head, x.what.tail, x.what.label) for x in got.dropped[0]]
    read, gold = said(back(d, got.cells[0])), said(d)
    assert names[:2] == ["e1", "e2"] and len(gold[0] - read[0]) == 2
    assert len(names) - 2 == len(gold[1] - read[1]) == 3
    assert encode_batch([d], *SETS, symmetric=SYMMETRIC, overlaps=True).dropped == ((),)


def test_a_relation_given_up_and_read_after_all_is_not_lost() -> None:
    """The block of the long tail holds `contain`, but the only cell that is left of it says `member_of`."""
    d = document(
        3, [(1, 1, "loc"), (0, 0, "loc"), (0, 2, "loc")], [(1, 0, "member_of"), (1, 2, "contain"), (1, 2, "member_of")]
    )
    got = encode_batch([d], *SETS, symmetric=SYMMETRIC, overlaps=True)
    lost = {(x.what.head, x.what.tail, x.what.label) for x in got.dropped[0]}
    found = said(back(d, got.cells[0], overlaps=True))[1]
    assert len(lost) == 2 and len(found) == 1 and not got.spurious[0]
    assert ("e1", "e2", "member_of") not in lost


def test_nested_and_crossing_mentions() -> None:
    """`University of Rome` with its `Rome`, and two that cross, with relations among them all."""
    d = document(
        8,
        [(0, 2, "org"), (2, 2, "loc"), (1, 4, "org"), (6, 7, "per")],
        [(0, 1, "member_of"), (1, 0, "contain"), (3, 0, "member_of"), (2, 3, "contain"), (3, 1, "peer")],
    )
    got = encode_batch([d], *SETS, symmetric=SYMMETRIC, overlaps=True)
    assert got.dropped == ((),) and got.spurious == ((),)
    assert said(back(d, got.cells[0], overlaps=True)) == said(d)


def test_symmetric_relations_either_way_and_two_of_one_pair() -> None:
    sets = MENTIONS, (*RELATIONS, "couple")
    symmetric = ("peer", "couple")
    spans = [(0, 1, "per"), (3, 3, "per")]
    for links in (
        [(0, 1, "peer")],
        [(1, 0, "peer")],
        [(0, 1, "peer"), (1, 0, "peer")],
        [(0, 1, "peer"), (1, 0, "peer"), (0, 1, "couple")],
        [(1, 0, "couple"), (1, 0, "peer")],
        [(0, 1, "peer"), (0, 1, "contain")],
        [(0, 1, "peer"), (1, 0, "contain")],
        [(0, 1, "contain"), (1, 0, "contain")],
    ):
        d = document(4, spans, links)
        got = encode_batch([d], *sets, symmetric=symmetric)
        mentions, relations = decode_batch(got.cells, [d], *sets, symmetric=symmetric)[0]
        assert got.dropped == ((),), links
        assert facts(mentions, relations, symmetric) == facts(d.mentions, d.relations, symmetric)
        assert len(relations) == len(facts((), d.relations, symmetric)[1]), "a symmetric one is said once"
    d = document(4, spans, [(0, 1, "peer"), (0, 1, "contain"), (1, 0, "member_of")])
    assert [x.what.label for x in encode_batch([d], *sets, symmetric=symmetric).dropped[0]] == ["peer"]


def test_reasons() -> None:
    d = document(
        8,
        [(0, 1, "per"), (0, 1, "org"), (2, 2, "day"), (3, 4, "loc"), (0, 1, "per")],
        [
            (0, 3, "contain"),
            (0, 3, "member_of"),
            (0, 3, "rides"),
            (1, 3, "contain"),
            (0, 4, "contain"),
            (4, 3, "contain"),
            (3, 0, "None"),
        ],
    )
    half = Mention(id="half", start=d.words[6].start + 1, end=d.words[6].end, label="per")
    gone = Mention(id="gone", start=0, end=0, label="per", text="nobody", status="unlocated")
    d = d.replace(
        mentions=[*d.mentions, half, gone],
        chains=[Chain(id="c", mentions=("e0",))],
        relations=[
            *d.relations,
            Relation(head="e0", tail="c", label="contain"),
            Relation(head="e0", tail="nowhere", label="contain"),
        ],
    )
    got = encode_batch([d], *SETS)
    assert [
        (getattr(x.what, "id", None) or (x.what.head, x.what.tail, x.what.label), x.why) for x in got.dropped[0]
    ] == [
        ("e1", "its words are already held as 'per'"),
        ("e2", "its label 'day' is not in the label set"),
        ("half", "it does not begin and end where words do"),
        ("gone", "it is not located in the text"),
        (("e0", "e3", "rides"), "its label 'rides' is not in the label set"),
        (("e1", "e3", "contain"), "its head or tail is a mention that is dropped"),
        (("e0", "e4", "contain"), "its head and tail are the same words"),
        (("e0", "c", "contain"), "its head or tail is not a mention"),
        (("e0", "nowhere", "contain"), "its head or tail is not a mention"),
        (("e0", "e3", "member_of"), "its pair already holds another relation"),
    ]
    assert said(back(d, got.cells[0])) == (
        {(0, 4, "per"), (d.words[3].start, d.words[4].end, "loc")},
        {((0, 4, "per"), (d.words[3].start, d.words[4].end, "loc"), "contain")},
    )


def test_a_block_under_other_mentions_is_listed() -> None:
    """`Oslo` in `Oslo University`: from the part to the whole there is no free cell; the other way there is."""
    covered = document(3, [(0, 0, "loc"), (0, 1, "org")], [(0, 1, "contain")])
    assert "other mentions" in encode_batch([covered], *SETS, overlaps=True).dropped[0][0].why
    free = document(3, [(0, 0, "loc"), (0, 1, "org")], [(1, 0, "member_of")])
    assert not encode_batch([free], *SETS, overlaps=True).dropped[0]
    two = document(5, [(0, 0, "loc"), (1, 1, "loc"), (0, 1, "org"), (3, 4, "per")], [(0, 3, "peer"), (1, 3, "peer")])
    got = encode_batch([two], *SETS, overlaps=True)
    assert [x.what.head for x in got.dropped[0]] == ["e0", "e1"]
    assert [(r.head, r.tail) for r in got.spurious[0]] == [("e2", "e3")]


# --- reading what a model answers


def test_votes_by_hand() -> None:
    """The sum of scores decides, nothing wins only above it, the lowest id wins a tie, mention classes have no vote."""
    d = document(5)
    cells, scores = np.zeros((5, 5), dtype=int), np.full((5, 5), 0.5)
    loc, per, peer, member, contain = (NAMES.index(x) for x in ("loc", "per", "peer", "member_of", "contain"))
    cells[0, 1], cells[3, 4], scores[0, 1], scores[3, 4] = loc, per, 0.75, 0.25
    cells[:2, 3:] = [[member, member], [contain, 0]]
    scores[:2, 3:] = [[0.25, 0.25], [0.625, 0.875]]
    cells[3:, :2] = [[contain, per], [member, 0]]
    found = back(d, cells, scores=[scores])
    assert [(m.id, m.start, m.text, m.label, m.score) for m in found.mentions] == [
        ("m0", 0, "né x", "loc", 0.75),
        ("m1", 8, "🙂👍 ab", "per", 0.25),
    ]
    assert [(r.head, r.tail, r.label, r.score) for r in found.relations] == [
        ("m1", "m0", "member_of", pytest.approx(0.5 / 3))
    ]
    scores[1, 4] = 0.625
    assert [(r.head, r.label) for r in back(d, cells, scores=[scores]).relations] == [
        ("m0", "contain"),
        ("m1", "member_of"),
    ]
    cells[:2, 3:], cells[3:, :2] = peer, peer
    scores[3:, :2] = 0.9
    assert [(r.head, r.label) for r in back(d, cells, scores=[scores]).relations] == [("m1", "peer")]
    assert [(r.head, r.label, r.score) for r in back(d, cells).relations] == [("m0", "peer", None)]


def test_of_overlapping_mentions_the_surer_stays() -> None:
    d, cells, scores = document(6), np.zeros((6, 6), dtype=int), np.zeros((6, 6))
    for (a, b), label, score in (((0, 2), 1, 0.5), ((2, 3), 2, 0.75), ((3, 5), 3, 0.625), ((4, 4), 1, 0.5)):
        cells[a, b], scores[a, b] = label, score
    spans = lambda **how: [(m.text, m.label) for m in back(d, cells, **how).mentions]  # noqa: E731
    assert spans(scores=[scores]) == [("日本 🙂👍", "org"), ("ab", "loc")]
    assert spans() == [("né x 日本", "loc"), ("🙂👍 ab c", "per")]
    assert len(spans(scores=[scores], overlaps=True)) == 4


def slow_relations(cells: Any, scores: Any, spans: list[tuple[int, int]], kinds: int) -> dict[tuple[int, int], Any]:
    """Oracle: every cell of every pair, one by one."""
    out = {}
    for h, head in enumerate(spans):
        for t, tail in enumerate(spans):
            sums: Counter = Counter()
            n = 0
            for i in range(head[0], head[1] + 1):
                for j in range(tail[0], tail[1] + 1):
                    if cells[i, j] == 0 or cells[i, j] > kinds:
                        sums[int(cells[i, j])] += scores[i, j]
                        n += 1
            nothing = sums.pop(0, 0)
            if h != t and sums:
                best = min(sums, key=lambda c: (-round(sums[c], 9), c))
                if round(sums[best], 9) >= round(nothing, 9):
                    out[h, t] = NAMES[best], sums[best] / n
    return out


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 8), st.integers(0, 2**32 - 1), st.sampled_from((0.3, 0.9)))
def test_any_grid_is_read(n: int, seed: int, nothing: float) -> None:
    """Random cells, padded: valid mentions and relations always; without overlaps those of the oracle."""
    rng = np.random.default_rng(seed)
    d = document(n)
    cells = np.where(rng.random((n + 2, n + 2)) < nothing, 0, rng.integers(-1, len(NAMES), (n + 2, n + 2)))
    scores = rng.random((n + 2, n + 2))
    for scheme in ("exact", "as_released"):
        for how in ({}, {"scores": [scores]}, {"overlaps": True}, {"scores": [scores], "overlaps": True}):
            found = back(d, cells, scheme=scheme, **how)
            assert [m.id for m in found.mentions] == [f"m{k}" for k in range(len(found.mentions))]
            assert all(m.label in MENTIONS for m in found.mentions) and not found.dangling()
            assert all(r.head != r.tail and r.label in RELATIONS[1:] for r in found.relations)
            assert len({(r.head, r.tail) for r in found.relations}) == len(found.relations)
            assert all(r.score is None or 0 <= r.score <= 1 for r in (*found.relations, *found.mentions))
    found = decode_batch([cells], [d], *SETS, scores=[scores])[0]
    starts, ends = {w.start: k for k, w in enumerate(d.words)}, {w.end: k for k, w in enumerate(d.words)}
    spans = [(starts[m.start], ends[m.end]) for m in found[0]]
    want = slow_relations(cells, scores, spans, len(MENTIONS))
    got = {(int(r.head[1:]), int(r.tail[1:])): (r.label, r.score) for r in found[1]}
    assert {k: v[0] for k, v in got.items()} == {k: v[0] for k, v in want.items()}
    for k, (_, score) in want.items():
        assert got[k][1] == pytest.approx(score, abs=1e-6)


def test_many_overlapping_mentions_are_read_in_bounded_time() -> None:
    d = document(60)
    cells = np.random.default_rng(0).integers(0, len(NAMES), (60, 60))
    found = back(d, np.where(np.tri(60, k=-1, dtype=bool), 0, cells.clip(max=3)), overlaps=True)
    assert len(found.mentions) == 256


def test_decode_refuses_what_does_not_fit() -> None:
    d = document(2)
    with pytest.raises(DocumentError, match="1 grids for 2"):
        decode_batch([np.zeros((2, 2))], [d, d], *SETS)
    with pytest.raises(DocumentError, match=r"\(1, 1\) for 2 words"):
        decode_batch([np.zeros((1, 1))], [d], *SETS)
    for wrong in (len(NAMES), -2):
        with pytest.raises(DocumentError, match=f"id {wrong}"):
            decode_batch([np.array([[0, 0], [wrong, 0]])], [d], *SETS)
    with pytest.raises(DocumentError, match="2 grids"):
        decode_batch([np.zeros((2, 2))], [d], *SETS, scores=[np.zeros((2, 2))] * 2)


def test_empty_texts_empty_words_and_batches() -> None:
    assert encode_batch([], *SETS) == ([], (), ()) and decode_batch([], [], *SETS) == []
    for scheme in ("exact", "as_released"):
        got = encode_batch([Document(id="e", text="no words")], *SETS, scheme=scheme)
        assert got.cells[0].shape == (0, 0)
        assert back(Document(id="e"), np.zeros((3, 3), int), scheme=scheme).mentions == ()
    blank = Document(
        id="b", text="ab", words=((0, 1), (1, 1), (1, 2)), mentions=[Mention(id="m", start=0, end=2, label="loc")]
    )
    assert [(m.start, m.end) for m in back(blank).mentions] == [(0, 2)]
    assert back(blank, np.diag([0, 1, 0])).mentions == ()


def test_stacked_cells() -> None:
    cells = encode_batch([document(1), document(3, [(0, 2, "per")])], *SETS).cells
    out = stack_cells(cells, 4)
    assert out.shape == (2, 4, 4) and out.dtype == np.int64
    assert out[0, 0, 0] == 0 and (out[0, 1:] == -1).all() and (out[0, :, 1:] == -1).all()
    assert out[1, 0, 2] == 3 and (out[1, 3] == -1).all()
    assert stack_cells([]).shape == (0, 0, 0)


# --- as released


def slow_released(d: Document) -> tuple[set, set]:
    """Oracle: the released grid drawn and read cell by cell."""
    grid = {(i, j): 0 for i in range(len(d.words)) for j in range(i, len(d.words))}
    starts, ends = {w.start: k for k, w in enumerate(d.words)}, {w.end: k for k, w in enumerate(d.words)}
    words = {m.id: range(starts[m.start], ends[m.end] + 1) for m in d.mentions}
    labels = {m.id: m.label for m in d.mentions}
    for r in d.relations:
        if r.label == "None" or words[r.head] == words[r.tail]:
            continue
        for id in (r.head, r.tail):
            for i in words[id]:
                for j in words[id]:
                    if i <= j:
                        grid[i, j] = NAMES.index(labels[id])
        for i in words[r.head]:
            for j in words[r.tail]:
                grid[min(i, j), max(i, j)] = NAMES.index(r.label)
    found: list[list[int]] = []
    for i in range(len(d.words)):
        if 1 <= grid[i, i] <= 3:
            if found and found[-1][1] == i - 1:
                found[-1][1] = i
            else:
                found.append([i, i, grid[i, i]])
    place = [(d.words[a].start, d.words[b].end, NAMES[c]) for a, b, c in found]
    links = set()
    for x, (a, b, _) in enumerate(found):
        for y, (c, e, _) in enumerate(found):
            votes = Counter(grid[min(i, j), max(i, j)] for i in range(a, b + 1) for j in range(c, e + 1))
            named = {v: n for v, n in votes.items() if v >= 4}
            if x != y and named:
                links.add((place[x], place[y], NAMES[min(named, key=lambda v: (-named[v], v))]))
    return set(place), links


@settings(max_examples=200, deadline=None)
@given(posts() | posts(overlapping=True))
def test_the_released_scheme_is_that_of_the_oracle(d: Document) -> None:
    got = encode_batch([d], *SETS, scheme="as_released")
    found = decode_batch(got.cells, [d], *SETS, scheme="as_released")[0]
    assert facts(*found) == slow_released(d)
    lower = np.tri(len(d.words), k=-1, dtype=bool)
    assert (got.cells[0][lower] == -1).all() and (got.cells[0][~lower] >= 0).all()
    listed = {id(x.what) for x in got.dropped[0]}
    held = facts(d.mentions, [r for r in d.relations if id(r) not in listed])
    assert held[1] <= facts(*found)[1]
    assert {(m.start, m.end, m.label) for m in d.mentions if id(m) not in listed} <= facts(*found)[0]


def test_what_the_released_scheme_loses() -> None:
    """Neighbours melt, a lone mention is gone, each relation is read both ways: by hand."""
    d = document(
        8,
        [(0, 0, "per"), (1, 1, "per"), (3, 4, "org"), (6, 6, "loc")],
        [(0, 2, "member_of"), (1, 2, "contain"), (2, 3, "contain")],
    )
    found = back(d, scheme="as_released")
    assert [(m.text, m.label) for m in found.mentions] == [("né x", "per"), ("🙂👍 ab", "org"), ("dd", "loc")]
    assert [(r.head, r.tail, r.label) for r in found.relations] == [
        ("m0", "m1", "member_of"),
        ("m1", "m0", "member_of"),
        ("m1", "m2", "contain"),
        ("m2", "m1", "contain"),
    ]
    lone = document(3, [(0, 0, "per")])
    assert back(lone, scheme="as_released").mentions == ()
    assert ceiling([d, lone], *SETS, scheme="as_released") == (Counts(2, 3, 5), Counts(1, 4, 3))
    got = ceiling([d, lone], *SETS)
    assert got == (Counts(5, 5, 5), Counts(3, 3, 3)) and (got.pairs.f1, got.entities.recall) == (100, 100)
    assert Counts(1, 4, 3).precision == 25 and Counts(1, 4, 3).f1 == pytest.approx(200 / 7)
    assert Counts(0, 0, 0).f1 == Counts(0, 0, 0).precision == Counts(0, 0, 0).recall == 0
    got = encode_batch([d], *SETS, scheme="as_released")
    assert [x.what.id for x in got.dropped[0][:2]] == ["e0", "e1"] and len(got.dropped[0]) == 4
    assert [(r.head, r.tail) for r in got.spurious[0]] == [("e3", "e2")]


def test_released_scores() -> None:
    d, cells = document(4), np.zeros((4, 4), dtype=int)
    cells[0, 0] = cells[1, 1] = 1
    cells[3, 3] = 3
    cells[0, 3], cells[1, 3] = 5, 6
    scores = np.array([[0.5, 0, 0, 0.25], [0, 1, 0, 0.75], [0, 0, 0, 0], [0, 0, 0, 0.125]])
    found = back(d, cells, scheme="as_released", scores=[scores])
    assert [m.score for m in found.mentions] == [0.75, 0.125]
    assert [(r.head, r.label, r.score) for r in found.relations] == [
        ("m0", "member_of", 0.25),
        ("m1", "member_of", 0.25),
    ]
