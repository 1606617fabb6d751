"""Rows of tokens and tags, as data sets of token classification have them: `{"tokens": [...], "ner_tags": [...]}`.

The tokens, joined by single blanks, are the text. Tags are names (BIO, BIOES or BILOU), or numbers of names that the
file holds beside its rows, as Parquet files of the library datasets do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from openmie.errors import DocumentError

TOKENS = "tokens"
TAGS = ("ner_tags", "tags", "labels", "label", "ner")  # the first that is there
_TAG = re.compile(r"O|[BIESLU]-.+", re.DOTALL)


def is_token_row(row: Mapping[str, Any]) -> bool:
    """Whether a row has tokens and no text of its own."""
    return isinstance(row.get(TOKENS), list | tuple) and not row.get("text")


def text_row(row: Mapping[str, Any], names: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:
    """A row with `text`, `words` and `mentions` in place of its tokens and tags.

    Args:
        row: with a list of tokens, and perhaps a list of as many tags; other columns stay.
        names: column of tags that are numbers -> name of each.

    Raises:
        DocumentError: tokens that are no texts, tags that are none or of another number.
    """
    from openmie.text.bio_runs import tag_runs  # it imports numpy, which rows of other kinds need not wait for

    tokens = list(row[TOKENS])
    if not all(isinstance(token, str) and token for token in tokens):
        raise DocumentError(
            f"{next(t for t in tokens if not isinstance(t, str) or not t)!r} among the tokens",
            expected="texts that are not empty",
            remedy="correct the row",
        )
    column = next((name for name in TAGS if isinstance(row.get(name), list | tuple)), "")
    tags = _tags(list(row[column]), column, len(tokens), (names or {}).get(column)) if column else []
    words, at = [], 0
    for token in tokens:
        words.append((at, at + len(token)))
        at += len(token) + 1
    scheme = "bioes" if any(tag[0] in "ESLU" for tag in tags) else "bio"
    mentions = [
        {"id": f"m{n}", "start": words[first][0], "end": words[last][1], "label": label, "status": status}
        for n, (first, last, label, status) in enumerate(tag_runs(tags, scheme))
    ]
    others = {k: v for k, v in row.items() if k not in (TOKENS, column, "text")}
    return {**others, "text": " ".join(tokens), "words": words, **({"mentions": mentions} if column else {})}


def _tags(tags: list[Any], column: str, length: int, names: Sequence[str] | None) -> list[str]:
    if len(tags) != length:
        raise DocumentError(
            f"{len(tags)} tags for {length} tokens", expected="one each", where=column, remedy="correct the row"
        )
    numbers = [tag for tag in tags if isinstance(tag, int)]
    if numbers and not names:
        raise DocumentError(
            f"the number {numbers[0]} as a tag, without the tags' names",
            expected="tags such as O, B-PER and I-PER",
            where=column,
            remedy="write the names, or save the data set as Parquet, which keeps them",
        )
    named = [names[t] if isinstance(t, int) and names and 0 <= t < len(names) else t for t in tags]
    if wrong := [t for t in named if not isinstance(t, str) or not _TAG.fullmatch(t)]:
        raise DocumentError(
            f"{wrong[0]!r} as a tag",
            expected="O, or B- and I- (E-, S-, L-, U-) with a label",
            where=column,
            remedy="correct the row",
        )
    return named


def class_names(metadata: Mapping[bytes, bytes] | None) -> dict[str, list[str]]:
    """The names of the classes of each column, as the library datasets keeps them in a Parquet file.

    Args:
        metadata: of the file's Arrow schema.
    """
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        inner = {column: about.get("feature", about) for column, about in features.items()}
        return {c: list(about["names"]) for c, about in inner.items() if isinstance(about, dict) and "names" in about}
    except (KeyError, ValueError, TypeError, AttributeError):
        return {}
