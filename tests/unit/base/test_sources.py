"""Training sentences from small files in the corpora's formats, written for this test."""

from __future__ import annotations

import json
from pathlib import Path

from openmie.base import relation_sources, sources
from openmie.base.examples import Example, Label, Span
from openmie.base.roles import ROLES


def test_blocks_end_at_blank_lines_and_lines_of_tabs(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text("\ufeffAda\tB-PER\nsang\tO\n\t\nRome\tB-LOC\n\n\n", "utf8")
    assert list(sources.columns(path)) == [(["Ada", "sang"], ["B-PER", "O"]), (["Rome"], ["B-LOC"])]


def test_runs_of_tags() -> None:
    found = list(sources.runs(["B-A", "I-A", "I-B", "O", "I-A", "B-A"]))
    assert found == [(0, 2, "A"), (2, 3, "B"), (4, 5, "A"), (5, 6, "A")]


def test_handles_are_no_names(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text("@\tB-PER\nada_l\tB-PER\nmet\tO\n@ada\tB-PER\nin\tO\nRome\tB-LOC\n", "utf8")
    (example,) = sources.tagged(path, ("PER", "LOC", "ORG"), "posts")
    assert [(s.start, s.labels) for s in example.spans if s.labels == {"location"}] == [(5, {"location"})]
    assert not any(s.start == 3 for s in example.spans)


def test_annotated_labels_are_those_of_the_corpus(tmp_path: Path) -> None:
    path = tmp_path / "a.conll"
    path.write_text("Ada\tB-person\n", "utf8")
    (example,) = sources.tagged(path, sources.WNUT, "wnut")
    assert example.annotated == {"person", "location", "corporation", "creative work", "product", "group"}


def test_chinese_words_become_characters(tmp_path: Path) -> None:
    path = tmp_path / "zh.iob2"
    path.write_text("1\t意大利\tB-LOC\n2\t很\tO\n3\tBBC\tB-ORG\n", "utf8")
    (example,) = sources.chinese(path, ("PER", "LOC", "ORG"), "web", word=1, tag=2)
    assert example.words == ("意", "大", "利", "很", "BBC")
    assert [(s.start, s.end) for s in example.spans] == [(0, 3), (4, 5)]


def test_roles_of_a_documents_relations_hold_in_all_of_its_sentences(tmp_path: Path) -> None:
    document = {
        "sents": [["Ada", "studied", "in", "Turin", "College", "."], ["The", "College", "and", "Ada", "."]],
        "vertexSet": [
            [{"sent_id": 0, "pos": [0, 1], "type": "PER"}, {"sent_id": 1, "pos": [3, 4], "type": "PER"}],
            [{"sent_id": 0, "pos": [3, 5], "type": "ORG"}, {"sent_id": 1, "pos": [1, 2], "type": "ORG"}],
        ],
        "labels": [{"h": 0, "t": 1, "r": "P69"}],
    }
    path = tmp_path / "docs.json"
    path.write_text(json.dumps([document]), "utf8")
    first, second = sources.redocred(path)
    assert "university" in second.spans[1].labels and "organization" in second.spans[1].labels
    assert first.lower_is_none and "person" in first.annotated and "university" not in first.annotated
    (pairs, *_) = relation_sources.redocred(path, 0)
    assert (0, 1, frozenset({"P69"})) in pairs.pairs


def test_a_role_of_another_kind_than_the_entity_is_left_out(tmp_path: Path) -> None:
    document = {
        "sents": [["Ada", "studied", "in", "Turin", "."]],
        "vertexSet": [[{"sent_id": 0, "pos": [0, 1], "type": "PER"}], [{"sent_id": 0, "pos": [3, 4], "type": "LOC"}]],
        "labels": [{"h": 0, "t": 1, "r": "P69"}],
    }
    path = tmp_path / "docs.json"
    path.write_text(json.dumps([document]), "utf8")
    (example,) = sources.redocred(path)
    assert example.spans[1].labels == {"location"}


def test_fewrel_marks_two_spans_and_no_more(tmp_path: Path) -> None:
    row = {
        "tokens": ["Ada", "sang", "for", "Blue", "Records", "."],
        "h": ["ada", "", [[0]]],
        "t": ["blue records", "", [[3, 4]]],
    }
    path = tmp_path / "f.json"
    path.write_text(json.dumps({"P264": [row], "P9999": [row]}), "utf8")
    (example,) = sources.fewrel(path)
    assert [(s.start, s.end) for s in example.spans] == [(0, 1), (3, 5)]
    assert "record label" in example.spans[1].labels and not example.annotated
    (pair,) = (p for p in relation_sources.fewrel(path) if "P264" in p.pairs[0][2])
    assert pair.spans == ((0, 1), (3, 5))


def test_relations_of_conll04(tmp_path: Path) -> None:
    rows = [
        "0\tAda\tB-Peop\t['N']\t[0]", "1\tByron\tI-Peop\t['Live_In']\t[4]", "2\tof\tO\t['N']\t[2]",
        "3\tNew\tB-Loc\t['N']\t[3]", "4\tTown\tI-Loc\t['N']\t[4]",
    ]  # fmt: skip
    path = tmp_path / "conll04.txt"
    path.write_text("#doc 1\n" + "\n".join(rows) + "\n#doc 2\n0\tx\tO\t['N']\t[0]\n", "utf8")
    (example,) = relation_sources.conll04(path)
    assert example.spans == ((0, 2), (3, 5))
    assert {(h, t): k for h, t, k in example.pairs} == {(0, 1): {"conll04:Live_In"}, (1, 0): set()}


def test_chinese_relations_that_are_unknown_are_negatives(tmp_path: Path) -> None:
    path = tmp_path / "zh.txt"
    path.write_text("甲\t乙\tunknown\t甲和乙见面\n\n甲\t丙\t拥有\t甲拥有丙\n", "utf8")
    first, second = relation_sources.chinese(path, "finre")
    assert first.pairs == ((0, 1, frozenset()),) and second.pairs == ((0, 1, frozenset({"finre:拥有"})),)
    assert second.spans == ((0, 1), (3, 4))


def test_every_role_has_kinds_that_the_labels_know() -> None:
    from openmie.base.examples import COARSE

    for heads, _, tails, _ in ROLES.values():
        assert {*heads.split(), *tails.split()} <= set(COARSE)
    labels = sources.labels()
    assert set(sources.KINDS) <= labels.keys()
    for name, key in sources.BUILT_IN.items():
        assert any(text.startswith(f"{name}: ") for text in labels[key].texts)


def test_a_role_takes_the_lexicons_name_where_it_is_another_word_for_it() -> None:
    def label(key: str, *texts: str, coarse: str, lexical: bool = False) -> Label:
        return Label(key=key, texts=texts, coarse=frozenset({coarse}), lexical=lexical)

    found = {
        "person": label("person", "person", coarse="person"),
        "political party": label("political party", "political party", coarse="organization"),
        "seat": label("seat", "seat", coarse="location"),
        "ruler": label("ruler", "ruler", coarse="person"),
    }
    types = {
        "party": label("party", "party", "political party", "party: seeks power", coarse="organization", lexical=True),
        "chair": label("chair", "chair", "seat", coarse="product", lexical=True),
        "person": label("person", "person", "soul", coarse="person", lexical=True),
        "king": label("king", "king", "ruler", coarse="person", lexical=True),
        "queen": label("queen", "queen", "ruler", coarse="person", lexical=True),
    }
    joined, renamed = sources.with_types(found, types)
    assert renamed == {"political party": "party"}  # a seat is a place here, and "ruler" is two types
    assert joined["party"].texts == ("political party", "party", "party: seeks power") and joined["party"].lexical
    assert joined["person"].texts == ("person",) and joined["person"].lexical and "seat" in joined
    example = Example(words=("the", "Party"), spans=(Span(start=1, end=2, labels=frozenset({"political party"})),))
    assert sources.with_lexical_names([example], renamed)[0].spans[0].labels == {"party"}
