"""Marks, offsets, fragments and blanks in brat's files, and JSON lines under another name."""

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


@pytest.mark.parametrize("before", ["", "😀 ", "a\r\nb\r\n", "😀\r\n"])
@pytest.mark.parametrize("counted", ["code points", "UTF-16", "CRLF as one", "both"])
def test_offsets_of_brat_are_read_as_the_tool_counted_them(tmp_path: Path, before: str, counted: str) -> None:
    text = before + TEXT
    seen = before.replace("\r\n", "\n") if counted in ("CRLF as one", "both") else before
    at = len(seen.encode("utf-16-le")) // 2 if counted in ("UTF-16", "both") else len(seen)
    (tmp_path / "a.txt").write_bytes(text.encode())
    (tmp_path / "a.ann").write_text(f"T1\tPER {at} {at + 3}\tKei\nT2\tLOC {at + 9} {at + 13}\tOslo\n", encoding="utf-8")
    document = next(files.read(tmp_path, "brat"))
    assert [(m.start - len(before), m.text) for m in document.mentions] == [(0, "Kei"), (9, "Oslo")]
    assert document.text == text and not document.errors


@pytest.mark.parametrize("end", ["\n", "\r\n", " \n"])
def test_fragments_over_a_line_end_are_one_mention(tmp_path: Path, end: str) -> None:
    (tmp_path / "a.txt").write_bytes(f"near New{end}York".encode())
    second = 8 + len(end)
    (tmp_path / "a.ann").write_text(f"T1\tLOC 5 8;{second} {second + 4}\tNew York\n", encoding="utf-8")
    document = next(files.read(tmp_path, "brat"))
    assert [(m.text, m.label) for m in document.mentions] == [(f"New{end}York", "LOC")] and not document.errors
    files.write([document], tmp_path / "out", "brat")  # and it is written so: a span of brat holds no line end
    first = 8 + end.count(" ")
    assert f"5 {first};{second} {second + 4}\t" in (tmp_path / "out" / "a.ann").read_text(encoding="utf-8")
    assert next(files.read(tmp_path / "out", "brat")) == document


def test_fragments_with_words_between_them_are_told(tmp_path: Path) -> None:
    document = brat(tmp_path, TEXT, f"T1\tX 0 3;9 13\tKei Oslo\nT2\tX {'9' * 5000} 3\tKei\nT3\tX 0 99;100 103\tKei\n")
    assert not document.mentions and [e.found.split(" at ")[0] for e in document.errors] == [
        "a discontinuous span",
        "a malformed line",
        "'Kei'",
    ]


def test_a_number_sign_with_a_label_of_two_words_is_no_comment(tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("#\tB-creative work\nOslo\tO\n", encoding="utf-8")
    (document,) = files.read(tmp_path / "a.conll")
    assert document.text == "# Oslo" and [m.label for m in document.mentions] == ["creative work"]
