"""Which models made a prediction, with what settings and when: one key of `Document.source`.

    document.source["openmie"] == {
        "version": "0.1.0",                       # of openmie
        "when": "2026-11-30T10:40:12Z",           # the job began, UTC; absent in predictions of one's own Python
        "models": [{"name": "openmie-base", "version": "1.0", "query": "5d1f..."}],   # in the order in which they ran
    }

Of a model: `name`; `version` (openmie-base), `recipe` and `weights` (a trained model), or `prompt` and, of a server,
`endpoint`. Hashes are the first 16 hexadecimal digits of a SHA-256. Columns of a user's own are in `source` too: one
that is called as this key is keeps its value under that name with an underscore behind it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from openmie.data.document import Document

KEY = "openmie"


def provenance(models: Sequence[Mapping[str, str]], version: str, when: str = "") -> dict[str, Any]:
    """What a prediction says of how it was made.

    Args:
        models: of each model that ran, `name` and what else identifies it, as texts.
        version: of openmie.
        when: the job began; "": not told.
    """
    facts: dict[str, Any] = {"version": version, "models": [dict(model) for model in models]}
    return {**facts, "when": when} if when else facts


def now() -> str:
    """This second in UTC, or the one of the variable `SOURCE_DATE_EPOCH`, for output that is equal byte by byte."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = datetime.fromtimestamp(int(fixed), UTC) if fixed.isdecimal() else datetime.now(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def source_with(source: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """A document's `source` with the provenance of a new prediction; that of an earlier one is replaced."""
    others = {name: value for name, value in source.items() if name != KEY}
    if KEY in source and not _is_provenance(source[KEY]):
        name = KEY
        while name in others or name == KEY:
            name += "_"
        others[name] = source[KEY]
    return {**others, KEY: dict(facts)}


def stamp(documents: Iterable[Document], facts: Mapping[str, Any]) -> Iterator[Document]:
    """The documents, each with this provenance."""
    for document in documents:
        yield document.model_copy(update={"source": source_with(document.source, facts)})  # no check: none ends a job


def read_provenance(document: Document) -> dict[str, Any] | None:
    """The provenance of a prediction; None of a document that says nothing of it."""
    value = document.source.get(KEY)
    return value if _is_provenance(value) else None


def own_columns(document: Document) -> dict[str, Any]:
    """`source` without the provenance."""
    return {k: v for k, v in document.source.items() if k != KEY or not _is_provenance(v)}


def describe(facts: Mapping[str, Any]) -> str:
    """The models and the time in one line: "openmie-base 1.0, 2026-11-30 10:40 UTC"."""
    names = " then ".join(" ".join(filter(None, (str(m.get("name", "")), _version(m)))) for m in facts["models"])
    when = re.sub(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d).*$", r"\1 \2 UTC", str(facts.get("when", "")))
    return ", ".join(filter(None, (names, when)))


def digest(data: Any) -> str:
    """A hash of a JSON value."""
    text = json.dumps(data, sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def public_address(url: str) -> str:
    """An address without the user, password, query and fragment, in which keys may stand."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _version(model: Mapping[str, Any]) -> str:
    kinds = ("version", "recipe", "prompt")
    return next((f"{'' if kind == 'version' else kind + ' '}{model[kind]}" for kind in kinds if model.get(kind)), "")


def _is_provenance(value: Any) -> bool:
    models = value.get("models") if isinstance(value, dict) else None
    return isinstance(models, list) and all(isinstance(m, dict) and isinstance(m.get("name"), str) for m in models)
