"""Each task is an inverse pair: gold, encoded and decoded as if it were predicted, is gold again, losses reported.

And gold stays hidden: what a task predicts itself is not among what a prediction may read.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from openmie.data.document import Chain, Document, Image, Mention, Region, Relation
from openmie.errors import ModelError
from openmie.model.codec.word_pairs_classes import facts
from openmie.model.features.encoded_document import EncodedDocument
from openmie.model.tasks.task import CANDIDATE_SOURCES, padded
from openmie.model.tasks.tasks import Tasks
from openmie.nn.decode.chain_relations import ChainRelations
from openmie.nn.decode.chains import Chains
from openmie.nn.decode.regions import Regions
from openmie.nn.decode.relation import EntityMarkers
from openmie.nn.decode.tags import Crf
from openmie.nn.decode.word_pairs import WordPairs
from openmie.recipe import Recipe
from tests.fixtures.chained_documents import LABELS, LINKS, documents, partition

TAGS, PAIRS = Crf(labels=LABELS), EntityMarkers(labels=LINKS, markers=False)
CHAINS, RELATIONS = Chains(labels=LABELS), ChainRelations(labels=LINKS, mentions=LABELS)
BOXES = Regions(labels=LABELS)
NONE = np.empty(0, np.int64)


def tasks(*heads):
    return Tasks(Recipe(name="r", heads=heads))


def encoded(document):
    frames = [(n, image) for n, image in enumerate(i for i in document.images if i.kind == "frame")]
    return EncodedDocument(0, document, [], NONE, NONE, len(document.words), images=tuple(frames))


def there_and_back(made, document, candidates="predicted"):
    """The layers of a model whose heads predict exactly the targets, and the encoded document."""
    one = encoded(document)
    made.encode([one], candidates, gold=True)
    inputs = {"words": torch.ones(1, max(1, one.words), dtype=torch.bool)}
    if one.images:
        inputs |= {"image": torch.zeros(len(one.images), dtype=torch.long), "slot": torch.arange(len(one.images))}
    targets = made.collate([one], inputs)
    given = made.given([one])
    if one.pairs is not None:
        given |= {"pairs": torch.from_numpy(one.pairs)[None], "pairs_mask": torch.ones(1, len(one.pairs), dtype=bool)}
    certain = {"tags": "tag_scores", "cells": "cell_scores", "relations": "relation_scores", "links": "link_scores",
               "box_labels": "box_scores"}  # fmt: skip
    scores = {certain[k]: torch.ones(v.shape) for k, v in targets.items() if k in certain}
    return made.decode([one], {**given, **targets, **scores}, candidates)[0], one


def places(mentions):
    return sorted((m.start, m.end, m.label) for m in mentions)


@st.composite
def mentioned(draw):
    """Words with mentions anywhere: nested, crossing, twice in one place, of unknown labels, inside of words."""
    n = draw(st.integers(0, 8))
    base = Document.from_words("d", ["word"] * n)
    spans = draw(st.lists(st.tuples(st.integers(0, 5 * n), st.integers(1, 12), st.sampled_from([*LABELS, "X"]))))
    spans += [(5 * a, 5 * b - 1, x) for a, b, x in draw(st.lists(st.tuples(
        st.integers(0, max(n - 1, 0)), st.integers(1, 3), st.sampled_from(LABELS)))) if a + b <= n]  # fmt: skip
    ends = [(a, min(a + size, len(base.text)), x) for a, size, x in spans]
    return base.replace(mentions=[
        Mention(id=f"m{i}", start=a, end=b, label=x) for i, (a, b, x) in enumerate(ends) if a < b
    ])  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(mentioned())
def test_tags(document):
    layers, one = there_and_back(tasks(TAGS), document)
    kept = [m for m in document.mentions if f"mention {m.id}" not in one.errors]
    assert places(layers["mentions"]) == places(kept)


@settings(max_examples=100, deadline=None)
@given(documents())
def test_word_pairs(document):
    plain = document.replace(chains=(), relations=[r for r in document.relations if r.head[0] == r.tail[0] == "m"])
    layers, one = there_and_back(tasks(WordPairs(labels=LINKS, mentions=LABELS)), plain)
    lost = {w.removeprefix("relation ") for w in one.errors if w.startswith("relation")}
    kept = [r for r in plain.relations if f"{r.head} {r.tail} {r.label}" not in lost]
    assert not any(w.startswith("mention") for w in one.errors)
    assert facts(layers["mentions"], layers["relations"]) == facts(plain.mentions, kept)


@settings(max_examples=60, deadline=None)
@given(documents())
def test_relations_of_listed_pairs(document):
    from openmie.model.features.pairs import encode_pairs

    plain = document.replace(chains=(), relations=[r for r in document.relations if r.head[0] == r.tail[0] == "m"])
    made = tasks(PAIRS)
    for one in encode_pairs(encoded(plain), made.relations, gold=True):
        made.encode([one], gold=True)
        predictions = {k: torch.from_numpy(v)[None] for k, v in one.targets.items()}
        predictions |= {"relation_scores": torch.ones(1, len(one.listed))}
        assert made.decode([one], predictions, "predicted")[0]["relations"] == plain.relations


@settings(max_examples=60, deadline=None)
@given(documents())
def test_relations_beside_a_tagger(document):
    """Learnt from all ordered pairs; decoded between the mentions of the tags, "None" left out."""
    from openmie.model.features.pairs import encode_pairs

    known, single = set(), []
    for r in document.relations:
        if r.head[0] == r.tail[0] == "m" and (r.head, r.tail) not in known:
            known.add((r.head, r.tail))
            single.append(r)
    plain = document.replace(chains=(), relations=single)
    made = tasks(TAGS, PAIRS)
    (one,) = encode_pairs(encoded(plain), made.relations, gold=True)
    made.encode([one], gold=True)
    assert len(one.pairs) == len(plain.mentions) * (len(plain.mentions) - 1)
    predictions = {k: torch.from_numpy(v)[None] for k, v in one.targets.items()}
    predictions |= {"tag_scores": torch.ones(1, one.words), "relation_scores": torch.ones(1, len(one.pairs)),
                    "pairs": torch.from_numpy(one.pairs)[None],
                    "pairs_mask": torch.ones(1, len(one.pairs), dtype=torch.bool)}  # fmt: skip
    layers = made.decode([one], predictions, "predicted")[0]
    assert facts(layers["mentions"], layers["relations"]) == facts(plain.mentions, plain.relations)


def by_members(document, layers):
    """Relations by the places of their chains' mentions."""
    at = {m.id: (m.start, m.end) for m in layers["mentions"]}
    inside = {c.id: frozenset(at[m] for m in c.mentions) for c in layers["chains"]}
    own = {m.id: (m.start, m.end) for m in document.mentions}
    gold = {m: frozenset([place]) for m, place in own.items()}
    gold |= {c.id: frozenset(own[m] for m in c.mentions) for c in document.chains}
    want = {(gold[r.head], gold[r.tail], r.label) for r in document.relations}
    return {(inside[r.head], inside[r.tail], r.label) for r in layers["relations"]}, want


@settings(max_examples=100, deadline=None)
@given(documents(), st.sampled_from(CANDIDATE_SOURCES))
def test_mentions_chains_and_links(document, candidates):
    layers, one = there_and_back(tasks(TAGS, CHAINS, RELATIONS), document, candidates)
    assert not one.errors
    assert places(layers["mentions"]) == places(document.mentions)
    at = {m.id: m.start for m in layers["mentions"]}
    own = {m.id: m.start for m in document.mentions}
    held = {frozenset(at[m] for m in c.mentions) for c in layers["chains"]}
    assert held == {frozenset(own[m] for m in c) for c in partition(document, document.chains)}
    got, want = by_members(document, layers)
    assert got == want
    if candidates != "predicted":
        assert layers["mentions"] == document.mentions
    if candidates == "gold_chains":
        assert layers["chains"][: len(document.chains)] == document.chains


def test_regions_and_what_they_show():
    pixels = np.zeros((50, 100, 3), np.uint8)
    frames = [Image(id=f"f{i}", kind="frame", pixels=pixels, time=float(i)) for i in range(3)]
    document = Document.from_words("d", ["Ada", "Rome"], images=frames).replace(
        mentions=[Mention(id="a", start=0, end=3, label="PER"), Mention(id="b", start=4, end=8, label="LOC")],
        chains=[Chain(id="k", mentions=["a"], label="PER")],
        regions=[
            Region(image="f0", box=(10, 10, 30, 40), label="PER", of="k"),
            Region(image="f2", box=(0, 0, 50, 25), label="LOC", of="b"),
            Region(image="f2", box=(50, 25, 100, 50), label="LOC"),
            Region(image="f1", box=(500, 0, 600, 50), label="PER"),
        ],
        relations=[Relation(head="k", tail="b", label="lives_in")],
    )
    layers, one = there_and_back(tasks(TAGS, CHAINS, RELATIONS, BOXES), document)
    assert [*one.errors] == ["region 3 in f1"] and "outside" in one.errors["region 3 in f1"].found
    ids = {m.id: c.id for c in layers["chains"] for m in layers["mentions"] if m.id in c.mentions}
    of = {"k": ids["m0"], "b": ids["m1"], "": ""}
    got = {(r.image, tuple(np.round(r.box, 1)), r.label, r.of) for r in layers["regions"]}
    assert got == {(r.image, r.box, r.label, of[r.of]) for r in document.regions[:3]}
    assert [(r.head, r.tail) for r in layers["relations"]] == [(ids["m0"], ids["m1"])]


def test_an_unread_frame_has_nothing_to_find():
    frames = [Image(id=f"f{i}", kind="frame", pixels=np.zeros((9, 9, 3), np.uint8)) for i in range(2)]
    document = Document(
        id="d", images=frames, regions=[Region(image=f.id, box=(0, 0, 5, 5), label="PER") for f in frames]
    )
    made, one = tasks(BOXES), encoded(document)
    made.encode([one], gold=True)
    inputs = {"words": torch.ones(1, 1, dtype=bool), "image": torch.tensor([0]), "slot": torch.tensor([1])}
    assert (made.collate([one], inputs)["box_labels"] >= 0).tolist() == [[[False], [True]]]


# -- what a prediction may read

FULL = (TAGS, CHAINS, RELATIONS, BOXES)
SPANS = {"spans", "spans_mask", "span_labels"}
VISIBLE = [  # heads, and what is visible of spans, chain_of, pairs and pos with each candidate source
    (FULL, [{"pos"}, SPANS | {"pos"}, SPANS | {"chain_of", "pos"}]),
    ((TAGS, BOXES), [{"pos"}, SPANS | {"chain_of", "pos"}, SPANS | {"chain_of", "pos"}]),
    ((CHAINS, RELATIONS), [SPANS | {"pos"}, SPANS | {"pos"}, SPANS | {"chain_of", "pos"}]),
    ((RELATIONS,), [SPANS | {"chain_of", "pos"}] * 3),
    ((TAGS, PAIRS), [{"pos"}] * 3),
    ((PAIRS,), [{"pairs", "pairs_mask", "pos"}] * 3),
    ((TAGS,), [{"pos"}] * 3),
]


@pytest.mark.parametrize(("heads", "wanted"), VISIBLE, ids=lambda x: "+".join(type(h).__name__ for h in x[:4]))
def test_gold_that_heads_predict_themselves_is_hidden(heads, wanted):
    made = tasks(*heads)
    given = {"pos": torch.zeros(1)}
    if made.has_candidates:
        given |= {name: torch.zeros(1) for name in (*SPANS, "chain_of")}
    if made.relations:
        given |= {"pairs": torch.zeros(1), "pairs_mask": torch.zeros(1)}
    assert [{*made.visible(given, source)} for source in CANDIDATE_SOURCES] == wanted


def test_unknown_candidates_and_uneven_batches():
    document = Document.from_words("d", ["Ada"])
    with pytest.raises(ModelError, match="gold_chains"):
        tasks(*FULL).encode([encoded(document)], "all")
    made, one, other = tasks(*FULL), encoded(document), encoded(document)
    made.encode([one], gold=True)
    inputs = {"words": torch.ones(2, 1, dtype=torch.bool)}
    assert made.collate([one, other], inputs) == {} == made.given([one, other])
    assert padded([np.ones((1, 2)), np.ones((2, 1))], -1).tolist() == [[[1, 1], [-1, -1]], [[1, -1], [1, -1]]]
