"""The reader of Twitter-2015, Twitter-2017 and GMNER's text, on made-up tweets and on the real files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmie.corpora import load
from openmie.data.document import Document
from openmie.datasets.twitter import mentions_from_bio, word_spans
from openmie.errors import CorpusError

GOOD = """IMGID:7_1
Mira\tB-PER
Tolk\tI-PER
sails\tO
to\tO
Quend\tB-LOC

IMGID:7_2
Tolk\tI-PER
waves\tO

IMGID:7_1
again\tO
"""


def write(folder: Path, **files: str | bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / (name.replace("__", ".") if "__" in name else name + ".txt")).write_bytes(data)
    return folder


def read(folder: Path, split: str = "train") -> tuple[list[Document], list[str]]:
    corpus = load(f"twitter:{folder}")
    return list(corpus.split(split)), [str(r) for r in corpus.skipped]


def test_blocks_become_documents(tmp_path):
    documents, skipped = read(write(tmp_path, train=GOOD))
    assert skipped == []
    first = documents[0]
    assert (first.id, first.text) == ("7_1", "Mira Tolk sails to Quend")
    assert first.word_texts() == ("Mira", "Tolk", "sails", "to", "Quend")
    assert [(m.text, m.label) for m in first.mentions] == [("Mira Tolk", "PER"), ("Quend", "LOC")]
    assert {m.status for m in first.mentions} == {"located"}
    assert first.images[0].id == "7_1" and first.images[0].path == ""
    assert [d.id for d in documents] == ["7_1", "7_2", "7_1#2"]
    assert documents[2].source["imgid"] == "7_1" and documents[2].source["line"] == 12


def test_orphan_runs_are_kept(tmp_path):
    documents, _ = read(write(tmp_path, train=GOOD))
    assert [(m.text, m.label, m.status) for m in documents[1].mentions] == [("Tolk", "PER", "orphan")]


@pytest.mark.parametrize(
    "tags, expected",
    [
        ("B-A I-A O", [("0 1", "A", "located")]),
        ("B-A B-A", [("0", "A", "located"), ("1", "A", "located")]),
        ("B-A I-B I-B", [("0", "A", "located"), ("1 2", "B", "orphan")]),
        ("O I-A I-A B-A", [("1 2", "A", "orphan"), ("3", "A", "located")]),
        ("I-A O I-A", [("0", "A", "orphan"), ("2", "A", "orphan")]),
        ("B-A O I-A", [("0", "A", "located"), ("2", "A", "orphan")]),
    ],
)
def test_bio(tags, expected):
    tags = tags.split()
    words = [str(i) for i in range(len(tags))]
    spans = word_spans(words)
    text = " ".join(words)
    found = mentions_from_bio(spans, tags)
    assert [(text[m.start : m.end], m.label, m.status) for m in found] == expected


@given(st.lists(st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B"]), max_size=12))
def test_bio_covers_every_inside_word_once(tags):
    spans = word_spans(["w"] * len(tags))
    covered = [i for m in mentions_from_bio(spans, tags) for i, w in enumerate(spans) if m.start <= w.start < m.end]
    assert covered == [i for i, tag in enumerate(tags) if tag != "O"]


def test_windows_files(tmp_path):
    plain, _ = read(write(tmp_path / "a", train=GOOD))
    windows, skipped = read(write(tmp_path / "b", train=b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()))
    assert windows == plain and skipped == []


def test_unicode_line_ends_stay_in_the_word(tmp_path):
    documents, skipped = read(write(tmp_path, train="IMGID:1\nA\u2028B\tO\nnext\x85line\tB-LOC\n"))
    assert documents[0].word_texts() == ("A\u2028B", "next\x85line") and skipped == []


def test_malformed_lines_are_recorded_and_the_rest_goes_on(tmp_path):
    folder = write(tmp_path, train="IMGID:1\ngood\tB-LOC\nbroken\nodd\tB_LOC\n\tO\nend\tO\n\nIMGID:2\nnext\tO\n")
    documents, skipped = read(folder)
    assert [d.text for d in documents] == ["good broken odd end", "next"]
    assert [m.text for m in documents[0].mentions] == ["good"]
    assert [re.search(r"train.txt:(\d+): ", s)[1] for s in skipped] == ["3", "4", "5"]
    assert all("train.txt" in s and "Mend the line" in s for s in skipped)
    assert [str(e) for e in documents[0].errors] == skipped and documents[1].errors == ()


def test_bytes_that_are_not_utf8(tmp_path):
    documents, skipped = read(write(tmp_path, train=b"IMGID:1\nok\tO\n" + "caf\u00e9\tB-LOC\n".encode("latin-1")))
    assert documents[0].text == "ok caf\ufffd" and documents[0].mentions[0].label == "LOC"
    assert len(skipped) == 1 and "train.txt:3" in skipped[0] and "0xe9" in skipped[0] and "Latin-1" in skipped[0]


def test_words_outside_a_tweet_and_tweets_without_words(tmp_path):
    documents, skipped = read(write(tmp_path, train="lost\tO\n\nIMGID:1\n\nIMGID:2\nIMGID:3\nhere\tO\n"))
    assert [(d.id, d.text) for d in documents] == [("train-1", "lost"), ("3", "here")]
    assert documents[0].images == ()
    assert ["outside any tweet" in s or "without words" in s for s in skipped] == [True] * 3


def test_reading_again_gives_the_same(tmp_path):
    corpus = load(f"twitter:{write(tmp_path, train=GOOD + 'x', dev=GOOD)}")
    train = corpus.train
    assert list(train) == list(train) and len(corpus.skipped) == 1
    list(corpus.dev)
    assert len(corpus.skipped) == 1


def test_labels_are_read_off_train_only(tmp_path, opened):
    corpus = load(f"twitter:{write(tmp_path, train=GOOD, valid=GOOD, test=GOOD)}")
    del opened[:]
    assert corpus.labels.mentions == ("LOC", "PER")
    assert {Path(o).name for o in opened if str(tmp_path) in o} == {"train.txt"}


FINE = "IMGID:1\nGarden\tB-location\tB-park\nof\tO\tO\nMira\tB-person\tB-artist\n"


@pytest.mark.parametrize(
    "column, labels",
    [
        ("", "park artist"),
        ("fine", "park artist"),
        ("coarse", "location person"),
        ("1", "location person"),
        ("2", "park artist"),
        ("-2", "location person"),
    ],
)
@pytest.mark.parametrize("blank", ["\t", " "])
def test_no_label_of_three_columns_gets_into_the_text(tmp_path, column, labels, blank):
    write(tmp_path, train=FINE.replace("\t", blank))
    corpus = load(f"twitter:{tmp_path}?column={column}")
    (document,) = corpus.train
    assert document.text == "Garden of Mira" and corpus.skipped == ()
    first, second = labels.split()
    found = [(m.text, m.label, m.start, m.end) for m in document.mentions]
    assert found == [("Garden", first, 0, 6), ("Mira", second, 10, 14)]


def test_a_token_that_holds_a_label_is_a_record(tmp_path):
    documents, skipped = read(write(tmp_path, train="IMGID:1\nGarden B-location\tB-park\nof\tO\nMira\tB-PER\n"))
    assert documents[0].text == "Garden of Mira" and [m.text for m in documents[0].mentions] == ["Mira"]
    assert len(skipped) == 1 and "train.txt:2" in skipped[0] and "holds no label" in skipped[0]


def test_a_line_of_other_columns_is_a_record(tmp_path):
    """A tab in a word, or a column too many: what is between word and label is not in the text, and that is said."""
    documents, skipped = read(write(tmp_path, train="IMGID:1\nof\tO\nGarden\tpath\tB-LOC\nMira\tB-PER\n"))
    assert documents[0].text == "of Garden Mira" and [m.text for m in documents[0].mentions] == ["Garden", "Mira"]
    assert len(skipped) == 1 and "train.txt:3" in skipped[0] and "2 columns" in skipped[0]


@pytest.mark.parametrize("column", ["0", "finer", "1.5"])
def test_a_column_that_is_none_of_labels(tmp_path, column):
    with pytest.raises(CorpusError, match="coarse, fine, or the number"):
        load(f"twitter:{write(tmp_path, train=FINE)}?column={column}")


@pytest.mark.real
def test_real(corpora):
    corpus = load(f"twitter:{corpora}/twitter2017?captions=captions_blip2.txt")
    splits = {name: list(corpus.split(name)) for name in ("train", "dev", "test")}
    assert {k: len(v) for k, v in splits.items()} == {"train": 3373, "dev": 723, "test": 723}
    assert corpus.skipped == () and corpus.labels.mentions == ("LOC", "MISC", "ORG", "PER")
    for documents in splits.values():
        assert all(d.captions["blip2"] for d in documents)
        assert len({d.id for d in documents}) == len(documents)
        assert all(d.text[m.start : m.end] == m.text for d in documents for m in d.mentions)
