"""Line ends of CR alone: every line of every file that is read by lines; a CR elsewhere is part of its line."""

import io

import pytest
from PIL import Image as Picture

from openmie.corpora import load
from openmie.data.document import Document
from openmie.formats import registry
from openmie.formats.text_lines import split_lines

CONLL = "Mira\tB-PER\nsings\tO\n\nTolk\tB-PER\n"
ENDS = {"LF": b"\n", "CRLF": b"\r\n", "CR": b"\r"}


@pytest.mark.parametrize("end", ENDS)
def test_files_of_lines(tmp_path, end):
    def written(name: str, text: str) -> str:
        (tmp_path / name).write_bytes(text.encode().replace(b"\n", ENDS[end]))
        return str(tmp_path / name)

    sentences = list(registry.read(written("a.conll", CONLL)))
    assert [(d.text, [m.text for m in d.mentions]) for d in sentences] == [("Mira sings", ["Mira"]), ("Tolk", ["Tolk"])]
    tweets = list(load("twitter:" + written("train.txt", "IMGID:1\nMira\tB-PER\n\nIMGID:2\nTolk\tB-PER\n")).train)
    assert [(d.id, d.text) for d in tweets] == [("1", "Mira"), ("2", "Tolk")]
    rows = [Document(id="a", text="Mira"), Document(id="b", text="Tolk")]
    assert list(registry.read(written("a.jsonl", "".join(d.to_json() + "\n" for d in rows)))) == rows


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ENDS)
def test_files_of_boxes_and_their_classes(tmp_path, end, mark):
    for folder in ("labels", "images"):
        (tmp_path / folder).mkdir()
    for name, text in (("classes.txt", "PER\nLOC\n"), ("labels/a.txt", "1 0.5 0.5 0.2 0.4\n0 0.5 0.5\u00a01 1\n")):
        (tmp_path / name).write_bytes(mark + text.encode().replace(b"\n", ENDS[end]))
    Picture.new("1", (100, 50)).save(tmp_path / "images" / "a.png")
    (document,) = registry.read(tmp_path, "yolo")
    assert [r.label for r in document.regions] == ["LOC", "PER"] and not document.errors


def test_a_cr_inside_a_line_of_a_file_with_lf_stays():
    lines = b"one\ntwo\rthree\nfour"
    assert list(split_lines(io.BytesIO(lines))) == [b"one\n", b"two\rthree\n", b"four"]
    assert list(split_lines(io.BytesIO(b"one\rtwo\r\rthree\r"))) == [b"one\r", b"two\r", b"\r", b"three\r"]
    assert list(split_lines(io.BytesIO(b"one\r\r\ntwo\n"))) == [b"one\r\r\n", b"two\n"]
