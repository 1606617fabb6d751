"""Long texts in segments: the names, relations and chains of the whole, and never more of it read at once."""

import sys

import numpy as np
import pytest

from openmie.base import assignment, long_texts, text_model
from openmie.base.assignment import link_probabilities
from openmie.base.facts import ModelFacts
from openmie.base.predictor import Base
from openmie.base.text_layers import flat
from openmie.base.text_model import Entity, Pair, near_pairs
from openmie.data.document import Document
from openmie.errors import ModelError
from tests.fixtures.base_stub import NamesPart
from tests.unit.base.tiny import tiny_model

TEXT = "Ada Lovelace met Bo in Turin . It rained and rained for days . Then NASA called Ada Lovelace . " * 12


def base_of(part=None):
    return Base(part or NamesPart(), facts=ModelFacts(name="stub", version="7", measured={}))


class NearPart(NamesPart):
    """Relations between names of at most eight words apart, as the real part's are of at most 48."""

    def __init__(self):
        super().__init__()
        self.longest = 0

    def entities(self, texts, labels, thresholds=None):
        self.longest = max(self.longest, *(len(text.split()) for text in texts))
        return super().entities(texts, labels, thresholds)

    def relations(self, texts, entities, relations, threshold=None):
        names = next(iter(relations))
        return [
            [
                Pair(i, j, names, 0.5 + (i - j) / 1000)
                for i, a in enumerate(own)
                for j, b in enumerate(own)
                if i != j and len(text[min(a.end, b.end) : max(a.start, b.start)].split()) <= 8
            ]
            for text, own in zip(texts, entities)
        ]


@pytest.fixture
def short_segments(monkeypatch):
    for name, value in {"LONG": 100, "WORDS": 50, "OVERLAP": 12}.items():
        monkeypatch.setattr(long_texts, name, value)


def test_a_text_in_segments_has_the_layers_of_the_whole(monkeypatch):
    query = {"labels": ["PER", "LOC", "ORG"], "relations": {"near": "is named beside"}}
    (whole,) = base_of(NearPart()).predict([Document(id="a", text=TEXT)], **query)
    for name, value in {"LONG": 100, "WORDS": 50, "OVERLAP": 12}.items():
        monkeypatch.setattr(long_texts, name, value)
    part = NearPart()
    (found,) = base_of(part).predict([Document(id="a", text=TEXT, lang="en")], **query)
    assert len(whole.mentions) == 60 and found.mentions == whole.mentions and found.chains == whole.chains
    assert whole.relations and set(found.relations) == set(whole.relations)
    assert part.longest <= 60 and found.lang == "en" and found.errors == () and found.source == whole.source


def test_a_short_text_beside_a_long_one_is_read_as_alone(short_segments):
    short, long = Document(id="s", text="Ada in Turin"), Document(id="l", text=TEXT)
    assert base_of().predict([short, long, short.replace(id="t")])[0::2] == base_of().predict(
        [short, short.replace(id="t")]
    )


def test_a_segment_that_fails_leaves_its_record_and_the_others(short_segments):
    (found,) = base_of().predict([Document(id="a", text=TEXT + "poison " + TEXT)])
    assert len(found.mentions) > 60 and [e.where for e in found.errors] == ["document a"]
    with pytest.raises(ModelError):
        base_of().text.entities(["poison"], {"PER": ""})


def test_batches_are_bounded_by_their_characters(monkeypatch):
    monkeypatch.setattr(long_texts, "BATCH_CHARACTERS", 100)
    documents = [Document(id=str(i), text="w" * n) for i, n in enumerate([40, 40, 40, 500, 1, 1, 1, 1])]
    assert [[len(d.text) for d in b] for b in long_texts.batches(documents, 3)] == [
        [40, 40],
        [40],
        [500],
        [1, 1, 1],
        [1],
    ]


def test_the_real_text_part_reads_segments_of_bounded_length(short_segments, monkeypatch):
    model, rows = tiny_model(), []
    states = model.states
    monkeypatch.setattr(model, "states", lambda batch: rows.append(len(batch.words)) or states(batch))
    base = base_of(model)
    words = []
    for n in (200, 400):
        rows.clear()
        base.predict([Document(id="a", text=" ".join(f"w{i % 50}" for i in range(n)))], labels=["PER"], relations=[])
        words.append(sum(rows))
    assert max(rows) <= 64 and 1.7 < words[1] / words[0] < 2.3  # labels of the reference are read once


def test_work_grows_as_the_text_does(short_segments):
    """Calls of functions, of Python and of the interpreter, while segments are cut, read and put together."""
    base, query = base_of(NearPart()), {"labels": ["PER", "LOC", "ORG"], "relations": {"near": "is named beside"}}
    base.predict([Document(id="a", text=TEXT)], **query)  # what is imported and kept is not counted
    calls = []

    def count(frame, event, argument):
        calls[-1] += event in ("call", "c_call")

    for times in (2, 8):
        calls.append(0)
        sys.setprofile(count)
        try:
            (found,) = base.predict([Document(id="a", text=TEXT * times)], **query)
        finally:
            sys.setprofile(None)
        assert len(found.mentions) == 60 * times and max(len(c.mentions) for c in found.chains) == 24 * times
    assert calls[1] < 4.4 * calls[0]


def test_near_pairs_are_those_of_all_pairs():
    random = np.random.default_rng(0)
    starts = random.integers(0, 400, 40).tolist()
    spans = [(a, a + int(random.integers(1, 5))) for a in starts]
    every = [
        (i, j)
        for i in range(40)
        for j in range(40)
        if i != j and max(spans[i][0] - spans[j][1], spans[j][0] - spans[i][1]) <= text_model.REACH
    ]
    assert near_pairs(spans) == every and near_pairs([]) == []


def test_flat_entities_are_those_of_the_slow_loop():
    random = np.random.default_rng(1)
    found = [Entity(int(a), int(a + n), "X", round(float(s), 1)) for a, n, s in zip(
        random.integers(0, 90, 60), random.integers(0, 12, 60), random.random(60))]  # fmt: skip
    taken = []
    for e in sorted(found, key=lambda e: (-e.score, e.start, -e.end)):
        if e.start < e.end <= 95 and all(t.end <= e.start or e.end <= t.start for t in taken):
            taken.append(e)
    assert flat(found, "w" * 95) == sorted(taken, key=lambda e: e.start)


def test_links_of_very_many_names_are_counted_without_all_sets(monkeypatch):
    weights = np.random.default_rng(0).random((30, 5)) + 0.01
    exact = link_probabilities(weights)
    assert np.allclose(exact.sum(0), 1) and exact.max() > 2 / 30
    monkeypatch.setattr(assignment, "MOST_SETS", 30 << 4)
    assert np.allclose(link_probabilities(weights), 1 / 30)
