"""Posts and records as lines of bytes, for pipes between processes and machines: a letter, and JSON."""

from __future__ import annotations

from openmie.data.document import Document
from openmie.errors import ErrorRecord
from openmie.formats.output import WriteReport

_DOCUMENT, _RECORD = b"D", b"E"


def encode(item: Document | ErrorRecord) -> bytes:
    """One line without its end; in place of a document that JSON cannot hold, one with the reason."""
    if isinstance(item, ErrorRecord):
        return _RECORD + item.model_dump_json().encode()
    try:
        return _DOCUMENT + item.to_json().encode()
    except Exception as error:  # NaN or half a character in `source`
        return _DOCUMENT + WriteReport().placeholder(item, error).to_json().encode()


def decode(line: bytes) -> Document | ErrorRecord:
    """The inverse of `encode`."""
    return ErrorRecord.model_validate_json(line[1:]) if line[:1] == _RECORD else Document.from_json(line[1:])


def decode_document(line: bytes) -> Document:
    """The document of a line that holds one."""
    return Document.from_json(line[1:])
