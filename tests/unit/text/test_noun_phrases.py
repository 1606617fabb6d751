"""Noun phrases: against a pattern over tags, on sentences that anybody would cut alike, and odd texts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openmie.data.document import Document, Mention, Region, Relation
from openmie.text import pos
from openmie.text.noun_phrases import noun_phrases

LETTERS = {"ADJ": "A", "NUM": "A", "NOUN": "N", "PROPN": "N"}


def texts(text: str, **layers) -> list[str]:
    return [p.text for p in noun_phrases(Document(id="d", text=text, **layers))]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(pos.TAGS), max_size=12))
def test_runs_are_those_of_a_greedy_pattern(tags):
    document = Document.from_words("d", [f"w{i}" for i in range(len(tags))])
    letters = "".join(LETTERS.get(tag, "-") for tag in tags)
    expected = [(document.words[m.start()].start, document.words[m.end() - 1].end)
                for m in re.finditer("[AN]*N", letters)]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pos, "tag", lambda texts, *_: [tuple(tags)])
        found = noun_phrases(document)
    assert [(p.start, p.end) for p in found] == expected
    assert all(document.text[p.start : p.end] == p.text for p in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Two red kites above Zorvane Tower", ["Two red kites", "Zorvane Tower"]),
        ("The tower of London is big", ["tower", "London"]),
        ("I love my dog , my Dog and NBA 2017 !", ["dog", "NBA"]),
        ("@LeBron dunks on Kevin Love #nba http://t.co/x", ["Kevin Love"]),
        ("a new red\n car", ["new red\n car"]),
        ("", []),
        (" \n", []),
        ("of the and", []),
    ],
)
def test_sentences(text, expected):
    assert texts(text) == expected


def test_offsets_are_code_points_and_plain_is_what_is_compared():
    document = Document(id="d", text="👩‍👩‍👧‍👦 é 𝐁 a Big  Dog and the big dog")
    found = next(p for p in noun_phrases(document) if p.text.endswith("Dog"))
    assert document.text[found.start : found.end] == found.text == "Big  Dog" and found.plain == "big dog"
    assert [p.plain for p in noun_phrases(document)].count("big dog") == 1


def test_words_that_skip_text_or_run_backwards_end_a_phrase():
    text = "red kites, Zorvane Tower"
    spans = [(0, 3), (4, 9), (11, 18), (19, 24)]  # the comma is no word, and still no white space
    assert texts(text, words=spans) == ["red kites", "Zorvane Tower"]
    assert "".join(texts(text, words=[spans[3], spans[0], spans[1]])) == "Towerred kites"
    assert texts("red kites", words=[(0, 3), (3, 3), (3, 4), (4, 9)]) == ["red kites"]  # empty and blank words


def test_a_language_without_tagger_has_none():
    assert texts("Der rote Drachen über dem Turm", lang="de") == []


def test_chinese_words_of_one_character_are_one_phrase(monkeypatch):
    asked = []

    def tag(words, lang, tagger):
        asked.append((words, lang))
        return [("PRON", "VERB", "PROPN", "PROPN", "PUNCT")]

    monkeypatch.setattr(pos, "tag", tag)
    assert texts("我爱北京。", lang="zh") == ["北京"] and asked == [([["我", "爱", "北", "京", "。"]], "zh")]


def test_annotation_is_not_read():
    text = "two red kites above Zorvane Tower"
    gold = Document(
        id="d", text=text, mentions=[Mention(id="m", start=0, end=9), Mention(id="n", start=20, end=33)],
        relations=[Relation(head="m", tail="n")], regions=[Region(image="i", box=(0, 0, 1, 1), of="m")],
    )  # fmt: skip
    assert noun_phrases(gold) == noun_phrases(gold.without_gold()) != []
