"""The reader of FewRel, on made-up sentences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openmie.corpora import load

TOKENS = ["Mira", "Tolk", "left", "Quend", "Bay", "for", "Quend", "."]
ROW = {"tokens": TOKENS, "h": ["mira tolk", "Q1", [[0, 1]]], "t": ["quend", "Q2", [[3, 4], [6]]]}


def read(folder: Path, content, name: str = "val_wiki.json"):
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    corpus = load(f"fewrel:{folder / name}")
    return list(corpus.dev), list(corpus.skipped)


def test_places_are_mentions_and_several_are_a_chain(tmp_path):
    (made,), skipped = read(tmp_path, {"P551": [ROW]})
    assert not skipped and made.text == "Mira Tolk left Quend Bay for Quend ." and made.id == "dev-P551-0"
    assert {m.id: m.text for m in made.mentions} == {"h": "Mira Tolk", "t": "Quend Bay", "t.1": "Quend"}
    assert [(c.id, c.mentions) for c in made.chains] == [("tail", ("t", "t.1"))]
    assert [(r.head, r.tail, r.label) for r in made.relations] == [("h", "t", "P551")]


@pytest.mark.parametrize(
    "wrong",
    [
        {**ROW, "h": ["mira", "Q1", [[0, 2]]]},
        {**ROW, "h": ["mira", "Q1", [[7, 8]]]},
        {**ROW, "h": ["mira", "Q1", [[-1, 0]]]},
        {**ROW, "h": ["mira", "Q1", []]},
        {**ROW, "h": ["mira", "Q1"]},
        {**ROW, "t": ["q", "Q1", [[True]]]},
        {**ROW, "tokens": "Mira"},
        {**ROW, "tokens": ["Mira", ""]},
        3,
    ],
)
def test_a_row_that_is_none_is_left_out(tmp_path, wrong):
    made, (record,) = read(tmp_path, {"P551": [wrong, ROW]})
    assert [d.id for d in made] == ["dev-P551-1"] and "token indices" in record.expected and "P551" in record.found


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "{}"])
def test_a_file_that_is_none_is_one_record(tmp_path, content):
    made, (record,) = read(tmp_path, content)
    assert not made and "an object: relation -> sentences" in record.expected
