"""Byte-order marks in brat's files, blanks at the ends of its spans, JSON lines under another name, points in names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openmie.data.document import Document, Relation
from openmie.errors import CorpusError
from openmie.formats import registry as files
from openmie.formats.output import stem
from openmie.inference.pipeline import open_sources

TEXT, MARK = "Kei near Oslo", "\ufeff"
NOTES = "T7\tPER 0 3\tKei\nT8\tLOC 9 13\tOslo\nR1\tlives_in Arg1:T7 Arg2:T8\n"


def brat(folder: Path, text: str, notes: str) -> Document:
    (folder / "a.txt").write_text(text, encoding="utf-8")
    (folder / "a.ann").write_text(notes, encoding="utf-8")
    return next(files.read(folder, "brat"))


@pytest.mark.parametrize("text", [TEXT, MARK + TEXT])
@pytest.mark.parametrize("mark", ["", MARK])
def test_marks_in_front_of_brat_files(tmp_path: Path, text: str, mark: str) -> None:
    document = brat(tmp_path, text, mark + NOTES)
    assert [(m.start, m.text, m.label) for m in document.mentions] == [(0, "Kei", "PER"), (9, "Oslo", "LOC")]
    assert document.relations == (Relation(head="T7", tail="T8", label="lives_in"),) and not document.errors


def test_a_mark_that_offsets_count_stays(tmp_path: Path) -> None:
    document = brat(tmp_path, MARK + TEXT, "T1\tPER 1 4\tKei\n")
    assert document.text == MARK + TEXT and document.mentions[0].text == "Kei" and not document.errors


def test_blanks_at_the_ends_of_brat_s_spans(tmp_path: Path) -> None:
    document = brat(tmp_path, TEXT, "T1\tPER 0 4\tKei \nT2\tLOC 8 13\t Oslo\n")
    assert [m.text for m in document.mentions] == ["Kei", "Oslo"]
    (note,) = document.errors
    assert note.note and "2 spans with white space" in note.found and note.where.endswith("a.ann")


def test_json_lines_are_read_whatever_the_file_is_called(tmp_path: Path) -> None:
    path = tmp_path / "train.json"
    lines = [json.dumps({"id": str(n), "text": TEXT}) for n in range(2)]
    path.write_text(MARK + "\n\n".join(lines) + "\n", encoding="utf-8")
    assert files.guess(path, reading=True) == "jsonl" and [d.id for d in files.read(path)] == ["0", "1"]
    with pytest.raises(CorpusError, match=r"JSON lines.*Name its format: jsonl"):
        list(files.read(path, "json"))
    path.write_text(lines[0], encoding="utf-8")
    assert files.guess(path, reading=True) == "json" and len(list(files.read(path))) == 1


def test_a_point_in_a_name_is_not_always_that_of_a_suffix(tmp_path: Path) -> None:
    (folder := tmp_path / "posts-1.brat").mkdir()
    brat(folder, TEXT, NOTES)
    folder.rename(tmp_path / "posts-1.5")
    sources, _ = open_sources(str(tmp_path / "posts-1.5"), None, None)
    assert [*sources] == ["posts-1.5"] and len([*sources["posts-1.5"]]) == 1
    (tmp_path / "posts-1.6").write_text("Kei\tB-PER\n\nOslo\tB-LOC\n", encoding="utf-8")
    assert [d.id for d in files.read(tmp_path / "posts-1.6", "conll")] == ["posts-1.6:0", "posts-1.6:1"]
    (tmp_path / "a.d").mkdir()
    names = {"a.jsonl": "a", "a.1.jsonl": "a.1", "a.7b": "a.7b", "a.d": "a.d", ".hidden": ".hidden", "a": "a"}
    assert {name: stem(tmp_path / name) for name in names} == names
