"""What an answer says, and the words in which its records quote it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from openmie.data.document import Chain, Mention, Region, Relation
from openmie.errors import ErrorRecord

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass
class Found:
    """What one answer says, in offsets of the document's text; ids are the answer's, made unique."""

    summary: str = ""
    mentions: list[Mention] = field(default_factory=list)
    chains: list[Chain] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    errors: list[ErrorRecord] = field(default_factory=list)


def id_of(id: Any) -> str:
    """Ids that are numbers, as texts."""
    return str(id) if isinstance(id, str | int) and not isinstance(id, bool) else ""


def clean(text: str) -> str:
    """Without halves of UTF-16 pairs, which no text may hold."""
    return _SURROGATE.sub("\ufffd", text)


def quoted(value: Any) -> str:
    """A value of an answer as a record shows it."""
    return repr(clean(value) if isinstance(value, str) else value)[:120].encode("utf8", "replace").decode("utf8")
