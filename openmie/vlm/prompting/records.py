"""Records of an answer: held to their JSON Schema, and their texts located in the document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from openmie.data.document import Record, RecordSpan
from openmie.vlm.prompting.occurrences import locate_names, occurrences
from openmie.vlm.prompting.record_schema import RecordSchema

Note = Callable[[str, str, str], None]  # (place, what was found, what was expected)
Capitals = Callable[[str, Sequence[tuple[str, str]]], None]  # (place, pairs of a text and the words at its place)


def read_records(
    items: Sequence[Any], schema: RecordSchema, text: str, start: int, note: Note, capitals: Capitals
) -> list[Record]:
    """The records of an answer, each once.

    The texts of all records are located together: the k-th value with a name is its k-th occurrence, and where there
    are fewer, its first. A value that is not in the text has an empty span.

    Args:
        items: the list of the answer.
        schema: what each of them is to follow.
        text: that was shown.
        start: offset of that text in the document's text.
        note: is told of what is left out, with its place.
        capitals: is told of all texts with the words at their places, which may have other capitals.
    """
    read = []
    for number, item in enumerate(items):
        data, texts = schema.conform(item, partial(_noted, note, f"records[{number}]"))
        if data is None:
            note(f"records[{number}]", "nothing of the schema", "an object of the schema's form")
        else:
            read.append((data, texts))
    names = [name for _, texts in read for _, name in texts]
    located = iter(locate_names(text, names))
    records: list[Record] = []
    said: list[tuple[str, str]] = []
    for data, texts in read:
        spans = []
        for path, name in texts:
            found = next(located) or occurrences(text, name, any_case=True)[:1]
            a, b = found[0] if found else (0, 0)
            said += [(name, text[a:b])] if found else []
            spans.append(RecordSpan(path, start + a, start + b))
        record = Record(label=schema.name, data=data, spans=tuple(spans))
        if record not in records:
            records.append(record)
    capitals("records", said)
    return records


def _noted(note: Note, item: str, place: str, found: str, expected: str) -> None:
    note(item + place, found, expected)
