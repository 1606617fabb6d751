"""Segments of long documents: every word is an own one once, and a document goes through its segments and back."""

from itertools import pairwise

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openmie.data.document import Chain, Document, Mention, Region, Relation
from openmie.data.segments import cut, joined, part


def post(lengths, names=(), **layers):
    document = Document.from_words("d", ["w" * n for n in lengths], **layers)
    mentions = [
        Mention(id=f"m{i}", start=document.words[a].start, end=document.words[b].end, label="PER")
        for i, (a, b) in enumerate(names)
    ]
    return document.replace(mentions=tuple(mentions))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(1, 40), max_size=120), st.integers(8, 60), st.integers(0, 12))
@example([25, 33], 8, 0)  # the middle lies in the first word
def test_every_word_is_an_own_word_of_one_segment(lengths, most, overlap):
    document = post(lengths)
    found = cut(document, most, overlap)
    own = [w for s in found for w in range(*s.own)]
    assert own == list(range(len(lengths)))
    assert all(s.words[0] <= s.own[0] <= s.own[1] <= s.words[1] for s in found)
    size = np.array([1 + (n - 1) // 8 for n in lengths])
    for s in found if len(found) > 1 else ():
        assert size[s.words[0] : s.own[0]].sum() <= overlap and size[s.own[1] : s.words[1]].sum() <= overlap
        assert size[slice(*s.own)].sum() <= max(most - 2 * overlap, 1) + 2 * size.max()
    assert (len(found) == 1) == (size.sum() <= most or len(lengths) < 2)


@settings(max_examples=100, deadline=None)
@given(st.integers(30, 90), st.data())
def test_gold_of_segments_put_together_is_the_gold_of_the_document(n, data):
    starts = sorted(data.draw(st.sets(st.integers(0, n - 3), max_size=15)))
    names = [(a, min(a + 1, b - 1)) for a, b in zip(starts, [*starts[1:], n])]
    document = post([3] * n, names)
    ids = [m.id for m in document.mentions]
    near = [(a, b) for a, b in pairwise(ids) if abs(names[int(a[1:])][0] - names[int(b[1:])][0]) <= 4]
    document = document.replace(
        relations=tuple(Relation(head=b, tail=a, label="knows", score=0.5) for a, b in near),
        chains=tuple(Chain(id=f"c{k}", mentions=pair, label="PER") for k, pair in enumerate(near[::2])),
    )
    segments = cut(document, 24, 8)
    again = joined(document, segments, [part(document, s) for s in segments])
    assert again.mentions == document.mentions and set(again.relations) == set(document.relations)
    kept = {frozenset(c.mentions) for c in again.chains}
    assert kept == {frozenset(c.mentions) for c in document.chains}
    given_ones = joined(
        document, segments, [part(document, s) for s in segments], mentions_given=True, chains_given=True
    )
    assert given_ones.mentions == document.mentions
    assert {c.id: set(c.mentions) for c in given_ones.chains} == {c.id: set(c.mentions) for c in document.chains}


def test_chains_that_share_a_mention_of_two_segments_are_one():
    document = post([2] * 40, [(2, 2), (15, 15), (21, 21), (37, 37)])
    segments = cut(document, 30, 6)
    assert len(segments) == 3
    found = [part(document, s) for s in segments]
    found = [d.replace(chains=(Chain(id="c0", mentions=tuple(m.id for m in d.mentions)),)) for d in found]
    (chain,) = joined(document, segments, found).chains
    assert set(chain.mentions) == {m.id for m in document.mentions}


def test_a_mention_that_the_next_segment_reads_longer_is_named_once():
    document = post([1] * 40)
    segments = cut(document, 22, 4)
    border = document.words[segments[0].own[1] - 1].start
    found = []
    for s in segments:
        one = part(document, s)
        shift = document.words[s.words[0]].start
        inside = shift <= border and border + 3 <= shift + len(one.text)
        name = Mention(id="m0", start=border - shift, end=border - shift + 3, label="X") if inside else None
        later = Mention(id="m1", start=border + 2 - shift, end=border + 5 - shift, label="X") if inside else None
        names = [name] if s == segments[0] else [later] if later else []
        found.append(one.replace(mentions=tuple(m for m in names if m)))
    assert [(m.start, m.end) for m in joined(document, segments, found).mentions] == [(border, border + 3)]


def test_regions_are_those_of_the_first_segment_and_errors_of_all():
    document = post([1] * 40, [(0, 0)])
    segments = cut(document, 22, 4)
    found = [part(document, s) for s in segments]
    seen = Region(image="main", box=(0, 0, 1, 1), label="PER")
    found = [
        d.replace(regions=(seen.model_copy(update={"of": d.mentions[0].id if d.mentions else ""}),)) for d in found
    ]
    whole = joined(document, segments, found)
    assert [(r.box, r.of) for r in whole.regions] == [((0, 0, 1, 1), "m0")]
