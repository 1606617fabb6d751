"""Archives that mean harm by their headers: what is read and kept for them is bounded."""

from __future__ import annotations

import gzip
import io
import tarfile
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

from openmie.errors import CorpusError
from openmie.formats import archives

MB = 1_000_000


def header(kind: bytes, size: int, name: str = "h") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def bomb(path: Path, kind: bytes, before: bytes = b"", size: int = 60 * MB, start: bytes = b"") -> Path:
    """A header of `size` bytes, of which little is left when they are packed."""
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(before + header(kind, size) + start)
        for _ in range(size // MB):
            file.write(b"a" * MB)
    return path


KINDS = {
    "attributes": tarfile.XHDTYPE,
    "attributes of all": tarfile.XGLTYPE,
    "attributes of Solaris": tarfile.SOLARIS_XHDTYPE,
    "name": tarfile.GNUTYPE_LONGNAME,
    "link": tarfile.GNUTYPE_LONGLINK,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_header_is_not_read_beyond_what_headers_need(tmp_path: Path, kind: str) -> None:
    path = bomb(tmp_path / "a.tar.gz", KINDS[kind])
    tracemalloc.start()
    with pytest.raises(CorpusError, match="a header of more than 1,000,000 bytes"):
        list(archives.archive_members(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * MB


def test_a_folder_that_says_it_has_content_allows_no_more(tmp_path: Path) -> None:
    path = bomb(tmp_path / "a.tar.gz", tarfile.XHDTYPE, before=header(tarfile.DIRTYPE, 100 * MB))
    with pytest.raises(CorpusError, match="after 1 members"):
        list(archives.archive_members(path))


def test_a_sparse_file_of_many_pieces(tmp_path: Path) -> None:
    info = bytearray(header(tarfile.GNUTYPE_SPARSE, 0))
    info[482] = 1  # the list of pieces goes on in the next block, and so on
    info[148:156] = b"%06o\0 " % (sum(info[:148]) + 256 + sum(info[156:]))
    block = (b"00000000000\0" * 42).ljust(504, b"\0") + b"\1" + b"\0" * 7
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(bytes(info) + block * 10_000, 1))
    with pytest.raises(CorpusError, match="a header of more than"):
        list(archives.archive_members(path))


def test_headers_in_one_another(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes((header(tarfile.XHDTYPE, 0)) * 5000)
    with pytest.raises(CorpusError, match="Fetch the archive anew"):
        list(archives.archive_members(path))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["a.tar", "a.zip"])
def test_folders_count_as_members_and_may_be_listed_twice(tmp_path: Path, name: str, monkeypatch: Any) -> None:
    folders = ["./", "xml/", "xml/", "xml/b/"]
    if name == "a.zip":
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for folder in folders[1:]:
                archive.writestr(zipfile.ZipInfo(folder), b"")
            archive.writestr(folders[0] + "c/", b"")
            archive.writestr("xml/a.xml", b"x")
    else:
        with tarfile.open(tmp_path / name, "w") as archive:  # type: ignore[assignment]
            for folder in folders:
                info = tarfile.TarInfo(folder)
                info.type = tarfile.DIRTYPE
                archive.addfile(info)  # type: ignore[attr-defined]
            info = tarfile.TarInfo("xml/a.xml")
            info.size = 1
            archive.addfile(info, io.BytesIO(b"x"))  # type: ignore[attr-defined]
    assert list(archives.archive_members(tmp_path / name)) == [("xml/a.xml", b"x")]
    monkeypatch.setattr(archives, "MAX_MEMBERS", 3)
    with pytest.raises(CorpusError, match="at most 3 members"):
        list(archives.archive_members(tmp_path / name))


def test_a_zip_with_a_long_list_is_refused_before_its_entries_are_made(tmp_path: Path, monkeypatch: Any) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for i in range(300):
            archive.writestr(f"{i}.xml", b"")
    monkeypatch.setattr(archives, "MAX_MEMBERS", 200)
    made: list[str] = []
    kind = zipfile.ZipInfo
    monkeypatch.setattr(zipfile, "ZipInfo", lambda name="", *more: made.append(name) or kind(name, *more))
    with pytest.raises(CorpusError, match="a list of 300 members"):
        list(archives.archive_members(tmp_path / "a.zip"))
    assert made == []


def test_methods_that_take_memory_as_the_archive_says(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.xml", b"x" * 100)
    with pytest.raises(CorpusError, match=r"packed by method 14\. Expected stored or deflated\."):
        list(archives.archive_members(tmp_path / "a.zip"))


def test_an_archive_within_an_archive_stays_packed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "in.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.xml", b"x" * MB)
    inner = (tmp_path / "in.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in.zip", inner)
    assert list(archives.archive_members(tmp_path / "a.zip")) == [("in.zip", inner)]
