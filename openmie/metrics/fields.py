"""Scores of records and of attributes: what is said in fields of one's own, exactly.

A field of a record is the name of its schema, the names on the way to a value, and the value: each number, text, true
and false of its data. The order of a list does not count, unless the list is said to be `ordered`: items are paired,
one to one, so that most fields are equal (`openmie.metrics.json_matching`). So are the records of one schema. Equal
records are counted once, equal items of a list as often as they are there.

An attribute is (start, end, label, name, value) of a mention: it is correct only where its mention is. Those of a
mention that is not located in the text are never correct, but they count. The order of a list does not count.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from openmie.data.document import Document, Record
from openmie.metrics.counting import Row, micro_scores, paired_by_id
from openmie.metrics.json_matching import JsonNode, equal_values, json_node, pair_items
from openmie.metrics.scores import Scores

AttributeKey = tuple[tuple[int, int] | str, str, str, str]  # span, or name that is not located; label, name, value


def records(
    gold: Iterable[Document],
    predicted: Iterable[Document],
    *,
    ordered: Iterable[str] = (),
    bootstrap: int = 0,
    seed: int = 0,
) -> Scores:
    """Micro precision, recall and F1 over the fields of records, overall and by field, in percent.

    Args:
        gold: Gold documents.
        predicted: Predicted documents, paired with gold by id; a gold document without one counts as empty.
        ordered: Names of lists whose order counts, such as "Event/route" or "Event/guests/*/aims": their items are
            compared place by place.
        bootstrap: Number of bootstrap samples of documents for the 95% interval of F1; 0: no interval.
        seed: Seed of the bootstrap.

    Returns:
        Scores; `by_label` has those of each field, as its schema and pointer with "*" for the places of lists, such as
        "Event/guests/*/name".

    Raises:
        MetricError: For a duplicate id, and a predicted id that is not in gold.
    """
    lists = frozenset(ordered)
    return micro_scores((_record_row(d, p, lists) for d, p in paired_by_id(gold, predicted)), bootstrap, seed)


def attributes(gold: Iterable[Document], predicted: Iterable[Document], *, bootstrap: int = 0, seed: int = 0) -> Scores:
    """Micro precision, recall and F1 over attributes of mentions, overall and by LABEL.NAME, in percent.

    Args:
        gold: Gold documents.
        predicted: Predicted documents, paired with gold by id; a gold document without one counts as empty.
        bootstrap: Number of bootstrap samples of documents for the 95% interval of F1; 0: no interval.
        seed: Seed of the bootstrap.

    Raises:
        MetricError: For a duplicate id, and a predicted id that is not in gold.
    """
    return micro_scores((_attribute_row(d, p) for d, p in paired_by_id(gold, predicted)), bootstrap, seed)


def _record_row(document: Document, prediction: Document | None, ordered: frozenset[str]) -> Row:
    want = _by_schema(document.records, ordered)
    got = _by_schema(prediction.records if prediction else (), ordered)
    pairs = [pair for schema in want if schema in got for pair in pair_items(want[schema], got[schema])]
    correct = [name for a, b in pairs for name in equal_values(a, b)]
    told = [[name for each in side.values() for node in each for name in node.names] for side in (got, want)]
    return correct, told[0], told[1]


def _by_schema(found: Iterable[Record], ordered: frozenset[str]) -> dict[str, list[JsonNode]]:
    """Name of a schema -> its records, those that say the same once, in canonical order."""
    nodes = {(r.label, node.text): node for r in found for node in [json_node(r.data, r.label, ordered)]}
    return {schema: [nodes[key] for key in each] for schema, each in groupby(sorted(nodes), key=lambda key: key[0])}


def _attribute_row(document: Document, prediction: Document | None) -> Row:
    want, got = _attribute_keys(document), _attribute_keys(prediction) if prediction else set()
    correct = {key for key in want & got if isinstance(key[0], tuple)}
    names = [[f"{label}.{name}" for _, label, name, _ in keys] for keys in (correct, got, want)]
    return names[0], names[1], names[2]


def _attribute_keys(document: Document) -> set[AttributeKey]:
    return {
        (m.text if m.status == "unlocated" else (m.start, m.end), m.label, name, node.text)
        for m in document.mentions
        if m.status != "orphan"
        for name, value in m.attributes.items()
        if (node := json_node(value, name)).names
    }
