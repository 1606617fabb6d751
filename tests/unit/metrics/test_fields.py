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

VALUES = st.sampled_from([0, 1, 1.0, True, "1", "a", None])
OBJECTS = st.dictionaries(st.sampled_from("xy"), VALUES, max_size=2)
DATA = st.dictionaries(
    st.sampled_from(["a", "b/c", "7"]),
    st.one_of(VALUES, OBJECTS, st.lists(st.one_of(VALUES, OBJECTS, st.lists(VALUES, max_size=2)), max_size=3)),
    max_size=3,
)
RECORDS = st.lists(st.tuples(st.sampled_from(["", "Event"]), DATA), max_size=3)


def same(a, b):
    """Equal as JSON: numbers by value, true and false by themselves."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return a is not None and a == b and isinstance(a, str) == isinstance(b, str)


def size(data):
    """How many values it has."""
    if isinstance(data, dict | list):
        return sum(map(size, data.values() if isinstance(data, dict) else data))
    return data is not None


def shared(a, b):
    """How many values both have: objects field by field, lists by the best of all pairings."""
    if isinstance(a, dict) and isinstance(b, dict):
        return sum(shared(a[key], b[key]) for key in a if key in b)
    if isinstance(a, list) and isinstance(b, list):
        slots = [*b, *[None] * len(a)]
        return max(sum(map(shared, a, order)) for order in permutations(slots, len(a)))
    return 0 if isinstance(a, dict | list) or isinstance(b, dict | list) else same(a, b)


def distinct(records):
    """Without those that say what an earlier one says."""
    out = []
    for name, data in records:
        if not any(n == name and size(d) == size(data) == shared(d, data) for n, d in out):
            out.append((name, data))
    return out


def slow_counts(gold, predicted):
    """(correct, predicted, gold) by the best of all pairings."""
    gold, predicted = distinct(gold), distinct(predicted)
    correct = sum(shared(*([d for n, d in side if n == name] for side in (gold, predicted))) for name in ("", "Event"))
    return (correct, *(sum(size(d) for _, d in side) for side in (predicted, gold)))


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


def shuffled(data, turn):
    """Every list in another order."""
    if isinstance(data, dict):
        return {key: shuffled(value, turn) for key, value in reversed(data.items())}
    if isinstance(data, list):
        items = [shuffled(item, turn) for item in data]
        return items[turn % len(items) :][::-1] + items[: turn % len(items)] if items else items
    return data


@settings(max_examples=20, deadline=None)
@given(RECORDS, RECORDS, st.integers(0, 3))
def test_the_order_of_lists_and_records_changes_no_number(gold, predicted, turn):
    sides = [document(gold)], [document(predicted)]
    turned = [[document([(n, shuffled(d, turn)) for n, d in reversed(side)])] for side in (gold, predicted)]
    assert metrics.records(*turned) == metrics.records(*sides)


def test_the_order_of_a_list_counts_where_it_is_said_to(tmp_path):
    gold = {"route": ["Bari", "Turin", "Rome"], "legs": [{"at": [1, 2]}, {"at": [3, 4]}], "2026": ["a"]}
    told = {"route": ["Turin", "Bari", "Rome"], "legs": [{"at": [4, 3]}, {"at": [1, 2]}], "2026": ["a"]}
    sides = [document([("Trip", gold)])], [document([("Trip", told)])]
    found = metrics.records(*sides)
    assert (found.correct, found.predicted, found.gold) == (8, 8, 8)  # by place, 2 of 8 were correct
    assert set(found.by_label) == {"Trip/route/*", "Trip/legs/*/at/*", "Trip/2026/*"}
    for ordered, correct in ((["Trip/route"], 6), (["Trip/legs/*/at"], 6), (["Trip/route", "Trip/legs"], 2)):
        assert metrics.records(*sides, ordered=ordered).correct == correct
    nothing = document([("Trip", {"route": [None, "Turin"]})])
    assert metrics.records([nothing], sides[0], ordered=["Trip/route"]).correct == 1  # null has a place
    for name, side in zip(("gold", "predicted"), sides):
        corpora.write(side, tmp_path / f"{name}.jsonl")
    ask = ["score", str(tmp_path / "gold.jsonl"), str(tmp_path / "predicted.jsonl"), "--task", "records", "--format",
           "json"]  # fmt: skip
    for more, correct in (((), 8), (("--ordered", "Trip/route", "--ordered", "Trip/legs"), 2)):
        assert json.loads(CliRunner().invoke(cli.app, [*ask, *more]).stdout)[0]["correct"] == correct


def test_long_lists_are_paired():
    names = [{"name": f"n{i}", "age": i % 7} for i in range(2000)]
    told = {"of": [*names[::-1], {"name": "x"}], "words": list("cba") * 3000}
    found = metrics.records([document([("", {"of": names, "words": list("abc") * 3000})])], [document([("", told)])])
    assert (found.correct, found.predicted, found.gold) == (13000, 13001, 13000)


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


def test_the_order_of_a_list_in_an_attribute_does_not_count():
    gold, told = (document(mentions=(mention(0, 3, roles=roles, no=[None]),)) for roles in (["a", "b"], ["b", "a"]))
    found = metrics.attributes([gold], [told])
    assert (found.correct, found.predicted, found.gold) == (1, 1, 1)


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
