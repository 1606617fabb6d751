"""The reader of JMERE, on made-up posts in the published layout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openmie.corpora import load


def triple(a, b, relation, wrap=True):
    entities = [{"name": n, "pos": p, "tags": t} for n, p, t in (a, b)]
    whole = {"beg_ent": entities[0], "sec_ent": entities[1], "relation": relation}
    return [whole] if wrap else whole


MIRA, TOLK, QUEND = ("Mira", [0, 1], "per"), ("Tolk", [2, 3], "per"), ("Quend Bay", [4, 6], "loc")
POST = {
    "token": ["Mira", "and", "Tolk", "in", "Quend", "Bay"],
    "img_id": "pic_1.jpg",
    "label_list": [triple(MIRA, TOLK, "couple"), triple(MIRA, QUEND, "place_of_residence"), triple(MIRA, TOLK, "peer")],
}


def read(folder: Path, text: str, name: str = "train.json"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    corpus = load(f"jmere:{folder}")
    return list(corpus.train), [str(r) for r in corpus.skipped]


@pytest.mark.parametrize(
    "text", [json.dumps([POST]), json.dumps([POST], indent=1), json.dumps(POST), repr(POST), repr([POST])]
)
def test_all_published_layouts(tmp_path, text):
    (document,), skipped = read(tmp_path, text)
    assert skipped == [] and document.id == "train-1" and document.text == "Mira and Tolk in Quend Bay"
    assert [(m.text, m.label) for m in document.mentions] == [("Mira", "per"), ("Tolk", "per"), ("Quend Bay", "loc")]
    assert [(document.find(r.head).text, r.label, document.find(r.tail).text) for r in document.relations] == [
        ("Mira", "couple", "Tolk"),
        ("Mira", "place_of_residence", "Quend Bay"),
        ("Mira", "peer", "Tolk"),
    ]
    assert document.images[0].id == "pic_1.jpg"


def test_bare_triples_repeats_and_capitals(tmp_path):
    post = {**POST, "label_list": [triple(MIRA, ("Tolk", [2, 3], "PER"), "Couple", wrap=False)] * 2}
    (document,), skipped = read(tmp_path, json.dumps([post]))
    assert skipped == [] and [r.label for r in document.relations] == ["couple"]
    assert [m.label for m in document.mentions] == ["per", "per"]


def test_captions_of_the_row(tmp_path):
    post = {**POST, "image_caption": [" two people "], "knowledge": "unused"}
    assert read(tmp_path, json.dumps([post]))[0][0].captions == {"image_caption": "two people"}


@pytest.mark.parametrize(
    "bad",
    [
        triple(("Mira", [0, 9], "per"), TOLK, "peer"),
        triple(("Mira", [1, 1], "per"), TOLK, "peer"),
        triple(("Tolk", [0, 1], "per"), TOLK, "peer"),
        triple(("Mira", [0, 1], ""), TOLK, "peer"),
        triple(MIRA, TOLK, ""),
        [],
        7,
        {"relation": "peer"},
    ],
)
def test_bad_triples_are_records(tmp_path, bad):
    (document,), skipped = read(tmp_path, "\n" + json.dumps({**POST, "label_list": [bad, POST["label_list"][1]]}))
    assert [r.label for r in document.relations] == ["place_of_residence"]
    assert len(skipped) == 1 and "train.json:2" in skipped[0] and [str(e) for e in document.errors] == skipped


@pytest.mark.parametrize("bad", ["{", "7", '{"token": "a"}', '{"token": ["a"], "label_list": 3}', '{"token": []}'])
def test_bad_rows_are_records(tmp_path, bad):
    documents, skipped = read(tmp_path, json.dumps(POST) + "\n" + bad + "\n" + json.dumps(POST))
    assert [d.id for d in documents] == ["train-1", "train-3"] and len(skipped) == 1 and "train.json:2" in skipped[0]


def test_a_post_without_relations(tmp_path):
    documents, skipped = read(tmp_path, json.dumps({"token": ["a"], "img_id": ""}))
    assert documents[0].mentions == () and documents[0].images == () and skipped == []


def test_a_numeric_image_id_is_an_id(tmp_path):
    (document,), skipped = read(tmp_path, json.dumps(POST | {"img_id": 17}))
    assert skipped == [] and document.images[0].id == document.source["img_id"] == "17"


def test_symmetric(tmp_path):
    read(tmp_path, json.dumps([POST]))
    assert {"couple", "peer"} <= load(f"jmere:{tmp_path}").labels.symmetric
