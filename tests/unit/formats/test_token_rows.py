"""Rows of tokens and tags, in JSON and in Parquet as the library datasets writes it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from openmie.cli import application as cli
from openmie.data.document import Document
from openmie.errors import ErrorRecord
from openmie.formats import registry as files

ROW = {"id": "1", "image_id": "1.jpg", "tokens": ["Orla", "in", "New", "York"]}
TAGS = ["B-PER", "O", "B-LOC", "I-LOC"]
NAMES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]


def rows(folder: Path, *made: object, name: str = "train.json") -> list[Document | ErrorRecord]:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
    return list(files.read_items(folder / name))


def check(document: Document | ErrorRecord) -> None:
    assert isinstance(document, Document)
    assert (document.text, document.word_texts()) == ("Orla in New York", ("Orla", "in", "New", "York"))
    assert [(m.text, m.label) for m in document.mentions] == [("Orla", "PER"), ("New York", "LOC")]


@pytest.mark.parametrize("column", ["ner_tags", "tags", "labels", "label"])
@pytest.mark.parametrize("name", ["train.json", "train.jsonl"])
def test_tokens_and_tags_of_json_rows(tmp_path, column, name):
    first, second = rows(tmp_path, {**ROW, column: TAGS}, {"tokens": ["Bo"]}, name=name)
    check(first)
    assert first.id == "1" and first.source == {"image_id": "1.jpg"}
    assert (second.id, second.text, second.mentions, len(second.words)) == ("2", "Bo", (), 1)
    done = CliRunner().invoke(cli.app, ["convert", str(tmp_path / name), str(tmp_path / "out.conll")])
    assert done.exit_code == 0 and "York\tI-LOC" in (tmp_path / "out.conll").read_text(encoding="utf-8")


def test_bioes_rows_are_strict(tmp_path):
    (document,) = rows(tmp_path, {"tokens": ["Orla", "Vane", "Bo"], "tags": ["B-PER", "O", "S-PER"]})
    assert [(m.text, m.status) for m in document.mentions] == [("Orla", "orphan"), ("Bo", "located")]


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"tokens": ["a", "b"], "tags": ["O"]}, "1 tags for 2 tokens"),
        ({"tokens": ["a"], "ner_tags": [1]}, "the number 1 as a tag"),
        ({"tokens": ["a"], "tags": ["PER"]}, "'PER' as a tag"),
        ({"tokens": ["a", 3], "tags": ["O", "O"]}, "3 among the tokens"),
        ({"tokens": ["", "b"], "tags": ["O", "O"]}, "'' among the tokens"),
    ],
)
def test_what_is_no_such_row_is_told(tmp_path, row, found):
    (record,) = rows(tmp_path, row, name="a.jsonl")
    assert isinstance(record, ErrorRecord) and found in record.found


def parquet(folder: Path, table: pa.Table, features: dict[str, object]) -> list[Document | ErrorRecord]:
    about = json.dumps({"info": {"features": features}}).encode()
    pq.write_table(table.replace_schema_metadata({b"huggingface": about}), folder / "train.parquet")
    return list(files.read_items(folder / "train.parquet"))


def test_numbers_of_tags_in_parquet_have_their_names_beside_them(tmp_path):
    numbers = [[NAMES.index(tag) for tag in TAGS], [9]]
    table = pa.table({"tokens": [ROW["tokens"], ["Bo"]], "ner_tags": numbers, "day": [date(2026, 1, 2)] * 2})
    first, second = parquet(tmp_path, table, {"ner_tags": {"feature": {"names": NAMES, "_type": "ClassLabel"}}})
    check(first)
    assert first.id == "1" and first.source == {"day": "2026-01-02"}
    assert isinstance(second, ErrorRecord) and "9 as a tag" in second.found and "row 2" in second.where


def test_tags_of_parquet_that_are_names(tmp_path):
    check(parquet(tmp_path, pa.table({"id": ["x"], "tokens": [ROW["tokens"]], "tags": [TAGS]}), {})[0])
