"""What may stand in a field that takes parts of a user's own: a part of the kind that belongs there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any, get_args

from openmie.nn.limits import Problem
from openmie.recipe.shown import shown

LOSS = ("warmup_steps", "diagnostics")
PART = ("needs", "makes")


def part_problems(where: str, parts: Sequence[Any], union: Any, kinds: Mapping[str, type]) -> Iterator[Problem]:
    """A problem for each that is no config of the union, nor one of a user's own with what these configs have.

    Args:
        where: the field.
        parts: what stands in it.
        union: of the configs that openmie has for this place.
        kinds: all config classes of openmie, by name: one of another place is none of a user's own.
    """
    known = get_args(union)
    asked = LOSS if where.endswith("loss") else PART
    for i, part in enumerate(parts):
        ours = type(part) in kinds.values()
        own = is_dataclass(part) and not ours and all(hasattr(part, name) for name in asked)
        if not (isinstance(part, known) or own):
            yield Problem(
                where=where if where.endswith("loss") else f"{where}.{i}",
                found=shown(part),
                expected="one of " + ", ".join(cls.__name__ for cls in known),
                remedy=f'write it as {{"kind": "{known[0].__name__}"}}, or pass a config of your own with '
                + " and ".join(asked),
            )
