"""A recipe is checked before anything is built: every value means something, and a part's needs are made before it."""

from __future__ import annotations

from typing import Any, TypeVar

from openmie.errors import RecipeError
from openmie.nn.streams import ROLES
from openmie.recipe.parts import Recipe
from openmie.recipe.values import problems

Part = TypeVar("Part")


def check(recipe: Recipe) -> Recipe:
    """Returns the recipe.

    Raises:
        RecipeError: A value outside its field's limits, a rule of a part that does not hold, or a part that needs a
            stream that no part before it makes; `where` is the field's path, as `set_field` takes it.
    """
    check_part(recipe)
    encoded = recipe.encode.makes() | recipe.complete.makes()
    have, shape = encoded, recipe.encode
    for i, part in enumerate(recipe.fuse):
        _need(part, have, shape, f"fuse.{i}")
        have, shape = have | part.makes(), part
    fused = have | {"fused"}  # with no fusion the words themselves
    for i, align in enumerate(recipe.align):
        _need(align, encoded if align.stage == "encoded" else fused, recipe.encode, f"align.{i}")
    for i, head in enumerate(recipe.heads):
        _need(head, fused | {"tags"}, shape, f"heads.{i}")
    return recipe


def check_part(part: Part, where: str = "") -> Part:
    """Returns the config of one part, checked by itself: its values, and its own rules about several of them.

    Raises:
        RecipeError: `where`, then the field, is the path in the message.
    """
    for problem in problems(part, where):
        raise RecipeError.of(problem)
    return part


def _need(part: Any, have: frozenset[str], before: Any, where: str) -> None:
    missing = sorted(part.needs() - have)
    if missing:
        odd = [m for m in missing if m not in (*ROLES, "tags")]
        raise RecipeError(
            f"{type(part).__name__} needs {missing}, and {sorted(have)} are made before it",
            expected=f"roles among {ROLES}" if odd else f"{missing} from {type(before).__name__} or a part",
            where=where,
            remedy="give the encoder that input (vision, context, objects), or change the part's roles",
        )
