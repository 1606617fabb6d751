"""The reader of FewRel, on made-up sentences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openmie.corpora import load
from openmie.errors import CorpusError

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


def test_a_folder_of_several_domains(tmp_path):
    """The training file tells the domain; it is named where there is none, and the error says what to type."""
    for name in ("val_nyt", "val_wiki", "pid2name"):
        (tmp_path / f"{name}.json").write_text(json.dumps({name: [ROW]}), encoding="utf-8")
    with pytest.raises(CorpusError) as error:
        load(f"fewrel:{tmp_path}")
    for typed in (f"fewrel:{tmp_path}?domain=nyt", f"fewrel:{tmp_path}/val_nyt.json"):
        assert typed in error.value.record.remedy and [d.id for d in load(typed).dev] == ["dev-val_nyt-0"]
    (tmp_path / "train_wiki.json").write_text(json.dumps({"train": [ROW]}), encoding="utf-8")
    found = load(f"fewrel:{tmp_path}")
    assert [d.relations[0].label for d in (*found.train, *found.dev)] == ["train", "val_wiki"]
    other = load(f"fewrel:{tmp_path}?domain=nyt")
    assert list(other.sources) == ["dev"] and [d.relations[0].label for d in other.dev] == ["val_nyt"]
    with pytest.raises(CorpusError, match="nyt, wiki"):
        load(f"fewrel:{tmp_path}?domain=pubmed")


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
