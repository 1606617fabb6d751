"""Every number of every config has limits: what means nothing is refused with the field's path, all else runs."""

import math
from dataclasses import dataclass, fields, replace
from typing import Annotated, get_args

import pytest
from pydantic import Field

from openmie.errors import RecipeError
from openmie.model.pretrained import Model
from openmie.nn.align.align import Align
from openmie.nn.decode.tags import Crf
from openmie.nn.encode.dual import Dual, Text, Vision
from openmie.nn.fuse.cross import Cross
from openmie.nn.fuse.one_stream import OneStream
from openmie.nn.fuse.two_stream import TwoStream
from openmie.recipe import KINDS, Group, Recipe, Training, check, check_part
from openmie.recipe.parts import Encode, Loss
from tests.fixtures import small
from tests.laws.test_part_contracts import ALIGNS, ENCODERS, PARTS, built, gold, streams

TRAINING = [Training(), Group(), Text(attention_dropout=0.1)]
SAMPLES = {type(p): p for p in (*PARTS, *(a.loss for a in ALIGNS), *ENCODERS, *TRAINING)}
SAMPLES |= {type(p.channels): p.channels for p in PARTS if getattr(p, "channels", None)}


def numbers(part):
    """Names of the fields that hold a number."""
    values = {f.name: getattr(part, f.name) for f in fields(part)}
    return [n for n, v in values.items() if isinstance(v, int | float) and not isinstance(v, bool)]


NUMBERS = [(part, name) for part in SAMPLES.values() for name in numbers(part)]
IDS = [f"{type(part).__name__}.{name}" for part, name in NUMBERS]


def test_every_config_is_among_the_samples():
    without_numbers = {cls for cls in KINDS.values() if cls in (Recipe, Vision)}
    assert {*KINDS.values()} == {*SAMPLES} | without_numbers
    assert {*get_args(Encode), *get_args(Loss)} <= {*SAMPLES}


@pytest.mark.parametrize(("part", "name"), NUMBERS, ids=IDS)
def test_what_is_no_number_is_refused(part, name):
    for value in (math.nan, math.inf, -math.inf, True, "1"):
        with pytest.raises(RecipeError) as error:
            check_part(replace(part, **{name: value}), "here")
        assert error.value.record.where == f"here.{name}", value


@pytest.mark.parametrize(("part", "name"), NUMBERS, ids=IDS)
def test_absurd_numbers_are_refused_or_the_part_runs(part, name):
    for value in (-1, 0, *([10**9] if name == "heads" else [])):
        try:
            runs(check_part(replace(part, **{name: value}), "here"))
        except RecipeError as error:
            assert name in error.record.where or name in error.record.found, value


def runs(part):
    """Build the part and run it once on a batch."""
    if type(part) in get_args(Loss):
        part = Align(loss=part)
    if type(part) in get_args(Encode):
        document = small.document(0)
        assert Model.new(Recipe(name="r", encode=part, heads=(Crf(labels=("A",)),))).predict([document])
    elif hasattr(part, "needs"):
        module, s = built(part), streams(part=part)
        if hasattr(module, "predict"):
            given, targets = gold()
            assert module.predict(s, given) and module.loss(s, given, targets).isfinite()
        else:
            assert module(s)


@pytest.mark.parametrize("part", [p for p in SAMPLES.values() if hasattr(p, "heads")], ids=lambda p: type(p).__name__)
def test_heads_that_do_not_divide_the_width_are_refused(part):
    with pytest.raises(RecipeError, match="7 heads in a"):
        check_part(replace(part, heads=7)).build(dict.fromkeys(part.needs() | {"text", "vision"}, 16))


@pytest.mark.parametrize("fusion", [OneStream, TwoStream, Cross])
def test_a_recipe_whose_heads_do_not_divide_the_width_is_refused(fusion):
    recipe = Recipe(name="r", encode=Dual(vision=Vision()), heads=(Crf(labels=("A",)),))
    with pytest.raises(RecipeError, match="4 heads in a width of 130") as error:
        check(replace(recipe, fuse=(fusion(width=130, heads=4),)))
    assert error.value.record.where == "fuse.0.heads"


@dataclass(frozen=True, kw_only=True)
class Unlimited:
    """A part of a user's own that states no limits."""

    strength: float = math.nan
    anything: object = None

    def needs(self):
        return frozenset({"text"})

    def makes(self):
        return frozenset({"fused"})


@dataclass(frozen=True, kw_only=True)
class Limited(Unlimited):
    """One that does, by an annotation."""

    strength: Annotated[float, Field(le=1)] = 0.5


def test_a_part_of_the_users_own_needs_no_limits_and_may_have_some():
    recipe = Recipe(name="r", heads=(Crf(labels=("A",)),))
    assert check(replace(recipe, fuse=(Unlimited(),))) and check(replace(recipe, fuse=(Limited(),)))
    with pytest.raises(RecipeError, match=r"fuse\.0\.strength"):
        check(replace(recipe, fuse=(Limited(strength=2.0),)))
