"""What prompts of `openmie extract` may hold beside labels, through the command line against a server in a thread:
examples, instructions, attributes, records by a schema, several passes, the text before a window, pictures once."""

import csv
import io
import json
import re

import numpy as np
import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

from openmie import corpora
from openmie.cli import application as cli
from openmie.data.document import Chain, Document, Mention, Record, RecordSpan, Relation
from openmie.errors import OpenMIEError
from openmie.vlm.prompting.examples import ExampleSet
from openmie.vlm.prompting.record_schema import RecordSchema
from openmie.vlm.prompting.records import read_records
from openmie.vlm.prompting.rendering import render_answer
from openmie.vlm.prompting.schema import Schema
from tests.fixtures.prompted_server import chat_server, people
from tests.fixtures.prompting_stub import fenced

OFFER = {
    "title": "offer", "description": "something for sale", "type": "object", "required": ["product"],
    "properties": {
        "product": {"type": "string", "description": "what is sold"},
        "price": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "state": {"enum": ["new", "used"], "type": "string"},
        "seller": {"$ref": "#/$defs/Seller"},
        "parts": {"type": "array", "items": {"type": "string"}},
    },
    "$defs": {"Seller": {"type": "object", "properties": {"name": {"type": "string", "description": "who sells"}}}},
}  # fmt: skip


def run(*arguments):
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def server():
    """Says that every capitalised word of the text is a person."""
    with chat_server(people) as state:
        yield state


def asked(server, *more, text="Ada met Bo in Turin", system="schema"):
    options = ["--text", text, "--system", system, "--endpoint", server.url, "--model", "m"]
    options += ["--vlm-option", "retries=0", "--vlm-option", "concurrency=1"]
    return run("extract", *options, *more)


def example(id, text, *names, label="PER", **layers):
    mentions = []
    for n, name in enumerate(names, 1):
        start = text.index(name)
        mentions.append(Mention(id=f"m{n}", start=start, end=start + len(name), label=label))
    return Document(id=id, text=text, mentions=mentions, **layers)


@pytest.fixture
def examples(tmp_path):
    docs = [
        example("sea", "Nil sails to the harbour", "Nil"),
        example("cook", "Una cooks soup for Ole in the kitchen", "Una", "Ole"),
        example("town", "Turin is a town on the Po", "Turin", label="LOC"),
        example("band", "Rud plays the drum", "Rud"),
    ]
    corpora.write(docs, tmp_path / "examples.jsonl")
    return tmp_path / "examples.jsonl"


@pytest.mark.parametrize("system", ["schema", "pfa"])
def test_examples_are_rendered_as_answers_and_the_nearest_are_shown(server, examples, system):
    more = ["--examples", examples, "--vlm-option", "shown_examples=2", "--task", "ner"]
    found = Document.from_json(asked(server, *more, text="Kim cooks soup in Turin", system=system).stdout)
    (prompt,) = server.prompts()
    assert [m.text for m in found.mentions] == ["Kim", "Turin"] and fenced(prompt)[-1] == "Kim cooks soup in Turin"
    assert "Una cooks soup" in prompt and "Turin is a town" in prompt and "harbour" not in prompt
    said = ":PER;Una:PER;Ole" if system == "pfa" else '{"id": "m2", "text": "Ole", "label": "PER"}'
    assert said in prompt and "PER" in prompt and "LOC" in prompt and "ORG" not in prompt  # the examples' labels
    asked(server, *more, "--vlm-option", "nearest=false", text="Kim cooks soup in Turin", system=system)
    assert "harbour" in server.prompts()[-1] and "is a town" not in server.prompts()[-1]
    asked(server, *more, text="Rud plays the drum", system=system)  # an answer is never shown to its own question
    assert server.prompts()[-1].count("Rud plays the drum") == 1


def test_an_example_that_is_not_in_its_own_text_ends_the_command_before_a_call(server, tmp_path):
    file = tmp_path / "examples.jsonl"
    wrong = Document(id="x", text="Nil sails", mentions=[Mention(id="m", start=0, end=0, text="Nell", label="PER",
                                                                  status="unlocated")])  # fmt: skip
    corpora.write([example("a", "Una cooks", "Una"), wrong], file)
    for system in ("schema", "pfa"):
        with pytest.raises(OpenMIEError, match="example 'x': 'Nell', which its text does not contain"):
            asked(server, "--examples", file, system=system)
    with pytest.raises(OpenMIEError, match="without anything that is asked for"):
        asked(server, "--examples", file, "--label", "DOG")
    file.write_text("", encoding="utf8")
    with pytest.raises(OpenMIEError, match="no example"):
        asked(server, "--examples", file)
    assert not server.bodies


def test_rendered_answers_hold_all_layers():
    doc = example("a", "Ada pays Bo 3 for a pen", "Ada", "Bo").replace(
        chains=[Chain(id="c", mentions=("m1",), label="PER")],
        relations=[Relation(head="m1", tail="m2", label="peer"), Relation(head="m1", tail="m2", label="other")],
        summary="A sale.", records=[Record(label="offer", data={"product": "pen"})],
    )  # fmt: skip
    doc = doc.replace(mentions=[doc.mentions[0].model_copy(update={"attributes": {"role": "buyer"}}), doc.mentions[1]])
    schema = Schema.of({"mentions": ["PER"], "relations": ["peer"]}, "summary,ner,chains,re,boxes,records",
                       {"PER": {"role": ""}}, RecordSchema.of(OFFER))  # fmt: skip
    assert json.loads(render_answer(doc, schema)) == {
        "summary": "A sale.",
        "mentions": [{"id": "m1", "text": "Ada", "label": "PER", "attributes": {"role": "buyer"}},
                     {"id": "m2", "text": "Bo", "label": "PER", "attributes": {"role": None}}],
        "chains": [{"id": "c1", "label": "PER", "mentions": ["m1"]}],
        "relations": [{"head": "m1", "tail": "m2", "label": "peer"}],
        "records": [{"product": "pen"}],
    }  # fmt: skip


def test_examples_of_relations_between_given_mentions(server, tmp_path):
    def pair(id, text, label):
        head, tail = text.split()[0], text.split()[-1]
        spans = ((0, len(head)), (len(text) - len(tail), len(text)))
        named = tuple(Mention(id=f"{id}{n}", start=a, end=b, label="PER") for n, (a, b) in enumerate(spans))
        return Document(
            id=id, text=text, mentions=named, relations=(Relation(head=f"{id}0", tail=f"{id}1", label=label),)
        )

    corpora.write([pair("x", "Ada taught Bo", "taught")], tmp_path / "examples.jsonl")
    corpora.write([pair("y", "Cleo met Dan", "")], tmp_path / "posts.jsonl")
    server.says = lambda prompt: {"relations": [{"head": "m2", "tail": "m1", "label": "taught"}]}
    ask = ["--system", "schema", "--model", "m", "--endpoint", server.url, "--task", "re", "--relation", "taught"]
    ask = ["extract", tmp_path / "posts.jsonl", *ask, "--examples", tmp_path / "examples.jsonl"]
    run(*ask, "--out", tmp_path / "o.jsonl")
    (prompt,) = server.prompts()
    assert '{"id": "m1", "text": "Ada", "label": "PER"}' in prompt and "Example 1, what is known of it" in prompt
    assert '{"relations": [{"head": "m1", "tail": "m2", "label": "taught"}]}' in prompt
    (found,) = corpora.read(tmp_path / "o.jsonl")
    assert [(r.head, r.tail, r.label) for r in found.relations] == [("y1", "y0", "taught")] and not found.errors
    corpora.write([pair("x", "Ada taught Bo", "other")], tmp_path / "examples.jsonl")
    with pytest.raises(OpenMIEError, match="without anything that is asked for"):
        run(*ask)
    more = pair("x", "Ada taught Bo", "other"), pair("z", "Eve saw Fay", "None"), pair("y", "Ida taught Jo", "taught")
    corpora.write(more, tmp_path / "examples.jsonl")  # a label that is not asked for, and none
    run(*ask, "--relation", "None")
    assert '"label": "None"}' in server.prompts()[-1] and '"label": "other"}' not in server.prompts()[-1]


def test_nearness_is_the_cosine_that_a_double_loop_finds():
    texts = ["red boats on the sea", "a boat", "red soup", "the sea the sea"]
    shown = ExampleSet([Document(id=t, text=t) for t in texts], lambda d: d.id, shown=1)
    for query, nearest in (("boats at sea", texts[0]), ("soup", texts[2]), ("the sea", texts[3]), ("boat", texts[1])):
        assert shown.chosen(query) == [(nearest, nearest)]
    weights = np.array([[v.get(k, 0.0) for k in shown._idf] for v in shown._vectors])
    assert np.allclose((weights**2).sum(1), 1)


def test_instructions_are_a_text_or_a_file(server, tmp_path):
    file = tmp_path / "how.txt"
    file.write_text("Titles belong to names.\n", encoding="utf8")
    for system in ("schema", "pfa"):
        for given in ("Titles belong to names.", file):
            asked(server, "--instructions", given, system=system)
            assert "Titles belong to names." in server.prompts()[-1].rpartition("Ada met Bo")[0]


def test_attributes_of_mentions_survive(server, tmp_path):
    server.says = lambda prompt: {
        "mentions": [
            {"id": "a", "text": "Ada", "label": "PER", "attributes": {"role": "host", "mood": "glad", "shoe": "red"}},
            {"id": "b", "text": "Turin", "label": "LOC", "attributes": {"role": "host", "mood": None}},
        ]
    }
    labels = ["--label", "PER", "--label", "LOC", "--attribute", "PER.role=what they do", "--attribute", "mood"]
    result = asked(server, *labels)
    found = Document.from_json(result.stdout)
    assert [m.attributes for m in found.mentions] == [{"role": "host", "mood": "glad"}, {}]
    told = " ".join(e.found for e in found.errors)
    assert result.exit_code == 3 and "'shoe'" in told and "'role'" in told and len(found.errors) == 2
    form = server.bodies[0]["response_format"]["json_schema"]["schema"]["properties"]["mentions"]["items"]
    assert set(form["properties"]["attributes"]["properties"]) == set(form["properties"]["attributes"]["required"])
    assert "role: what they do" in server.prompts()[0]
    rows = list(csv.DictReader(io.StringIO(asked(server, *labels, "--format", "csv").stdout)))
    assert [(r["label"], r["text"]) for r in rows if r["kind"] == "attribute"] == [("role", "host"), ("mood", "glad")]
    there = corpora.write([found.replace(errors=())], tmp_path / "a.jsonl")
    assert not there.dropped and next(iter(corpora.read(tmp_path / "a.jsonl"))).mentions == found.mentions
    assert corpora.write([found], tmp_path / "a.conll").dropped["mentions.attributes"] == 1
    for wrong, said in (("DOG.role=x", "DOG"), ("=x", "no name")):
        with pytest.raises(OpenMIEError, match=said):
            asked(server, "--label", "PER", "--attribute", wrong)
    with pytest.raises(OpenMIEError, match="Attributes with the system pfa"):
        asked(server, "--attribute", "role", system="pfa")


def test_records_follow_a_nested_schema_and_are_located(server, tmp_path):
    file, text = tmp_path / "offer.json", "Ada sells a used ladder, 30 euros. Legs and a box. Ask Ada!"
    file.write_text(json.dumps(OFFER), encoding="utf8")
    one = {"product": "ladder", "price": "30", "state": "used", "seller": {"name": "Ada"}, "parts": ["Legs", "bolts"]}
    server.says = lambda prompt: {"records": [one, {"product": "shelf", "state": "old", "colour": "red"}, {"price": 2}]}
    result = asked(server, "--schema", file, text=text)
    found = Document.from_json(result.stdout)
    first, second, third = found.records
    assert first.label == "offer" and first.data == {**one, "price": 30.0}
    assert {s.path: text[s.start : s.end] for s in first.spans} == {
        "/product": "ladder", "/seller/name": "Ada", "/parts/0": "Legs", "/parts/1": "",
    }  # fmt: skip
    assert second.data == {"product": "shelf"} and second.spans[0].start == second.spans[0].end and not third.spans
    told = [e.where.rpartition(", ")[2] + " " + e.found for e in found.errors]
    assert result.exit_code == 3 and len(told) == 3, told
    assert any("records[1]/state" in t for t in told) and any("records[1]/colour" in t for t in told)
    assert any("records[2]/product no value" in t for t in told) and not found.mentions
    form = server.bodies[0]["response_format"]["json_schema"]["schema"]["properties"]["records"]["items"]
    assert form["required"] == list(OFFER["properties"]) and form["additionalProperties"] is False
    assert form["properties"]["price"] == {"anyOf": [{"type": "number"}, {"type": "null"}]}
    assert "seller.name: words of the text; who sells" in server.prompts()[0]
    both = Document.from_json(asked(server, "--schema", file, "--label", "PER", text=text).stdout)
    assert both.records == found.records and '- "mentions"' in server.prompts()[-1]
    assert Document.from_json(both.to_json()) == both
    table = asked(server, "--schema", file, "--format", "table", text=text).stdout
    assert "record" in table and "ladder" in table


@pytest.mark.parametrize(("schema", "said"), [
    ({"type": "string"}, "type 'string'"),
    ({"type": "object", "properties": {"a": {"type": "text"}}}, "type 'text'"),
    ({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}}, "#/\\$defs/A"),
    ({"type": "object", "properties": {"a": {"$ref": "#"}}}, "leads to itself"),
    ([1], "the value"),
])  # fmt: skip
def test_a_schema_that_is_none_of_a_record_is_an_error(server, tmp_path, schema, said):
    file = tmp_path / "s.json"
    file.write_text(json.dumps(schema), encoding="utf8")
    with pytest.raises(OpenMIEError, match=said):
        asked(server, "--schema", file)
    with pytest.raises(OpenMIEError, match="--schema FILE"):
        asked(server, "--task", "records")
    assert not server.bodies


def test_values_of_records_are_their_occurrences_in_turn():
    schema = RecordSchema.of({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}})
    text = "Bo, Al, Bo"
    told, items = [], [{"a": "Bo", "b": "Al"}, {"a": "Bo", "b": "AL"}]
    records = read_records(items, schema, text, 5, lambda *_: None, lambda place, pairs: told.extend(pairs))
    assert told == [("Bo", "Bo"), ("Al", "Al"), ("Bo", "Bo"), ("AL", "Al")]
    records = read_records(items[:1] * 2, schema, text, 5, lambda *_: None, lambda place, pairs: told.extend(pairs))
    assert [r.spans for r in records] == [
        (RecordSpan("/a", 5, 7), RecordSpan("/b", 9, 11)), (RecordSpan("/a", 13, 15), RecordSpan("/b", 9, 11))
    ]  # fmt: skip


@pytest.mark.parametrize("system", ["schema", "pfa"])
def test_passes_are_united_and_the_first_wins(server, system):
    answers = {1: [("Ada Byron", "PER")], 2: [("Byron", "LOC"), ("Bo", "PER")], 3: [("Bo", "LOC"), ("Turin", "LOC")]}

    def says(prompt):
        again = re.search(r"This is reading (\d)", prompt)
        names = answers[int(again[1]) if again else 1]
        if system == "pfa":
            return f"Task 2 Answer: NER: {''.join(f':{b};{a}' for a, b in names)}\nimage-entity pair: {{}}"
        return {"mentions": [{"id": a, "text": a, "label": b} for a, b in names]}

    server.says = says
    labels = ["--label", "PER", "--label", "LOC", "--task", "ner"]
    result = asked(server, *labels, "--passes", 3, text="Ada Byron met Bo in Turin", system=system)
    found = Document.from_json(result.stdout)
    assert [(m.text, m.label) for m in found.mentions] == [("Ada Byron", "PER"), ("Bo", "PER"), ("Turin", "LOC")]
    assert len(server.bodies) == 3 == len(set(server.prompts())) and result.exit_code == 0 and not found.errors
    asked(server, *labels, text="Ada Byron met Bo in Turin", system=system)
    assert len(server.bodies) == 4


@pytest.mark.parametrize("system", ["schema", "pfa"])
def test_a_window_sees_what_stands_before_and_pictures_go_once(server, tmp_path, system):
    Picture.new("RGB", (30, 20), "navy").save(tmp_path / "a.png")
    text = " ".join(f"Name{n} walks." for n in range(12))
    more = ["--image", tmp_path / "a.png", "--vlm-option", "window=50", "--vlm-option", "overlap=0", "--label", "PER",
            "--task", "ner"]  # fmt: skip
    found = Document.from_json(asked(server, *more, "--vlm-option", "before=20", text=text, system=system).stdout)
    assert [m.text for m in found.mentions] == [f"Name{n}" for n in range(12)] and not found.errors
    number = len(server.bodies)
    assert server.pictures() == [1] + [0] * (number - 1) and number > 2
    for prompt, body in zip(server.prompts()[1:], server.prompts()):
        before, part = fenced(prompt)[-2:]
        assert len(before) <= 20 and text.index(before.strip()) + len(before.strip()) <= text.index(part.strip())
        assert before.strip() in body
    asked(server, *more, "--vlm-option", "pictures_once=false", text=text, system=system)
    assert server.pictures()[number:] == [1] * number


def test_where_boxes_are_asked_for_every_window_has_the_pictures(server, tmp_path):
    Picture.new("RGB", (30, 20), "navy").save(tmp_path / "a.png")
    server.says = lambda prompt: {"mentions": [], "boxes": []}
    text = " ".join(f"Name{n} walks." for n in range(12))
    more = ["--vlm-option", "window=50", "--vlm-option", "family=pixels", "--label", "PER", "--task", "grounded"]
    asked(server, "--image", tmp_path / "a.png", *more, text=text)
    assert len(server.bodies) > 2 and set(server.pictures()) == {1}
