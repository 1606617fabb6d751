"""Files in columns as others write them: schemes against seqeval on every short sequence, comments, layers of tags."""

from __future__ import annotations

import io
import sys
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest
from seqeval.scheme import BILOU, IOBES, Entities
from typer.testing import CliRunner

from openmie.cli import application as cli
from openmie.data.document import Document
from openmie.errors import CorpusError, ErrorRecord
from openmie.formats import registry as files
from openmie.text.bio_runs import tag_runs

MULTICONER = "# id 5239d808\tdomain=en\nOrla _ _ B-PER\n# _ _ O\n\n# id 77\tdomain=en\nTurin _ _ B-LOC\n\n"
GERMEVAL = (
    "#\thttp://a.example/x [2009-10-17]\n1\tIn\tO\tO\n2\tTurin\tB-LOC\tO\n\n"
    "#\tb.example vom 26.02.2005 [2005-02-26]\n1\tTurin\tB-ORG\tB-LOC\n2\tFC\tI-ORG\tO\n"
)


@pytest.mark.parametrize(("name", "scheme", "letters"), [("bioes", IOBES, "BIES"), ("bilou", BILOU, "BILU")])
@pytest.mark.parametrize(("labels", "longest"), [("X", 4), ("XY", 3)])
def test_located_runs_are_seqeval_s_strict_entities(name, scheme, letters, labels, longest):
    tags = ["O", *(f"{letter}-{label}" for letter in letters for label in labels)]
    for row in (list(r) for n in range(1, longest + 1) for r in product(tags, repeat=n)):
        want = {(e.start, e.end - 1, e.tag) for e in Entities([row], scheme).entities[0]}
        assert {run[:3] for run in tag_runs(row, name) if run[3] == "located"} == want, row


def read(folder: Path, text: str, name: str = "a.conll", **options) -> list[Document | ErrorRecord]:
    (folder / name).write_text(text, encoding="utf-8")
    return list(files.read_items(folder / name, **options))


def statuses(items) -> list[list[tuple[str, str, str]]]:
    return [[(m.text, m.label, m.status) for m in d.mentions] for d in items]


def test_a_file_with_ends_of_mentions_is_read_in_its_scheme(tmp_path):
    bioes = "Orla\tB-PER\nVane\tE-PER\n\nZed\tB-PER\nran\tO\n\nTurin\tS-LOC\n\n"
    want = [[("Orla Vane", "PER", "located")], [("Zed", "PER", "orphan")], [("Turin", "LOC", "located")]]
    assert statuses(read(tmp_path, bioes)) == want
    assert statuses(read(tmp_path, bioes.replace("E-", "L-").replace("S-", "U-"))) == want
    # one mistyped tag among many does not make a file one of another scheme
    assert statuses(read(tmp_path, "Orla\tB-PER\n\n" * 3 + "Zed\tE-PER\n"))[:3] == [[("Orla", "PER", "located")]] * 3
    assert statuses(read(tmp_path, "Orla\tB-PER\n", scheme="bioes")) == [[("Orla", "PER", "orphan")]]


def test_standard_input_has_the_same_scheme(tmp_path, monkeypatch):
    stream = io.BytesIO(b"Zed\tB-PER\n\nTurin\tS-LOC\n")
    stream.seekable = lambda: False  # as a pipe
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
    assert [m.status for d in files.read("-", "conll") for m in d.mentions] == ["orphan", "located"]


def test_scores_of_files_are_those_of_seqeval(tmp_path):
    (tmp_path / "g.conll").write_text("Orla\tB-PER\nVane\tE-PER\n\nTurin\tS-LOC\n", encoding="utf-8")
    (tmp_path / "p.conll").write_text("Orla\tB-PER\nVane\tI-PER\n\nTurin\tS-LOC\n", encoding="utf-8")
    done = CliRunner().invoke(cli.app, ["score", *(str(tmp_path / f"{n}.conll") for n in "gp"), "--bootstrap", "0"])
    strict = next(line for line in done.output.splitlines() if "strict" in line)
    assert done.exit_code == 0 and "100.00" in strict and "66.67" in strict  # seqeval, IOBES strict: 100, 50, 66.67


def test_comments_of_multiconer(tmp_path):
    first, second = read(tmp_path, MULTICONER)
    assert (first.id, first.text, second.id, second.text) == ("5239d808", "Orla #", "77", "Turin")


def test_comments_and_layers_of_germeval(tmp_path):
    first, second = read(tmp_path, GERMEVAL, "a.tsv")
    assert (first.text, second.text) == ("In Turin", "Turin FC")
    assert statuses([first, second]) == [
        [("Turin", "LOC", "located")],
        [("Turin FC", "ORG", "located"), ("Turin", "LOC", "located")],
    ]
    for tags, texts in ((2, ["Turin", "Turin FC"]), ("3", ["Turin"]), ("2,3", ["Turin", "Turin FC", "Turin"])):
        found = [m.text for d in read(tmp_path, GERMEVAL, "a.tsv", tokens=1, tags=tags) for m in d.mentions]
        assert found == texts
    with pytest.raises(CorpusError, match="numbers of columns"):
        read(tmp_path, GERMEVAL, tags="last")


def test_a_token_that_is_a_hash_is_a_token(tmp_path):
    assert [d.text for d in read(tmp_path, "#\tO\nOrla\tB-PER\n")] == ["# Orla"]
    assert [d.text for d in read(tmp_path, "# O\nOrla B-PER\n")] == ["# Orla"]
    assert [d.text for d in read(tmp_path, "# id O\nOrla x B-PER\n")] == ["# Orla"]
    (record,) = read(tmp_path, "#\tBPER-x\nOrla\tB-PER\n")  # a mistyped tag is told, and no comment
    assert isinstance(record, ErrorRecord)


def test_sentences_that_count_things_are_no_numbered_columns(tmp_path):
    assert [d.text for d in read(tmp_path, "1 CD B-NP O\n2 CD B-NP O\nOrla NN B-NP B-PER\n")] == ["1 2 Orla"]
