"""The content of a parsed answer, and how its error records quote the answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from openmie.data.document import Chain, Mention, Record, Region, Relation
from openmie.data.json_values import replace_surrogates
from openmie.errors import ErrorRecord


@dataclass
class ParsedAnswer:
    """The content of one answer. Offsets are those of the document's text; ids are the answer's, made unique."""

    summary: str = ""
    mentions: list[Mention] = field(default_factory=list)
    chains: list[Chain] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    errors: list[ErrorRecord] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)


def id_text(id: Any) -> str:
    """An id of an answer as text, numbers too; "" for what is no id."""
    return str(id) if isinstance(id, str | int) and not isinstance(id, bool) else ""


def quote(value: Any) -> str:
    """A value of an answer as an error record quotes it, at most 120 characters."""
    shown = repr(replace_surrogates(value) if isinstance(value, str) else value)[:120]
    return shown.encode("utf8", "replace").decode("utf8")
