"""`openmie extract` without --model: base, labels and thresholds as typed, the table, and what it says of itself."""

import json

import numpy as np
import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

from openmie.base import loading
from openmie.base.labels import LABELS
from openmie.cli import application as cli
from openmie.cli.base_options import typed_threshold
from openmie.cli.result_table import result_rows
from openmie.data.document import Chain, Document, Image, Mention, Region, Relation
from openmie.errors import ErrorRecord, OpenMIEError, RecipeError
from openmie.formats.output import WriteReport
from openmie.model.pretrained import Model
from tests.fixtures import small
from tests.fixtures.base_stub import stub_base
from tests.fixtures.prompted_server import chat_server, people

ONE = ("extract", "--text", "Ada Lovelace spoke in Turin")


def run(*arguments, input=None):
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments], input=input)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def found(*arguments):
    document = Document.from_json(run(*ONE, *arguments).stdout)
    return [(m.text, m.label) for m in document.mentions], {r.label for r in document.relations}


@pytest.fixture(autouse=True)
def base(monkeypatch):
    """What "base" names."""
    made = stub_base()
    monkeypatch.setattr(loading, "shipped", lambda: made)
    return made


@pytest.fixture(scope="module")
def trained(tmp_path_factory, bert):
    folder = tmp_path_factory.mktemp("trained") / "model"
    Model.new(small.recipe("ner", "text", encode__text__name=bert)).save_pretrained(folder)
    return folder


def test_one_command_for_every_kind_of_model(trained, tmp_path):
    """Base, a trained recipe and both prompt formats: the same posts and options, rows of one form, one scorer."""
    split, gold = "diorama:train=1,dev=1,test=3#test", tmp_path / "gold.jsonl"
    run("convert", split, gold)
    number = sum(len(json.loads(line)["mentions"]) for line in gold.read_text(encoding="utf8").splitlines())
    ids = [json.loads(line)["id"] for line in gold.read_text(encoding="utf8").splitlines()]
    with chat_server(people) as server:
        remote = ["--endpoint", server.url, "--model", "m", "--label", "PER"]
        kinds = {"base": [], "recipe": ["--model", trained], "schema": ["--system", "schema", *remote],
                 "pfa": ["--system", "pfa", *remote]}  # fmt: skip
        for kind, more in kinds.items():
            out = tmp_path / f"{kind}.jsonl"
            assert not run("extract", split, "--task", "ner", "--out", out, *more).exit_code
            rows = [json.loads(line) for line in out.read_text(encoding="utf8").splitlines()]
            layers = {"mentions", "relations", "regions", "chains", "summary", "records"}
            assert [r["id"] for r in rows] == ids and {k for r in rows for k in r} & layers <= {"mentions"}
            (score, *_) = json.loads(run("score", gold, out, "--bootstrap", 0, "--format", "json").stdout)
            assert score["gold"] == number
    everything = json.loads(run(*ONE).stdout)
    assert {"mentions", "relations"} <= set(everything)
    for wrong in ("summary", "nre"):
        with pytest.raises(OpenMIEError, match=wrong):
            run(*ONE, "--task", wrong)


@pytest.mark.parametrize("model", [(), ("--model", "base")])
def test_base_is_what_no_model_names(model):
    mentions, relations = found(*model)
    assert mentions == [("Ada Lovelace", "PER"), ("Turin", "LOC")] and "born in" in relations


def test_it_says_once_what_it_is_and_how_to_do_better(tmp_path):
    (tmp_path / "posts.jsonl").write_text('{"text": "Ada"}\n{"text": "Bo"}\n')
    said = run("extract", tmp_path / "posts.jsonl").stderr
    assert said.count("stub 7") == 1 and "F1 on nothing 12.3; posts 3." in said
    assert "openmie train base" in said and "--system schema" in said


def test_labels_relations_and_thresholds_as_typed(tmp_path):
    assert found("--label", "PER") == ([("Ada Lovelace", "PER")], set())
    both = ("--label", "PER=a person", "--label", "CITY=a city")
    assert found(*both, "--relation", "stays in = is there")[0] == [("Ada Lovelace", "PER"), ("Turin", "CITY")]
    assert found(*both, "--relation", "stays in=is there")[1] == {"stays in"}
    assert found("--threshold", "0.9")[0] == [("Ada Lovelace", "PER")]
    assert found("--threshold", "0.99", "--threshold", "LOC=0.3")[0] == [("Turin", "LOC")]
    (tmp_path / "labels.json").write_text(json.dumps({"mentions": {"城市": "一座城市"}, "relations": {"在": "位于"}}))
    assert run("extract", "--text", "她在都灵", "--labels", tmp_path / "labels.json").stdout.count("城市") == 1
    (tmp_path / "flat.json").write_text(json.dumps({"PER": "a person"}))
    assert found("--labels", tmp_path / "flat.json", "--label", "LOC")[0] == [("Ada Lovelace", "PER"), ("Turin", "LOC")]


def test_a_known_label_has_its_meaning(base, monkeypatch):
    asked = []
    real = type(base.text).entities
    monkeypatch.setattr(
        type(base.text), "entities", lambda s, t, labels, x=None: asked.append(labels) or real(s, t, labels, x)
    )
    run(*ONE, "--label", "PER", "--label", "BRAND=a brand")
    assert asked == [{"PER": LABELS["PER"].text(), "BRAND": "a brand"}]


def test_two_hundred_labels(tmp_path):
    (tmp_path / "labels.json").write_text(
        json.dumps({f"type {i}": f"the {i}th type" for i in range(200)} | {"PER": ""})
    )
    assert found("--labels", tmp_path / "labels.json")[0] == [("Ada Lovelace", "PER")]


@pytest.mark.parametrize(("name", "hint"), [("PRODUCTS", True), ("EVNT", True), ("BRAND", False), ("PER", False)])
def test_a_label_that_is_nearly_a_built_in_one(name, hint):
    said = run(*ONE, "--label", name).stderr
    assert ("did you mean" in said) is hint and (not hint or f"--label {name}=MEANING" in said)
    assert "did you mean" not in run(*ONE, "--label", f"{name}=something").stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--label", ""), "no name"),
        (("--label", "=a person"), "no name"),
        (("--label", "PER=a", "--label", "PER=b"), "--label 'PER' twice"),
        (("--relation", "r", "--relation", " r "), "--relation 'r' twice"),
        (("--label", "PER=" + "x" * 401), "401 characters"),
        (("--threshold", "1.5"), "number from 0 to 1"),
        (("--threshold", "-0.1"), "number from 0"),
        (("--threshold", "nan"), "number from 0"),
        (("--threshold", "half"), "--threshold half"),
        (("--threshold", "PER=much"), "--threshold PER=much"),
        (("--threshold", "PRE=0.5"), "did you mean 'PER'"),
        (("--threshold", "0.5", "--threshold", "0.6"), "2 thresholds"),
        (("--threshold", "0.5", "--system", "schema", "--model", "m"), "--threshold with --system"),
        (("--endpoint", "http://localhost:1"), "--endpoint without --system"),
        (("--task", "nre"), "task of this model 'nre'"),
        (("--model", "./nowhere"), "No folder"),
    ],
)
def test_what_means_nothing(arguments, words):
    with pytest.raises(OpenMIEError, match="(?i)" + words):
        run(*ONE, *arguments)


@pytest.mark.parametrize("data", ["{}", "[]", '{"regions": {"person": ""}}', "[3]", '{"PER": 3}', "3", "{"])
def test_files_without_labels(tmp_path, data):
    (tmp_path / "labels.json").write_text(data)
    with pytest.raises(OpenMIEError):
        run(*ONE, "--labels", tmp_path / "labels.json")


@pytest.mark.parametrize(
    "data",
    [
        '{"PER": "a person", "LOC": "a place", "PER": "a permit"}',
        '{"PER": "a person", " PER ": "a person"}',
        '{"mentions": {"PER": "a person", "PER": "a person"}}',
        '{"mentions": {"PER": ""}, "relations": {"in": "is in", "in": "is of"}}',
        '{"mentions": {"PER": ""}, "mentions": {"LOC": ""}}',
        '["PER", "LOC", "PER"]',
        '{"mentions": ["PER", "PER "]}',
    ],
)
@pytest.mark.parametrize("system", [(), ("--system", "schema", "--endpoint", "http://localhost:1", "--model", "m")])
def test_a_file_that_names_a_label_twice(tmp_path, data, system):
    (tmp_path / "labels.json").write_text(data)
    with pytest.raises(RecipeError, match="twice"):
        run(*ONE, "--labels", tmp_path / "labels.json", *system)


@pytest.mark.parametrize("option", [("--label", "PER"), ("--relation", "r"), ("--threshold", "0.5")])
def test_a_trained_model_has_fixed_labels(trained, option):
    with pytest.raises(OpenMIEError, match=f"{option[0]} with the trained model .* whose labels and scores are fixed"):
        run(*ONE, "--model", trained, *option)
    assert "stub" not in run(*ONE, "--model", trained).stderr


def test_base_and_then_a_trained_model(trained):
    both = run(*ONE, "--model", "base", "--model", trained, "--label", "PER")
    assert Document.from_json(both.stdout).source["openmie"]["models"][0]["name"] == "stub" and "stub 7" in both.stderr


def test_thresholds_as_typed():
    assert typed_threshold([]) == (None, {}) and typed_threshold(["0.5"]) == (0.5, {})
    assert typed_threshold(["a=b=0.5", "0"]) == (0.0, {"a=b": 0.5}) and typed_threshold([" b = 1"]) == (
        None,
        {"b": 1.0},
    )


def seen():
    """A document with all that a table shows."""
    return Document(
        id="p", text="Ada in Turin, Ada", images=[Image(id="main", width=90, height=60)],
        mentions=[
            Mention(id="m0", start=0, end=3, label="PER", score=0.98),
            Mention(id="m1", start=7, end=12, label="LOC", score=0.8),
            Mention(id="m2", start=14, end=17, label="PER", score=0.9),
            Mention(id="m3", start=0, end=0, label="ORG", text="ESA", status="unlocated", score=0.7),
        ],
        chains=[Chain(id="c0", mentions=["m0", "m2"], label="PER")],
        relations=[Relation(head="m0", tail="m1", label="lives in", score=0.61)],
        regions=[
            Region(image="main", box=(1, 2, 30, 40), label="person", score=0.9),
            Region(image="main", box=(5, 6, 7, 8.4), label="WORDS", text="NASA [bold]", score=0.8),
            Region(image="main", box=(1, 2, 30, 40), label="PER", of="c0", score=0.6),
            Region(image="main", box=(5, 6, 6, 8), label="ORG", text="NASA", score=0.6),
            Region(image="main", box=(5, 6, 7, 8), label="ORG", of="m3", score=0.7),
        ],
        errors=[ErrorRecord(found="a thing", where="x")],
    )  # fmt: skip


def test_a_table_has_a_row_for_everything():
    rows = [row[1:] for row in result_rows([seen()], WriteReport())]
    assert rows == [
        ["entity", "PER", "Ada", "0:3", "0.98"],
        ["entity", "LOC", "Turin", "7:12", "0.80"],
        ["entity", "PER", "Ada", "14:17", "0.90"],
        ["entity", "ORG", "ESA", "not in the text", "0.70"],
        ["chain", "PER", "Ada = Ada", "", ""],
        ["relation", "lives in", "Ada -> Turin", "", "0.61"],
        ["object", "person", "", "1 2 30 40", "0.90"],
        ["words", "", "NASA [bold]", "5 6 7 8", "0.80"],
        ["link", "PER", "Ada", "1 2 30 40", "0.60"],
        ["entity", "ORG", "NASA", "photograph 5 6 6 8", "0.60"],
        ["link", "ORG", "ESA", "5 6 7 8", "0.70"],
        ["error", "", "In x: a thing.", "", ""],
    ]
    two = seen().replace(images=[Image(id="main"), Image(id="b")])
    assert [row[4] for row in result_rows([two], WriteReport()) if row[1] == "object"] == ["main 1 2 30 40"]


def test_the_document_stands_in_the_table_of_several(tmp_path):
    (tmp_path / "posts.jsonl").write_text('{"id": "first", "text": "Ada"}\n{"id": "second", "text": "Bo"}\n')
    table = run("extract", tmp_path / "posts.jsonl", "--format", "table").stdout
    assert "first" in table and "document" in table
    assert "document" not in run(*ONE, "--format", "table").stdout


def test_a_broken_image_is_said_and_the_text_is_read(tmp_path, base):
    Picture.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "a.png")
    assert found("--image", tmp_path / "a.png")[0] == found()[0]
