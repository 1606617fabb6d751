"""Streams: the waist for tensors.

Shape legend of the whole floor: B batch, N tokens of a stream, T words, V patches, P pairs, L labels, D width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from openmie.errors import RecipeError
from openmie.nn.ops import masked_mean

Role = Literal[
    "text",
    "vision",
    "objects",
    "context",
    "phrases",
    "generated",
    "generated_objects",
    "pos",
    "positions",
    "original",
    "fused",
    "frames",
]
ROLES: tuple[str, ...] = get_args(Role)


@dataclass(frozen=True)
class Stream:
    """One side of the documents of a batch."""

    tokens: Tensor  # (B, N, D)
    mask: Tensor  # (B, N) bool, True = real
    groups: Tensor | None = None  # (B, N) long: the frame, object, crop or word that a token belongs to
    present: Tensor | None = None  # (B,) bool: whether the document has this side at all; default: any real token
    levels: Tensor | None = None  # (K, B, N, D) states of several layers, where a part asks for them
    whole: Tensor | None = None  # (B, D) the encoder's own state of the whole side, such as an image's class token
    seconds: Tensor | None = None  # (B, N) when a token is said or seen, NaN where that is not known
    relevance: Tensor | None = None  # (B,) how well the corpus says that this side fits the text, NaN where it does not

    def __post_init__(self) -> None:
        if self.present is None:
            object.__setattr__(self, "present", self.mask.any(1))

    @cached_property
    def pooled(self) -> Tensor:
        """(B, D): the encoder's own state of the whole, else the mean of the real tokens; zero where there are none."""
        if self.whole is not None:
            return torch.where(self.mask.any(1, keepdim=True), self.whole, 0.0)
        return masked_mean(self.tokens, self.mask)

    @property
    def width(self) -> int:
        return self.tokens.shape[-1]

    def with_tokens(self, tokens: Tensor) -> Stream:
        """The same positions with other states; what belongs to the old ones (levels, whole) is dropped."""
        return replace(self, tokens=tokens, levels=None, whole=None)


Streams = Mapping[str, Stream]


def empty(like: Stream, width: int) -> Stream:
    """A side that no document of the batch has: one masked token, so that shapes stay legal."""
    b = like.tokens.shape[0]
    tokens = like.tokens.new_zeros(b, 1, width)
    return Stream(tokens, torch.zeros(b, 1, dtype=torch.bool, device=tokens.device))


def levels_of(side: Stream, k: int) -> tuple[Tensor, ...]:
    """The side's levels, K of (B, N, D); one without levels has its tokens in the place of each.

    Errors: as many levels as its encoder makes, where a part asks for another number.
    """
    if side.levels is None:
        return (side.tokens,) * k
    if len(side.levels) != k:
        raise RecipeError(
            f"a side of {len(side.levels)} levels",
            expected=f"{k}, as the part that reads it says",
            where="levels",
            remedy="set `levels` of encoder and parts to one number",
        )
    return side.levels.unbind(0)


def words_only(side: Stream, words: int) -> Stream:
    """The first columns, which are a document's own words; rows whose side was only constructed have none."""
    mask = side.mask & side.present[:, None]  # type: ignore[index]
    cut = slice(0, words)
    groups, levels, seconds = side.groups, side.levels, side.seconds
    return replace(
        side,
        tokens=side.tokens[:, cut],
        mask=mask[:, cut],
        groups=None if groups is None else groups[:, cut],
        levels=None if levels is None else levels[:, :, cut],
        seconds=None if seconds is None else seconds[:, cut],
    )


def by_group(side: Stream) -> tuple[Tensor, Tensor]:
    """The real tokens of each group in their order: (B, G, N', D) and mask (B, G, N'); without groups all are one."""
    b, d = len(side.tokens), side.width
    group = torch.zeros_like(side.mask, dtype=torch.long) if side.groups is None else side.groups
    group = group.masked_fill(~side.mask, 0)
    g = int(F.pad(group.flatten(), (0, 1)).max()) + 1
    member = F.one_hot(group, g) * side.mask[..., None]  # (B, N, G)
    rank = (member.cumsum(1) - 1).gather(2, group[..., None])[..., 0]  # (B, N) among those of its group
    most = int(F.pad(rank.flatten(), (0, 1)).max()) + 1
    row = torch.arange(b, device=group.device)[:, None]
    at = ((row * g + group) * most + rank)[side.mask]
    tokens = side.tokens.new_zeros(b * g * most, d).index_copy(0, at, side.tokens[side.mask])
    mask = torch.zeros(b * g * most, dtype=torch.bool, device=group.device).index_fill(0, at, True)
    return tokens.view(b, g, most, d), mask.view(b, g, most)
