"""Where files land and what they may name: path guard (S4), whole or nothing, names, streams, guessing."""

from __future__ import annotations

import io
import json
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from openmie.data import images
from openmie.data.document import Document, Image, Mention, Region
from openmie.errors import CorpusError, ImageError
from openmie.formats import output
from openmie.formats import registry as files

ZOR = Document.from_words("a", ["Zor", "met", "Vane"], mentions=(Mention(id="m0", start=0, end=3, label="PER"),))
ALL = [
    ("a.jsonl", "jsonl"),
    ("a.json", "json"),
    ("a.parquet", "parquet"),
    ("c.json", "coco"),
    ("y", "yolo"),
    ("l.json", "labelstudio"),
]


def text_file(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def png(path: Path, width: int, height: int) -> None:
    from PIL import Image as Pillow

    Pillow.new("1", (width, height)).save(path)


def stored(document: Document, path: Path, format: str, named: list[str]) -> None:
    """The file that holds the document with the image paths `named`, as an attacker would have written it."""
    plain = [f"{path}/{n}.png" if format == "yolo" else f"{path.parent}/{n}.png" for n, _ in enumerate(named)]
    placed = tuple(i.model_copy(update={"path": p}) for i, p in zip(document.images, plain))
    if format == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        from openmie.formats.parquet import schema

        rows = [{"id": "d", "images": [{"path": p, "id": i.id} for p, i in zip(named, document.images)]}]
        pq.write_table(pa.Table.from_pylist(rows, schema=schema()), path)
        return
    files.write([document.model_copy(update={"images": placed})], path, format)
    file = path / "index.jsonl" if format == "yolo" else path
    content = file.read_text(encoding="utf-8")
    for n, name in enumerate(named):
        assert f'"{n}.png"' in content
        content = content.replace(f'"{n}.png"', json.dumps(name))
    file.write_text(content, encoding="utf-8")


@pytest.mark.parametrize(("name", "format"), ALL)
def test_image_paths_stay_in_named_folders(name: str, format: str, tmp_path: Path) -> None:
    """S4: what a data file names outside of its folder is not opened, unless the caller names that folder."""
    data, evil = tmp_path / "data", tmp_path / "data_evil"
    data.mkdir()
    evil.mkdir()
    up = "../.." if format == "yolo" else ".."
    named = [
        "in.png",
        "link.png",
        f"{up}/data_evil/e.png",
        str(evil / "e.png"),
        "http://a.b/e.png",
        "\\\\host\\e.png",
        "C:\\e.png",
        "a\0.png",
    ]
    document = Document(id="d", images=tuple(Image(id=f"i{n}", width=3, height=3) for n, _ in enumerate(named)))
    stored(document, data / name, format, named)
    home = data / name if format == "yolo" else data
    png(evil / "e.png", 3, 3)
    png(home / "in.png", 3, 3)
    (home / "link.png").symlink_to(evil / "e.png")
    back = next(files.read(data / name, format))
    assert [i.path for i in back.images] == [str(home / "in.png"), *[""] * 7]
    assert len(back.errors) == 7 and all(e.found and e.remedy and "document d" in e.where for e in back.errors)
    for image in back.images[1:]:
        with pytest.raises(ImageError):
            images.load_image(image)
    assert images.load_image(back.images[0]).size == (3, 3)
    opened = [os.path.realpath(i.path) for i in next(files.read(data / name, format, images=evil)).images if i.path]
    assert opened[:4] == [str(home / "in.png"), *[str(evil / "e.png")] * 3]
    assert all(Path(p).is_relative_to(evil) for p in opened[4:])


def test_nothing_appears_when_writing_fails(tmp_path: Path) -> None:
    def failing() -> Iterator[Document]:
        yield ZOR
        raise KeyboardInterrupt

    for format in (name for name, row in files.FORMATS.items() if row.writer):
        text_file(tmp_path / "old", "old")
        with pytest.raises(KeyboardInterrupt):
            files.write(failing(), tmp_path / ("new" if format in ("brat", "yolo", "voc") else "old"), format)
        assert [f.name for f in tmp_path.iterdir()] == ["old"] and (tmp_path / "old").read_text() == "old"


def test_folders_are_not_overwritten(tmp_path: Path) -> None:
    files.write([ZOR], tmp_path / "b", "brat")
    with pytest.raises(CorpusError, match="something is there already"):
        files.write([ZOR], tmp_path / "b", "brat")
    (tmp_path / "empty").mkdir()
    files.write([ZOR], tmp_path / "empty", "brat")
    assert {p.suffix for p in (tmp_path / "empty").iterdir()} == {".txt", ".ann"}


def test_file_modes_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        files.write([ZOR], tmp_path / "a.jsonl")
        assert (tmp_path / "a.jsonl").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(old)


@pytest.mark.parametrize("id", ["../../evil", "/etc/x", "a/b", ".", "..", "", "con:", "x" * 500, "é" * 200, "\0"])
def test_ids_never_leave_the_folder(id: str, tmp_path: Path) -> None:
    files.write([ZOR.replace(id=id)], tmp_path / "b", "brat")
    assert sorted(p.parent for p in tmp_path.rglob("*") if p.is_file()) == [tmp_path / "b"] * 2
    back = next(files.read(tmp_path / "b"))
    assert back.text == ZOR.text and (back.id == id or not id or len(id) > 100)


def test_unicode_that_is_none(tmp_path: Path) -> None:
    for name, format in (*ALL[:1], *ALL[2:3], *ALL[5:], ("a.conll", "conll"), ("b", "brat")):
        bad = ZOR.replace(id="d", mentions=()).model_copy(update={"text": "x \ud800", "words": ()})
        if name in ("a.jsonl", "a.parquet"):  # as construction would have refused it: a record is in its place
            assert files.write([ZOR, bad, ZOR], tmp_path / name, format).lost == 1
            first, record, last = files.read(tmp_path / name, format)
            assert first == last.replace(errors=()) == ZOR and record.id == "d" and "surrogate" in str(record.errors)
            continue
        with pytest.raises(CorpusError, match="surrogate"):
            files.write([ZOR, bad], tmp_path / name, format)
        assert not (tmp_path / name).exists()


@pytest.mark.parametrize("format", ["jsonl", "coco", "labelstudio"])
def test_numbers_that_json_has_not(format: str, tmp_path: Path) -> None:
    region = Region(image="i", box=(0, 0, 1, 2)).model_copy(update={"box": (0, 0, 1, float("nan"))})
    document = Document(id="d", images=(Image(id="i", width=2, height=2),), regions=(region,))
    if format == "jsonl":
        assert files.write([document], tmp_path / "x", format).lost == 1
        assert "JSON cannot hold" in str(next(files.read(tmp_path / "x", format)).errors)
        return
    with pytest.raises(CorpusError, match="JSON cannot hold"):
        files.write([document], tmp_path / "x", format)


def test_guessing(tmp_path: Path) -> None:
    for name, format in ALL:
        if format != "yolo":
            files.write([ZOR.replace(images=(Image(id="i", width=1, height=1),))], tmp_path / name, format)
            assert files.guess(tmp_path / name, reading=True) == format
    assert files.guess("x.bio", reading=False) == "conll" and files.guess("-", reading=True) == "jsonl"
    for call in (
        lambda: files.guess("x.docx", reading=True),
        lambda: list(files.read("x.docx")),
        lambda: files.write([], "x", "brta"),
        lambda: list(files.read(tmp_path / "missing.jsonl")),
        lambda: list(files.read(tmp_path, "jsonl")),
        lambda: list(files.read(tmp_path / "missing", "brat")),
        lambda: files.write([ZOR], tmp_path / "no" / "a.jsonl"),
        lambda: files.guess(tmp_path, reading=True),
        lambda: list(files.read(tmp_path / "a.jsonl", column=3)),
    ):
        with pytest.raises(CorpusError) as error:
            call()
        assert error.value.record.expected and error.value.record.remedy


def test_standard_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    target, source = io.BytesIO(), io.BytesIO(ZOR.to_json().encode() + b"\n")
    monkeypatch.setattr(output.sys, "stdout", SimpleNamespace(buffer=target))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=source))
    files.write(files.read("-"), "-")
    assert target.getvalue() == ZOR.to_json().encode() + b"\n"


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_boxes_keep_to_the_header_of_a_huge_image(tmp_path: Path) -> None:
    """A writer only needs sizes: an image too large to decode is still measured, or reported, never decoded."""
    header = struct.pack(">IIBBBBB", 12_000, 10_000, 1, 0, 0, 0, 0)
    body = b"IHDR" + header
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    text_file(tmp_path / "x.png", head + b"\0\0\0\0IDAT" + struct.pack(">I", zlib.crc32(b"IDAT")))
    document = Document(
        id="d",
        images=(Image(path=str(tmp_path / "x.png"), id="x"),),
        regions=(Region(image="x", box=(0, 0, 600, 500)),),
    )
    files.write([document], tmp_path / "l.json", "labelstudio")
    value = json.loads((tmp_path / "l.json").read_text())[0]["annotations"][0]["result"][0]["value"]
    assert (value["width"], value["height"]) == (5, 5)


@pytest.mark.parametrize(("name", "format"), [*ALL, ("a.conll", "conll"), ("b", "brat")])
def test_nothing_is_left_beside_the_target(name: str, format: str, tmp_path: Path) -> None:
    document = ZOR.replace(images=(Image(path=str(tmp_path / "i.png"), width=2, height=2),))
    written = files.write([document], tmp_path / name, format)
    assert [f.name for f in tmp_path.iterdir()] == [name] and written.documents == 1


@pytest.mark.parametrize(("name", "format"), ALL)
def test_images_outside_of_the_folder_are_told(name: str, format: str, tmp_path: Path) -> None:
    document = ZOR.replace(images=(Image(path="elsewhere/i.png", width=2, height=2),))
    (record,) = files.write([document], tmp_path / name, format).records
    assert "elsewhere/i.png" in record.found and "images=" in record.remedy
