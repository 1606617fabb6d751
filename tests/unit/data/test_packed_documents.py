"""Packed documents are the documents, and every score of them is the same."""

import weakref

import pytest

from openmie import metrics
from openmie.data.document import Document
from openmie.data.packed_documents import PackedDocuments, ids_of
from openmie.errors import MetricError
from openmie.metrics.places import paired_by_place
from tests.fixtures import small


def posts(n=6):
    return [d.replace(images=(), summary=f"about {d.id}") for d in small.documents(n, every=1)]


def answers(documents):
    wrong = [
        d.replace(
            mentions=(d.mentions[0].model_copy(update={"label": "LOC"}), *d.mentions[1:]),
            relations=d.relations[1:],
            summary="something",
        )
        for d in documents
    ]
    return [*reversed(wrong[1:])]


def test_packed_documents_are_what_was_packed():
    documents = posts()
    packed = PackedDocuments(iter(documents))
    assert list(packed) == documents and len(packed) == 6 and packed[-1] == documents[-1]
    assert packed.ids == ids_of(documents) == [d.id for d in documents]


@pytest.mark.parametrize("task", ["ner", "re", "joint", "document", "summary"])
def test_scores_of_packed_documents_are_those_of_the_documents(task):
    gold, predicted = posts(), answers(posts())
    expected = metrics.score(gold, predicted, task, bootstrap=20)
    assert metrics.score(PackedDocuments(gold), PackedDocuments(predicted), task, bootstrap=20) == expected


def test_no_more_than_a_few_documents_are_there_at_once():
    """A score makes each pair when it counts it: of 60 documents no list is made."""
    made, most = list[weakref.ref[Document]](), 0

    class Watched(PackedDocuments):
        def __getitem__(self, at):
            nonlocal most
            document = super().__getitem__(at)
            made.append(weakref.ref(document))
            most = max(most, sum(one() is not None for one in made))
            return document

    gold, predicted = Watched(posts(60)), Watched(answers(posts(60)))
    for task in ("ner", "re", "joint", "document"):
        metrics.score(gold, predicted, task, bootstrap=0)
    assert len(made) > 400 and most <= 8


def test_sentences_are_paired_by_place_without_a_list():
    gold = [d.replace(id=f"gold:{i}") for i, d in enumerate(posts(4))]
    predicted = [d.replace(id=f"other:{i}") for i, d in enumerate(posts(4))]
    found, notes = paired_by_place(PackedDocuments(gold), PackedDocuments(predicted))
    assert isinstance(found, PackedDocuments) and list(found) == gold and notes == ()
    assert paired_by_place(gold, predicted)[0] == gold


def test_ids_that_are_there_twice_or_not_in_gold_are_errors():
    gold = PackedDocuments(posts(3))
    with pytest.raises(MetricError, match="twice"):
        metrics.spans(gold, PackedDocuments([*posts(2), *posts(1)]))
    with pytest.raises(MetricError, match="does not have"):
        metrics.spans(gold, PackedDocuments(posts(4)))


def test_strict_and_lenient_scores_read_the_documents_once():
    """Making a document again is what the time of a score goes into."""

    class Counted(PackedDocuments):
        made = 0

        def __getitem__(self, at):
            self.made += 1
            return super().__getitem__(at)

    gold, predicted = Counted(posts(30)), Counted(answers(posts(30)))
    found = metrics.score(gold, predicted, "ner", bootstrap=10, span_edges=None)
    assert (gold.made, predicted.made) == (30, 29)
    assert found == {mode: metrics.spans(list(gold), list(predicted), mode, bootstrap=10) for mode in found}
