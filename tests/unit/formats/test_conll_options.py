"""Columns of Universal NER (the text as it was written) and of Weibo NER (characters with their positions)."""

from __future__ import annotations

from pathlib import Path

import pytest

from openmie.corpora import load
from openmie.data.document import Document
from openmie.errors import ErrorRecord
from openmie.formats.conll import read

UNER = """# newdoc id = n1
# sent_id = n1-1
# text = 'Twas Bo's, in Quend Bay.
1	'Twas	O	-	-
2	Bo	B-PER	-	ann
3	's	O	-	ann
4	,	O	-	-
5	in	O	-	-
6	Quend	B-LOC	-	ann
7	Bay	I-LOC	-	ann
8	.	O	-	-

"""


def items(tmp_path: Path, text: str, **options) -> list[Document | ErrorRecord]:
    path = tmp_path / "a.iob2"
    path.write_text(text, encoding="utf-8")
    return list(read(path, **options))


def test_the_text_as_it_was_written(tmp_path):
    (made,) = items(tmp_path, UNER, tokens=1, tags=2, raw_text=True)
    assert made.id == "n1-1" and made.text == "'Twas Bo's, in Quend Bay."
    assert made.word_texts() == ("'Twas", "Bo", "'s", ",", "in", "Quend", "Bay", ".")
    assert [(m.text, m.label) for m in made.mentions] == [("Bo", "PER"), ("Quend Bay", "LOC")]


def test_without_the_option_blanks_join_the_tokens(tmp_path):
    (made,) = items(tmp_path, UNER, tokens=1, tags=2)
    assert made.text == "'Twas Bo 's , in Quend Bay ." and made.mentions[1].text == "Quend Bay"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (UNER.replace("# text = 'Twas Bo's", "# note = 'Twas Bo's"), "no comment"),
        (UNER.replace("6\tQuend", "6\tQuent"), "'Quent'"),
    ],
)
def test_a_text_without_its_tokens_is_a_record_and_the_rest_is_read(tmp_path, text, found):
    record, made = items(tmp_path, text + UNER, tokens=1, tags=2, raw_text=True)
    assert isinstance(record, ErrorRecord) and found in record.found and record.where.endswith(":1")
    assert "raw_text" in record.remedy and made.text.endswith("Quend Bay.")


def test_positions_are_cut_off_characters_that_are_digits_stay(tmp_path):
    text = "李0\tB-PER.NAM\n白1\tI-PER.NAM\n有0\tO\n20\tO\n本0\tO\n"
    (made,) = items(tmp_path, text, positions=True)
    assert made.text == "李白有2本" and made.word_texts() == ("李", "白", "有", "2", "本")
    assert [(m.text, m.start, m.end, m.label) for m in made.mentions] == [("李白", 0, 2, "PER.NAM")]


@pytest.mark.parametrize("token", ["李", "0", "李x"])
def test_a_token_without_its_position_is_a_record(tmp_path, token):
    record, made = items(tmp_path, f"{token}\tO\n\n白0\tO\n", positions=True)
    assert isinstance(record, ErrorRecord) and repr(token) in record.found and made.text == "白"


def test_options_in_the_name_of_a_corpus(tmp_path):
    (tmp_path / "train.iob2").write_text(UNER, encoding="utf-8")
    (made,) = load(f"conll:{tmp_path}?tokens=1&tags=2&raw_text=true").train
    assert made.text == "'Twas Bo's, in Quend Bay."
    (tmp_path / "train.iob2").write_text("李0\tB-PER\n白1\tI-PER\n", encoding="utf-8")
    (made,) = load(f"conll:{tmp_path}?positions=true").train
    assert made.text == "李白" and made.mentions[0].text == "李白"
    (made,) = load(f"conll:{tmp_path}?positions=false").train
    assert made.text == "李0 白1"
