"""Documents in a temporary file are the documents, one at a time."""

import gc
import warnings

import pytest

from openmie.data.document_file import DocumentFile
from tests.fixtures import small


def test_documents_in_a_file_are_what_was_written(tmp_path):
    documents = [d.replace(images=()) if i % 2 else d for i, d in enumerate(small.documents(7))]
    found = DocumentFile(iter(documents), tmp_path)
    assert (
        len(found) == 7
        and list(found) == documents
        and [found[i] for i in (5, 0, 3)] == [documents[i] for i in (5, 0, 3)]
    )
    assert found[0] is documents[0]  # its pixels are in no file
    assert not list(tmp_path.iterdir())  # the file has no name, so that a kill leaves nothing
    with pytest.raises(IndexError):
        found[7]


def test_the_digest_is_of_the_documents_and_their_order(tmp_path):
    documents = small.documents(3)
    digest = DocumentFile(documents, tmp_path).digest
    assert digest == DocumentFile(iter(documents), tmp_path).digest
    assert digest != DocumentFile(documents[::-1], tmp_path).digest
    assert digest != DocumentFile([*documents[:2], documents[2].replace(mentions=())], tmp_path).digest


def test_another_process_opens_the_file_by_its_name(tmp_path):
    documents = [d.replace(images=()) for d in small.documents(5)]
    written = DocumentFile(documents, tmp_path, "shared")
    found = DocumentFile.opened(tmp_path / "shared", written.digest)
    assert written.is_whole and not DocumentFile(small.documents(1), tmp_path).is_whole
    written.unlink()
    assert not list(tmp_path.iterdir()) and list(found) == list(written) == documents and found.digest == written.digest


def test_the_file_is_closed_with_the_sequence(tmp_path):
    """Else the interpreter says after each training that a file was left open."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        written = DocumentFile([d.replace(images=()) for d in small.documents(2)], tmp_path, "shared")
        found = DocumentFile.opened(tmp_path / "shared", written.digest)
        assert list(found) == list(written)
        del written, found
        gc.collect()
    assert [str(w.message) for w in told] == []
