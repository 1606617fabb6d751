"""The reader of GMNER: boxes, their names, and archives that mean harm."""

from __future__ import annotations

import io
import tarfile
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from openmie.corpora import load
from openmie.errors import CorpusError
from openmie.formats import archives
from openmie.formats.labelimg import parse_annotation

TEXT = (
    "IMGID:9_1\nMira\tB-PER\nTolk\tI-PER\nmeets\tO\nOrra\tB-PER\n\n"
    "IMGID:9_2\nOrra\tB-PER\nand\tO\nOrra\tB-ORG\n\nIMGID:9_3\nno\tO\n"
)


def xml(*objects: tuple[str, int, int, int, int], size: tuple[int, int] = (100, 80)) -> bytes:
    boxes = "".join(
        f"<object><name>{n}</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax>"
        "</bndbox></object>"
        for n, a, b, c, d in objects
    )
    return (
        f"<annotation><filename>else.jpg</filename><size><width>{size[0]}</width><height>{size[1]}</height></size>"
        f"{boxes}</annotation>"
    ).encode()


def corpus_of(folder: Path, **files: bytes) -> Path:
    (folder / "txt").mkdir(parents=True)
    (folder / "txt/train.txt").write_text(TEXT)
    (folder / "xml").mkdir()
    for name, data in files.items():
        (folder / "xml" / f"{name.strip('_')}.xml").write_bytes(data)
    return folder


def read(folder: Path, **options):
    corpus = load(f"gmner:{folder}", **options)
    return list(corpus.train), [str(r) for r in corpus.skipped]


def test_boxes_are_tied_to_mentions_by_name(tmp_path):
    boxes = ("MiraTolk", 1, 2, 30, 40), ("Orra", 50, 2, 90, 40), ("Orra", 60, 50, 70, 60)
    folder = corpus_of(tmp_path, _9_1=xml(*boxes))
    (first, second, third), skipped = read(folder)
    assert skipped == []
    assert [(first.find(r.of).text, r.label, r.box) for r in first.regions] == [
        ("Mira Tolk", "PER", (1, 2, 30, 40)),
        ("Orra", "PER", (50, 2, 90, 40)),
        ("Orra", "PER", (60, 50, 70, 60)),
    ]
    assert (first.images[0].width, first.images[0].height) == (100, 80) and first.dangling() == []
    assert second.regions == () and third.regions == ()


def test_a_name_that_two_mentions_bear(tmp_path):
    documents, _ = read(corpus_of(tmp_path, _9_2=xml(("orra", 1, 2, 30, 40))))
    assert [(r.of, r.label) for r in documents[1].regions] == [("m0", "PER"), ("m1", "ORG")]
    assert documents[1].source["boxes"] == 1


def test_a_fine_label_is_tied_to_its_box_and_the_coarse_one_too(tmp_path):
    folder = corpus_of(tmp_path, _9_1=xml(("MiraTolk", 1, 2, 30, 40)))
    (folder / "txt/train.txt").write_text(
        "IMGID:9_1\nMira\tB-person\tB-artist\nTolk\tI-person\tI-artist\nsings\tO\tO\n"
    )
    for options, label in (({}, "artist"), ({"column": "coarse"}, "person")):
        (document,), skipped = read(folder, **options)
        assert document.text == "Mira Tolk sings" and skipped == []
        assert [(document.find(r.of).text, r.label) for r in document.regions] == [("Mira Tolk", label)]


def test_a_box_of_nobody_is_kept(tmp_path):
    documents, _ = read(corpus_of(tmp_path, _9_1=xml(("Zorv", 1, 2, 30, 40))))
    assert [(r.of, r.label, r.box) for r in documents[0].regions] == [("", "", (1, 2, 30, 40))]
    assert "Zorv" in str(documents[0].errors[0])


@pytest.mark.parametrize(
    "data, found",
    [
        (b"<annotation><object>", "ParseError"),
        (b"", "ParseError"),
        (b"\xff\xfe\x00<", "ParseError"),
        (b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><a>&d;</a>', "EntitiesForbidden"),
        (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><a>&b;</a>', "EntitiesForbidden"),
        (xml(("Orra", 30, 2, 30, 40)), "box 30"),
        (xml(("Orra", 3, 2, 230, 40)), "image of 100 x 80"),
        (xml(("Orra", -33, 2, 30, 40)), "box -33"),
        (xml(("Orra", 3, 2, 30, 40)).replace(b"<ymax>40</ymax>", b"<ymax>nan</ymax>"), "four numbers"),
    ],
)
def test_bad_box_files_are_records(tmp_path, data, found):
    documents, skipped = read(corpus_of(tmp_path, _9_1=data, _9_2=xml(("Orra", 1, 2, 3, 4))))
    assert len(documents) == 3 and documents[0].regions == () and len(documents[1].regions) == 2
    assert len(skipped) == 1 and found in skipped[0] and "9_1.xml" in skipped[0]
    assert [str(e) for e in documents[0].errors] == skipped


def test_an_unknown_image_size_checks_no_border():
    assert parse_annotation(xml(("a", 1, 2, 3000, 4000), size=(0, 0)), Path("a.xml")).objects[0].box == (
        1,
        2,
        3000,
        4000,
    )


def tar(path: Path, *members: tuple[str, bytes | str], kind: bytes = tarfile.REGTYPE, mode: Any = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            if isinstance(data, str):
                info.type, info.linkname = kind, data
                archive.addfile(info)
            else:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return path


def packed(folder: Path) -> Path:
    corpus_of(folder)
    (folder / "xml").rmdir()
    return folder


@pytest.mark.parametrize("name", ["xml.tar.gz", "xml.tar", "xml.zip"])
def test_archives_are_read_in_memory(tmp_path, name):
    data = xml(("Orra", 1, 2, 30, 40))
    folder = packed(tmp_path)
    if name.endswith("zip"):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("xml/9_1.xml", data)
    else:
        tar(folder / name, ("xml/9_1.xml", data), mode="w:gz" if name.endswith("gz") else "w")
    before = sorted(p.name for p in folder.rglob("*"))
    documents, skipped = read(folder)
    assert len(documents[0].regions) == 1 and skipped == []
    assert sorted(p.name for p in folder.rglob("*")) == before


HOSTILE: dict[str, tuple[list[tuple[str, bytes | str]], dict[str, Any]]] = {
    "up": ([("../9_1.xml", b"x")], {}),
    "absolute": ([("/tmp/9_1.xml", b"x")], {}),
    "drive": ([("C:/9_1.xml", b"x")], {}),
    "backslash": ([("..\\9_1.xml", b"x")], {}),
    "link": ([("9_1.xml", "/etc/passwd")], {"kind": tarfile.SYMTYPE}),
    "hard link": ([("9_1.xml", "other")], {"kind": tarfile.LNKTYPE}),
    "device": ([("9_1.xml", "")], {"kind": tarfile.CHRTYPE}),
    "twice": ([("a.xml", b"x"), ("A.xml", b"y")], {}),
    "long": ([("a" * 600 + ".xml", b"x")], {}),
    "large": ([("9_1.xml", b"0" * (archives.MAX_MEMBER + 1))], {}),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_archives_are_refused(tmp_path, case):
    members, options = HOSTILE[case]
    folder = packed(tmp_path)
    tar(folder / "xml.tar.gz", *members, **options)
    with pytest.raises(CorpusError, match=r"xml\.tar\.gz.*Do not trust"):
        read(folder)


def test_too_many_members_and_bytes(tmp_path, monkeypatch):
    folder = packed(tmp_path)
    tar(folder / "xml.tar.gz", *((f"{i}.xml", b"0" * 100) for i in range(20)))
    monkeypatch.setattr(archives, "MAX_MEMBERS", 19)
    with pytest.raises(CorpusError, match="at most 19 members"):
        read(folder)
    monkeypatch.setattr(archives, "MAX_MEMBERS", 50)
    monkeypatch.setattr(archives, "MAX_TOTAL", 1000)
    with pytest.raises(CorpusError, match="1,000 in all"):
        read(folder)


def test_a_header_that_unpacks_to_gigabytes(tmp_path, monkeypatch):
    folder = packed(tmp_path)
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 50_000_000
    import gzip

    with gzip.open(folder / "xml.tar.gz", "wb") as file:
        file.write(info.tobuf())
        file.write(b"a" * 50_000_000)
    monkeypatch.setattr(archives, "MAX_TOTAL", 100_000)
    monkeypatch.setattr(archives, "MAX_MEMBERS", 10)
    with pytest.raises(CorpusError):
        read(folder)


@pytest.mark.parametrize("cut", [10, 60])
def test_broken_archives(tmp_path, cut):
    folder = packed(tmp_path)
    whole = tar(folder / "xml.tar.gz", ("xml/9_1.xml", xml(("Orra", 1, 2, 30, 40)) * 50)).read_bytes()
    (folder / "xml.tar.gz").write_bytes(whole[:cut])
    with pytest.raises(CorpusError, match="Fetch the archive anew"):
        read(folder)


def test_a_zip_bomb_is_refused(tmp_path):
    folder = packed(tmp_path)
    with zipfile.ZipFile(folder / "xml.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("9_1.xml", b"0" * 60_000_000)
    with pytest.raises(CorpusError, match="bytes each"):
        read(folder)


def test_no_boxes(tmp_path):
    with pytest.raises(CorpusError, match=r"xml.*boxes="):
        load(f"gmner:{packed(tmp_path)}")


@pytest.mark.slow
@pytest.mark.real
def test_real(corpora):
    corpus = load(f"gmner:{corpora}/gmner?captions=owl")
    counts = {}
    for split in ("train", "dev", "test"):
        documents = list(corpus.split(split))
        boxed = [d for d in documents if d.regions]
        boxes, bare = sum(d.source["boxes"] for d in boxed), sum(not d.captions for d in documents)
        counts[split] = (len(documents), len(boxed), boxes, bare)
        assert all([m.label for m in d.mentions if m.id == r.of] == [r.label] for d in boxed for r in d.regions)
        assert not documents[-1].captions
    assert counts == {"train": (7000, 3925, 5652, 1), "dev": (1500, 832, 1164, 1), "test": (1500, 855, 1242, 1)}
    assert corpus.skipped == () and corpus.labels.mentions == ("LOC", "ORG", "OTHER", "PER")


@pytest.mark.real
def test_real_boxes_fit_the_real_images(corpora):
    from openmie.data.images import image_size

    corpus = load(f"gmner:{corpora}/gmner?images=images")
    documents = [d for d in corpus.test if d.regions and Path(d.images[0].path).is_file()]
    assert documents
    for d in documents:
        assert image_size(d.images[0].path) == (d.images[0].width, d.images[0].height)


def test_reading_archives_is_fast_enough(tmp_path):
    folder = packed(tmp_path)
    tar(folder / "xml.tar.gz", *((f"xml/{i}.xml", xml(("Orra", 1, 2, 30, 40))) for i in range(5000)))
    start = time.process_time()
    read(folder)
    assert time.process_time() - start < 10
