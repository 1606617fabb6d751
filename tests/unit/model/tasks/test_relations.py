"""Pairs of mentions and their labels as integers: the head before the tail, the label at its own index."""

from openmie.data.document import Document, Mention, Relation
from openmie.model.tasks.relations import RelationsTask

DOCUMENT = Document.from_words(
    "d",
    ["Ann", "Bee", "met", "Cox"],
    mentions=(
        Mention(id="a", start=0, end=7, label="PER", text="Ann Bee"),
        Mention(id="c", start=12, end=15, label="PER", text="Cox"),
    ),
    relations=(Relation(head="c", tail="a", label="peer"), Relation(head="a", tail="c", label="parent")),
)


def test_spans_are_head_then_tail():
    task = RelationsTask(("None", "parent", "peer"))
    pairs, dropped = task.list_pairs(DOCUMENT, gold=True)
    assert not dropped
    assert task.spans(DOCUMENT, pairs).tolist() == [[3, 3, 0, 1], [0, 1, 3, 3]]
    assert task.ids(pairs).tolist() == [2, 1]
