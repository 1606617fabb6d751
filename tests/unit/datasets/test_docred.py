"""The reader of DocRED and Re-DocRED, on a made-up article."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openmie.corpora import load


def mention(sent: int, start: int, end: int, label: str) -> dict:
    return {"name": "", "sent_id": sent, "pos": [start, end], "type": label}


ARTICLE = {
    "title": "Mira Tolk",
    "sents": [["Mira", "Tolk", "sings", "."], ["Tolk", "lives", "in", "Quend", "Bay", "."]],
    "vertexSet": [
        [mention(1, 0, 1, "PER"), mention(0, 0, 2, "PER")],
        [mention(1, 3, 5, "LOC")],
    ],
    "labels": [{"h": 0, "t": 1, "r": "P551", "evidence": [1]}, {"h": 0, "t": 1, "r": "P551"}],
}


def read(folder: Path, *articles):
    (folder / "dev_revised.json").write_text(json.dumps(articles), encoding="utf-8")
    corpus = load(f"docred:{folder}")
    return list(corpus.dev), list(corpus.skipped)


def test_chains_and_relations_over_sentences(tmp_path):
    (made,), skipped = read(tmp_path, ARTICLE)
    assert not skipped and made.text == "Mira Tolk sings . Tolk lives in Quend Bay ." and made.id == "dev-1"
    texts = {c.id: [made.find(m).text for m in c.mentions] for c in made.chains}
    assert texts == {"c0": ["Tolk", "Mira Tolk"], "c1": ["Quend Bay"]} and made.find("m0.0").start == 18
    assert [(c.label) for c in made.chains] == ["PER", "LOC"]
    assert [(r.head, r.tail, r.label) for r in made.relations] == [("c0", "c1", "P551")]
    assert made.source["title"] == "Mira Tolk"


def test_an_article_without_labels(tmp_path):
    (made,), skipped = read(tmp_path, {k: v for k, v in ARTICLE.items() if k != "labels"})
    assert len(made.chains) == 2 and not made.relations and not skipped


@pytest.mark.parametrize(
    "wrong",
    [mention(2, 0, 1, "PER"), mention(1, 4, 7, "PER"), mention(0, 1, 1, "PER"), {"sent_id": 0}, "Tolk",
     {**mention(0, 0, 1, "PER"), "pos": [0, 1.0]}],
)  # fmt: skip
def test_a_wrong_mention_is_a_record_and_its_entity_keeps_the_others(tmp_path, wrong):
    entities = [[*ARTICLE["vertexSet"][0], wrong], ARTICLE["vertexSet"][1]]
    (made,), (record,) = read(tmp_path, {**ARTICLE, "vertexSet": entities})
    assert [len(c.mentions) for c in made.chains] == [2, 1] and len(made.relations) == 1
    assert "mention" in record.found and made.errors == (record,)


@pytest.mark.parametrize("wrong", [{"h": 0, "t": 2, "r": "P1"}, {"h": 0, "t": 1}, 3, {"h": -1, "t": 1, "r": "P1"}])
def test_a_wrong_relation_is_a_record(tmp_path, wrong):
    (made,), (record,) = read(tmp_path, {**ARTICLE, "labels": [wrong, *ARTICLE["labels"]]})
    assert len(made.relations) == 1 and "relation" in record.found


@pytest.mark.parametrize("wrong", [{}, 3, {**ARTICLE, "sents": ["Mira"]}, {**ARTICLE, "vertexSet": None}])
def test_an_article_that_is_none_is_left_out(tmp_path, wrong):
    made, (record,) = read(tmp_path, wrong, ARTICLE)
    assert [d.id for d in made] == ["dev-2"] and "vertexSet" in record.expected
