"""Scores of records and of attributes: what is said in fields of one's own, exactly.

A field of a record is (name of its schema, JSON Pointer, value), for each number, text, true and false of its data;
null, an empty list and an empty object say nothing and count nowhere. Items of a list keep their order. A document's
records have none: those of one schema are paired, one to one, so that most fields are equal; equal records are counted
once.

An attribute is (start, end, label, name, value) of a mention: it is correct only where its mention is. Those of a
mention that is not located in the text are never correct, but they count. Values are equal as JSON: 1 is 1.0, and
neither true nor "1".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import numpy as np

from openmie.data.document import Document, Record
from openmie.metrics.counting import Row, micro_scores, paired_by_id
from openmie.metrics.scores import Scores

Field = tuple[str, str]  # JSON Pointer, value as JSON
AttributeKey = tuple[tuple[int, int] | str, str, str, str]  # span, or name that is not located; label, name, value


def records(gold: Iterable[Document], predicted: Iterable[Document], *, bootstrap: int = 0, seed: int = 0) -> Scores:
    """Micro precision, recall and F1 over the fields of records, overall and by field, in percent.

    Args:
        gold: Gold documents.
        predicted: Predicted documents, paired with gold by id; a gold document without one counts as empty.
        bootstrap: Number of bootstrap samples of documents for the 95% interval of F1; 0: no interval.
        seed: Seed of the bootstrap.

    Returns:
        Scores; `by_label` has those of each field, as its schema and pointer with "*" for the places of lists, such as
        "Event/guests/*/name".

    Raises:
        MetricError: For a duplicate id, and a predicted id that is not in gold.
    """
    return micro_scores((_record_row(d, p) for d, p in paired_by_id(gold, predicted)), bootstrap, seed)


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


def record_fields(data: Any) -> Iterator[Field]:
    """(JSON Pointer, value as JSON) of all values that say something.

    Args:
        data: a JSON value.
    """
    stack = [("", data)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, dict):
            stack += [(f"{path}/{key.replace('~', '~0').replace('/', '~1')}", value[key]) for key in value]
        elif isinstance(value, list | tuple):
            stack += [(f"{path}/{number}", item) for number, item in enumerate(value)]
        elif value is not None:
            yield path, _canonical(value)


def _record_row(document: Document, prediction: Document | None) -> Row:
    correct: list[str] = []
    want, got = _by_schema(document.records), _by_schema(prediction.records if prediction else ())
    for schema in sorted(want.keys() & got.keys()):
        shared = [[a & b for b in got[schema]] for a in want[schema]]
        correct += [_name(schema, f) for a, b in _best_pairs(shared) for f in shared[a][b]]
    told = [[_name(schema, f) for schema, each in side.items() for one in each for f in one] for side in (got, want)]
    return correct, told[0], told[1]


def _by_schema(found: Iterable[Record]) -> dict[str, list[frozenset[Field]]]:
    """Name of a schema -> the fields of each of its records, equal ones once."""
    keyed = sorted(((r.label, frozenset(record_fields(r.data))) for r in found), key=lambda pair: pair[0])
    return {name: list(dict.fromkeys(f for _, f in each)) for name, each in groupby(keyed, key=lambda pair: pair[0])}


def _best_pairs(shared: list[list[frozenset[Field]]]) -> list[tuple[int, int]]:
    """Places of gold and predicted records, one to one, with most shared fields (Kuhn, 1955)."""
    from scipy.optimize import linear_sum_assignment

    sizes = np.array([[len(fields) for fields in row] for row in shared])
    return [(int(a), int(b)) for a, b in zip(*linear_sum_assignment(sizes, maximize=True))]


def _name(schema: str, field: Field) -> str:
    return schema + "/".join("*" if part.isdecimal() else part for part in field[0].split("/"))


def _attribute_row(document: Document, prediction: Document | None) -> Row:
    want, got = _attribute_keys(document), _attribute_keys(prediction) if prediction else set()
    correct = {key for key in want & got if isinstance(key[0], tuple)}
    names = [[f"{label}.{name}" for _, label, name, _ in keys] for keys in (correct, got, want)]
    return names[0], names[1], names[2]


def _attribute_keys(document: Document) -> set[AttributeKey]:
    return {
        (m.text if m.status == "unlocated" else (m.start, m.end), m.label, name, _canonical(value))
        for m in document.mentions
        if m.status != "orphan"
        for name, value in m.attributes.items()
        if value not in (None, [], {})
    }


def _canonical(value: Any) -> str:
    return json.dumps(_numbers(value), sort_keys=True, ensure_ascii=False)


def _numbers(value: Any) -> Any:
    """The value, with whole numbers for floats that are whole."""
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
