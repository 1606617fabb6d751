"""Records and attributes: counts of slow loops over all pairings, known answers, and the command."""

import json
from itertools import permutations
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from openmie import corpora, metrics
from openmie.cli import application as cli
from openmie.data.document import Document, Mention, Record
from openmie.metrics import report
from openmie.metrics.fields import record_fields

VALUES = st.sampled_from([0, 1, 1.0, True, "1", "a", None])
DATA = st.dictionaries(
    st.sampled_from(["a", "b/c", "~"]),
    st.one_of(VALUES, st.lists(VALUES, max_size=2), st.dictionaries(st.sampled_from("xy"), VALUES, max_size=2)),
    max_size=3,
)
RECORDS = st.lists(st.tuples(st.sampled_from(["", "Event"]), DATA), max_size=4)


def resolve(data, pointer):
    """RFC 6901, a step at a time."""
    for part in pointer.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        data = data[int(part)] if isinstance(data, list) else data[part]
    return data


def same(a, b):
    """Equal as JSON: numbers by value, true and false by themselves."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return a == b and isinstance(a, str) == isinstance(b, str)


def fields(data):
    return [(pointer, resolve(data, pointer)) for pointer, _ in record_fields(data)]


def distinct(records):
    """Without those that say what an earlier one says."""
    out = []
    for name, data in records:
        mine = fields(data)
        if not any(n == name and len(fields(d)) == len(mine) == shared(d, data) for n, d in out):
            out.append((name, data))
    return out


def shared(a, b):
    return sum(p == q and same(x, y) for p, x in fields(a) for q, y in fields(b))


def slow_counts(gold, predicted):
    """(correct, predicted, gold) by the best of all pairings."""
    gold, predicted = distinct(gold), distinct(predicted)
    slots = [*range(len(predicted)), *[None] * len(gold)]
    best = max(
        sum(
            shared(data, predicted[at][1])
            for (name, data), at in zip(gold, order)
            if at is not None and predicted[at][0] == name
        )
        for order in permutations(slots, len(gold))
    )
    return (best, *(sum(len(fields(d)) for _, d in side) for side in (predicted, gold)))


def document(records=(), id="d", **more):
    return Document(id=id, text="Ada met Bo", records=tuple(Record(label=n, data=d) for n, d in records), **more)


@settings(max_examples=30, deadline=None)
@given(RECORDS, RECORDS)
def test_records_are_counted_as_the_slow_loops_count(gold, predicted):
    found = metrics.records([document(gold)], [document(predicted)])
    assert (found.correct, found.predicted, found.gold) == slow_counts(gold, predicted)
    assert sum(s.correct for s in found.by_label.values()) == found.correct


def test_a_known_answer_by_field():
    gold = {"name": "Fair", "guests": [{"name": "Ada"}, {"name": "Bo"}], "year": 2026, "note": None, "tags": []}
    told = {"name": "Fair", "guests": [{"name": "Bo"}, {"name": "Bo"}], "year": 2026.0, "open": True}
    found = metrics.records(
        [document([("Event", gold), ("Event", {"name": "Gala"})]), document(id="e")],
        [document([("Event", {"name": "Gala"}), ("Event", told)])],  # in another order
    )
    assert (found.correct, found.predicted, found.gold) == (4, 6, 5) and found.f1 == pytest.approx(800 / 11)
    by_field = {name: (s.correct, s.predicted, s.gold) for name, s in found.by_label.items()}
    assert by_field == {
        "Event/guests/*/name": (1, 2, 2), "Event/name": (2, 2, 2), "Event/open": (0, 1, 0), "Event/year": (1, 1, 1),
    }  # fmt: skip


def mention(start, end, label="PER", status="located", text="", **attributes):
    return Mention(
        id=f"{start}{label}{text}", start=start, end=end, label=label, status=status, text=text, attributes=attributes
    )


MENTIONS = st.lists(
    st.tuples(st.sampled_from([(0, 3), (8, 10)]), st.sampled_from(["PER", "LOC"]), st.sampled_from("ab"), VALUES),
    max_size=5, unique_by=lambda x: (x[0], x[1], x[2]),
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(MENTIONS, MENTIONS)
def test_attributes_are_counted_as_the_slow_loop_counts(gold, predicted):
    def of(keys):
        made = {}
        for span, label, name, value in keys:
            made.setdefault((span, label), {})[name] = value
        return document(mentions=tuple(mention(*span, label, **own) for (span, label), own in made.items()))

    told = [[key for key in side if key[3] is not None] for side in (gold, predicted)]
    correct = sum(a[:3] == b[:3] and same(a[3], b[3]) for a in told[0] for b in told[1])
    found = metrics.attributes([of(gold)], [of(predicted)])
    assert (found.correct, found.predicted, found.gold) == (correct, len(told[1]), len(told[0]))


def test_attributes_of_what_is_not_located_count_and_are_wrong():
    lost = mention(0, 0, status="unlocated", text="Cleo", role="guest")
    found = metrics.attributes([document(mentions=(lost,))], [document(mentions=(lost, mention(0, 3, role="host")))])
    assert (found.correct, found.predicted, found.gold) == (0, 2, 1) and list(found.by_label) == ["PER.role"]


@pytest.mark.parametrize("task", ["records", "attributes"])
def test_the_command_scores_both(task, tmp_path):
    whole = document([("Event", {"name": "Fair"})], mentions=(mention(0, 3, role="host"),))
    corpora.write([whole], tmp_path / "gold.jsonl")
    corpora.write([whole.replace(records=())], tmp_path / "predicted.jsonl")
    ask = ["score", str(tmp_path / "gold.jsonl"), str(tmp_path / "predicted.jsonl"), "--bootstrap", "5", "--errors"]
    found = json.loads(CliRunner().invoke(cli.app, [*ask, "--task", task, "--format", "json"]).stdout)["scores"]
    assert (found[0]["metric"], found[0]["f1"]) == (task, 100 if task == "attributes" else 0)


def test_the_table_of_errors_has_lines_of_every_task():
    """Of summary and mre, --errors ended in a traceback."""
    table = metrics.errors([document(mentions=(mention(0, 3),))], [document()])
    assert {task: bool(table.lines(task)) for task in get_args(report.Task)} == {
        "ner": True, "re": False, "joint": True, "boxes": False, "grounded": True, "document": True, "summary": False,
        "mre": True, "records": False, "attributes": True,
    }  # fmt: skip
