"""Types of config fields that say which values mean something; `recipe.check` refuses all others.

A config annotates its fields with these, and has a method `problems` for rules about several fields at once:

    @dataclass(frozen=True, kw_only=True)
    class MyFusion:
        width: Count = 128
        heads: Count = 4
        pool: Literal["mean", "sum"] = "mean"

        def problems(self) -> Iterator[Problem]:
            yield from heads_divide(self.heads, self.width)

A bool is no number, and neither is NaN or infinity.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from openmie.errors import ErrorRecord

Count = Annotated[int, Field(ge=1)]
CountOrZero = Annotated[int, Field(ge=0)]
Pixels = Annotated[int, Field(ge=16)]  # side of an image
Finite = Annotated[float, Field(allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(ge=1e-6, allow_inf_nan=False)]  # what is divided by, such as a temperature
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
PositiveFraction = Annotated[float, Field(ge=1e-6, le=1, allow_inf_nan=False)]
Dropout = Fraction

Problem = ErrorRecord  # of one config: `where` is the field, without the path to the config


def heads_divide(heads: int, width: int, of: str = "width") -> Iterator[Problem]:
    """A problem unless attention heads divide the width that they share."""
    if width % heads:
        yield Problem(
            where="heads",
            found=f"{heads} heads in a {of} of {width}",
            expected=f"heads that divide the {of}",
            remedy=f"change `heads` or `{of}`",
        )


def labels_given(labels: tuple[str, ...]) -> Iterator[Problem]:
    """A problem where a head has no labels."""
    if not labels:
        yield Problem(
            where="labels",
            found="no labels",
            expected="the label set of a corpus",
            remedy="build the recipe with recipe(corpus=...)",
        )
