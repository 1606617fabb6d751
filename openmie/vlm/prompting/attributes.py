"""Attributes of mentions: what is asked of each beside its label, as a user types it and as an answer has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from openmie.data.json_values import replace_surrogates
from openmie.errors import RecipeError
from openmie.vlm.prompting.parsed_answer import quote

Note = Callable[[str, str, str], None]  # (place, what was found, what was expected)


def typed_attributes(texts: Sequence[str], labels: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Attributes by the label that has them, "" for all labels.

    Args:
        texts: NAME=MEANING of all mentions, or LABEL.NAME=MEANING of those with a label; the meaning may be missing.
        labels: labels of mentions.

    Raises:
        RecipeError: an attribute without a name, one that is named twice, a label that is not there.
    """
    found: dict[str, dict[str, str]] = {}
    for text in texts:
        name, _, meaning = (part.strip() for part in text.partition("="))
        label = max((x for x in labels if name.startswith(f"{x}.")), key=len, default="")
        before, dot, _ = name.partition(".")
        if dot and not label:
            raise RecipeError.unknown("label", before, labels, where=f"--attribute {text}")
        bare = name.removeprefix(f"{label}.") if label else name
        if not bare or bare in found.get(label, {}):
            raise RecipeError(
                f"--attribute {name!r} twice" if bare else f"--attribute {text!r}, which has no name",
                expected="a name for each attribute, and each name once",
                where="--attribute",
                remedy='write --attribute role="what they do" or --attribute PER.role="what they do"',
            )
        found.setdefault(label, {})[bare] = meaning
    return found


def read_attributes(value: Any, known: Mapping[str, str], place: str, note: Note) -> dict[str, Any]:
    """The attributes of a mention of an answer: texts, numbers and booleans under names that were asked for.

    Args:
        value: the field of the answer's item; None: it has none.
        known: names of the attributes of mentions with this label.
        place: of the item.
        note: is told of what is left out.
    """
    if value is None or value == {}:
        return {}
    if not isinstance(value, dict):
        note(place, f"attributes {quote(value)}", "an object")
        return {}
    found: dict[str, Any] = {}
    for name, one in value.items():
        if one is None or one == "":
            continue
        if name not in known:
            expected = f"one of {', '.join(known)}" if known else "no attribute of a mention with this label"
            note(place, f"attribute {quote(name)}, which was not asked for", expected)
        elif isinstance(one, str):
            found[name] = replace_surrogates(one)
        elif isinstance(one, bool) or (isinstance(one, int | float) and -1e15 < one < 1e15):
            found[name] = one
        else:
            note(place, f"value {quote(one)} of the attribute {name!r}", "a text")
    return found
