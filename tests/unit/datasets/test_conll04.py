"""The reader of CoNLL04's multi-head format, on made-up sentences."""

from __future__ import annotations

from pathlib import Path

import pytest

from openmie.corpora import load

GOOD = """#doc 7
0	Mira	B-Peop	['N']	[0]
1	Tolk	I-Peop	['Work_For', 'Live_In']	[4, 6]
2	of	O	['N']	[2]
3	Brod	B-Org	['N']	[3]
4	Bank	I-Org	['OrgBased_In']	[6]
5	in	O	['N']	[5]
6	Quend	B-Loc	['N']	[6]
"""


def read(folder: Path, text: str):
    (folder / "train.txt").write_text(text, encoding="utf-8")
    corpus = load(f"conll04:{folder}")
    return list(corpus.train), list(corpus.skipped)


def triples(document):
    return [(document.find(r.head).text, r.label, document.find(r.tail).text) for r in document.relations]


def test_entities_and_relations(tmp_path):
    (made,), skipped = read(tmp_path, GOOD)
    assert not skipped and made.id == "7" and made.text == "Mira Tolk of Brod Bank in Quend"
    assert [(m.text, m.label) for m in made.mentions] == [("Mira Tolk", "Peop"), ("Brod Bank", "Org"), ("Quend", "Loc")]
    assert triples(made) == [
        ("Mira Tolk", "Work_For", "Brod Bank"),
        ("Mira Tolk", "Live_In", "Quend"),
        ("Brod Bank", "OrgBased_In", "Quend"),
    ]


def test_sentences_of_one_id_and_a_file_without_ids(tmp_path):
    made, _ = read(tmp_path, GOOD + GOOD)
    assert [d.id for d in made] == ["7", "7#2"]
    (alone,), skipped = read(tmp_path, GOOD.partition("\n")[2])
    assert alone.text == made[0].text and not skipped


@pytest.mark.parametrize(
    "line",
    [
        "0\tMira\tB-Peop\t['N']",
        "0\tMira\tPeop\t['N']\t[0]",
        "0\t\tO\t['N']\t[0]",
        "0\tMira\tO\t['N', 'Kill']\t[0]",
        "0\tMira\tO\tN\t[0]",
        "0\tMira\tO\t['N']\t['0']",
    ],
)
def test_a_malformed_line_leaves_out_its_sentence_alone(tmp_path, line):
    made, (record,) = read(tmp_path, f"#doc 1\n{line}\n" + GOOD)
    assert [d.id for d in made] == ["7"] and record.where.endswith("train.txt:2") and "tag" in record.expected


@pytest.mark.parametrize("number", ["[5, 6]", "[99, 6]", "[-1, 6]"])
def test_a_relation_to_no_entity_is_a_record_and_the_others_stay(tmp_path, number):
    (made,), (record,) = read(tmp_path, GOOD.replace("[4, 6]", number))
    assert [t[1] for t in triples(made)] == ["Live_In", "OrgBased_In"]
    assert "Work_For" in record.found and made.errors == (record,)
