"""The built-in labels of base: complete in two languages, their types consistent; and labels as users give them."""

import json
import re
from dataclasses import fields

import pytest
from typer.testing import CliRunner

from openmie.base.labels import LABELS, MAX_LENGTH, RELATIONS, described, label_texts, relation_texts
from openmie.cli.application import app
from openmie.errors import OpenMIEError, RecipeError

HAN = re.compile("[\u4e00-\u9fff]")


@pytest.mark.parametrize("name", [*LABELS, *RELATIONS])
def test_a_label_has_words_and_a_description_in_both_languages(name):
    label = (LABELS | RELATIONS)[name]
    assert not HAN.search(label.words + label.description) and label.words and len(label.description) > 10
    assert HAN.search(label.words_zh) and len(HAN.findall(label.description_zh)) > 4
    assert len(label.text()) <= MAX_LENGTH and label.text("zh").startswith(label.words_zh)
    texts = [str(getattr(label, f.name)) for f in fields(label)]
    assert all(t == t.strip() and not t.endswith((".", "。")) for t in texts)


def test_the_set_that_was_settled_on():
    assert list(LABELS) == ["PER", "LOC", "ORG", "PRODUCT", "WORK", "EVENT", "GROUP", "TIME", "MISC"]
    assert len(RELATIONS) >= 20 and len(set(relation_texts().values())) == len(RELATIONS)
    assert len(set(label_texts().values()) | set(label_texts("zh").values())) == 2 * len(LABELS)


@pytest.mark.parametrize("relation", RELATIONS.values(), ids=list(RELATIONS))
def test_a_relation_holds_between_built_in_types(relation):
    assert relation.head and relation.tail and {*relation.head, *relation.tail} <= LABELS.keys()
    assert not relation.symmetric or relation.head == relation.tail


def test_labels_in_any_form():
    assert described(None) == label_texts() and described(None, RELATIONS, "relation") == relation_texts()
    assert described("BRAND") == {"BRAND": ""} and described(n for n in ("b", "a")) == {"b": "", "a": ""}
    assert described({"PER": "", "LOC": None, " 品牌 ": " 一个品牌 "}) == {
        "PER": LABELS["PER"].text(),
        "LOC": LABELS["LOC"].text(),
        "品牌": "一个品牌",
    }
    assert described({"PER": "a player"}) == {"PER": "a player"}
    assert described(["author"], RELATIONS) == {"author": RELATIONS["author"].text()}
    assert len(described(f"type {i}" for i in range(200))) == 200


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({}, "no labels"),
        ([], "at least one label"),
        ([""], "invalid label ''"),
        ({" ": "x"}, "invalid label ' '"),
        ([3], "invalid label 3"),
        ({"PER": 3}, "description 3"),
        (["PER", " PER"], "label 'PER' twice"),
        ({"PER": "x" * 401}, "401 characters"),
        (["x" * 401], "401 characters"),
    ],
)
def test_labels_that_mean_nothing(labels, words):
    with pytest.raises(RecipeError, match="(?i)" + words):
        described(labels)


def test_openmie_labels_prints_them():
    table = CliRunner().invoke(app, ["labels"]).output
    assert all(name in table for name in (*LABELS, *RELATIONS)) and "not a duration" in table
    assert "不包括时长" in CliRunner().invoke(app, ["labels", "--language", "zh"]).output
    rows = [json.loads(x) for x in CliRunner().invoke(app, ["labels", "--format", "jsonl"]).output.splitlines()]
    assert [r["name"] for r in rows] == [*LABELS, *RELATIONS]
    assert rows[0] == {
        "kind": "label",
        "name": "PER",
        **{f.name: getattr(LABELS["PER"], f.name) for f in fields(LABELS["PER"])},
    }
    assert rows[-1]["head"] == ["PRODUCT"]


@pytest.mark.parametrize("arguments", [["--format", "xml"], ["--language", "fr"]])
def test_openmie_labels_refuses_others(arguments):
    error = CliRunner().invoke(app, ["labels", *arguments]).exception
    assert isinstance(error, OpenMIEError) and arguments[1] in str(error)
