"""Chains, links and regions as integers and back: round trips, oracles, and what is lost with a reason."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openmie.data.document import Chain, Document, Image, Mention, Region, Relation
from openmie.model.tasks.candidates import encode_candidates, with_singletons
from openmie.model.tasks.chains import decode_chains
from openmie.model.tasks.links import decode_links, encode_links
from openmie.model.tasks.regions import decode_regions, encode_regions
from tests.fixtures.chained_documents import LABELS, LINKS, documents, partition


@settings(max_examples=150, deadline=None)
@given(documents())
def test_chains_and_links_come_back(document):
    found = encode_candidates(document, LABELS)
    assert not found.dropped and sorted(found.mentions) == sorted(m.id for m in document.mentions)
    assert partition(document, found.chains) == partition(document, document.chains)
    assert list(dict.fromkeys(found.chain_of.tolist())) == list(range(len(found.chains)))  # by first mention
    links, lost = encode_links(document, found, LINKS)
    assert not lost
    mentions = [document.find(m) for m in found.mentions]
    chains, ids = decode_chains(mentions, found.chain_of.tolist(), [1.0] * len(mentions))
    assert partition(document, chains) == partition(document, document.chains)
    back = decode_links(links, links.astype(np.float32), ids, LINKS)
    inside = {c.id: frozenset(c.mentions) for c in (*chains, *document.chains)} | {
        m.id: frozenset([m.id]) for m in document.mentions
    }

    def by_place(relations):
        return {(inside[r.head], inside[r.tail], r.label) for r in relations}

    assert by_place(back) == by_place(document.relations)


@settings(max_examples=60, deadline=None)
@given(documents())
def test_a_symmetric_link_holds_both_ways_and_is_said_once(document):
    found = encode_candidates(document, LABELS)
    links, _ = encode_links(document, found, LINKS, ("peer",))
    assert (links[:, :, 2] == links[:, :, 2].T).all()
    ids = {i: c.id for i, c in enumerate(found.chains)}
    scores = np.random.default_rng(0).random(links.shape, dtype=np.float32)
    back = decode_links(links, scores, ids, LINKS, ("peer",))
    peers = [r for r in back if r.label == "peer"]
    assert len({frozenset((r.head, r.tail)) for r in peers}) == len(peers) == links[:, :, 2].sum() / 2
    for r in peers:  # said in the direction that scores higher
        a, b = found.numbers[r.head], found.numbers[r.tail]
        assert scores[a, b, 2] >= scores[b, a, 2]


def test_what_cannot_be_held_is_lost_with_its_reason():
    document = Document.from_words("d", ["Ada", "Rome", "x"]).replace(
        mentions=[
            Mention(id="a", start=0, end=3, label="PER"),
            Mention(id="b", start=4, end=8, label="ANIMAL"),
            Mention(id="c", start=0, end=0, label="PER", text="Bo", status="unlocated"),
        ],
        chains=[Chain(id="k", mentions=["c"]), Chain(id="l", mentions=["a"])],
        relations=[
            Relation(head="a", tail="c", label="peer"),
            Relation(head="l", tail="a", label="peer"),
            Relation(head="l", tail="k", label="odd"),
            Relation(head="l", tail="k", label="None"),
        ],
    )
    found = encode_candidates(document, LABELS)
    assert found.mentions == ("a",) and [c.id for c in found.chains] == ["l"]
    assert [w for w, _ in found.dropped] == ["mention b", "mention c", "chain k"]
    assert "ANIMAL" in found.dropped[0].why
    links, lost = encode_links(document, found, LINKS)
    assert not links.any() and [w for _, w in lost] == [
        "an end that is neither a located mention nor a chain of one",
        "both ends are one chain",
        "label 'odd' is not one of the recipe's",
    ]
    assert encode_candidates(Document(id="e"), LABELS).spans.shape == (0, 2)


def test_a_singletons_id_is_new():
    m = Mention(id="a", start=0, end=1)
    made = with_singletons([m], [Chain(id="a.chain", mentions=())])
    assert [c.id for c in made] == ["a.chain", "a.chain'"] and made[1].mentions == ("a",)


# -- regions

FRAMES = [
    (Image(id="f0", kind="frame"), (200, 100)),
    (Image(id="f1", kind="frame"), None),
    (Image(id="f2", kind="frame"), (64, 48)),
]
SIDES = st.tuples(*(st.floats(0, 1, allow_nan=False) for _ in range(4)))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0, 2]), SIDES, st.sampled_from(LABELS)), max_size=6))
def test_regions_come_back(rows):
    given_regions = []
    for f, (x, y, w, h), label in rows:
        width, height = FRAMES[f][1]
        box = (
            x * width / 2,
            y * height / 2,
            x * width / 2 + 1 + w * (width / 2 - 1),
            y * height / 2 + 1 + h * (height / 2 - 1),
        )
        given_regions.append(Region(image=FRAMES[f][0].id, box=box, label=label, of="k"))
    document = Document(
        id="d",
        text="a",
        mentions=[Mention(id="m", start=0, end=1)],
        regions=given_regions,
        chains=[Chain(id="k", mentions=["m"])],
    )
    found = encode_regions(document, FRAMES, LABELS, {"k": 0})
    assert not found.dropped and found.boxes.shape[0] == 3 and (found.labels >= 0).sum() == len(rows)
    assert (found.boxes >= 0).all() and (found.boxes <= 1).all()
    scores = np.ones(found.labels.shape, np.float32)
    back = decode_regions({0: FRAMES[0], 2: FRAMES[2]}, (found.boxes, found.labels, scores, found.of), LABELS, {0: "k"})
    key = [(r.image, r.label, r.of, *np.round(r.box, 2)) for r in given_regions]
    got = [(r.image, r.label, r.of, *np.round(r.box, 2)) for r in back]
    assert sorted(k[:3] for k in key) == sorted(g[:3] for g in got)
    np.testing.assert_allclose(sorted(k[3:] for k in key), sorted(g[3:] for g in got), atol=0.02)


def test_a_box_is_clipped_and_one_outside_or_of_an_unread_frame_is_lost():
    document = Document(
        id="d",
        text="a",
        mentions=[Mention(id="m", start=0, end=1, label="PER")],
        regions=[
            Region(image="f0", box=(-50, 10, 100, 90), of="m"),
            Region(image="f0", box=(300, 0, 400, 50), label="PER"),
            Region(image="f1", box=(0, 0, 5, 5), label="PER"),
            Region(image="zz", box=(0, 0, 5, 5), label="PER"),
            Region(image="f0", box=(0, 0, 9, 9), label="X"),
        ],
    )
    found = encode_regions(document, FRAMES, LABELS, {"m": 3})
    assert found.boxes[0, 0].tolist() == pytest.approx([0.25, 0.5, 0.5, 0.8])
    assert found.labels[0, 0] == 1 and found.of[0, 0] == 3  # the label of what it shows
    assert [w.split()[1] for w, _ in found.dropped] == ["1", "2", "3", "4"]
    outside = np.array([[[1.5, 0.5, 0.2, 0.2]]], np.float32)
    four = outside, np.zeros((1, 1), int), np.ones((1, 1), np.float32), np.full((1, 1), -1)
    assert decode_regions({0: FRAMES[0]}, four, LABELS, {}) == ()
