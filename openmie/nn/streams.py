"""Streams: token states of the modalities of a batch, what every part reads and makes.

Shape legend of the whole package: B batch, N tokens of a stream, T words, V patches, F frames, P pairs, L labels,
D width.
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
from openmie.nn.ops import frame_means, masked_mean

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
    """The states of one modality, or of what a part makes, for the documents of a batch.

    Args:
        tokens: (B, N, D) states.
        mask: (B, N) bool, True where a token is real.
        groups: (B, N) long, the frame, object, crop or word that a token belongs to.
        present: (B,) bool, whether the document has this modality itself; default: whether any token is real. A
            modality that a completion constructed has real tokens and is not present.
        levels: (K, B, N, D) states of several layers of the encoder, where a part reads them.
        whole: (B, D) the encoder's own state of all tokens together, such as an image's class token.
        seconds: (B, N) when a token is spoken or seen, in seconds; NaN where that is not known.
        relevance: (B,) how well the corpus says that this modality fits the text; NaN where it does not say.
    """

    tokens: Tensor
    mask: Tensor
    groups: Tensor | None = None
    present: Tensor | None = None
    levels: Tensor | None = None
    whole: Tensor | None = None
    seconds: Tensor | None = None
    relevance: Tensor | None = None

    def __post_init__(self) -> None:
        if self.present is None:
            object.__setattr__(self, "present", self.mask.any(1))

    @cached_property
    def pooled(self) -> Tensor:
        """(B, D): `whole`, else the mean of the real tokens; zero where there are none."""
        if self.whole is not None:
            return torch.where(self.mask.any(1, keepdim=True), self.whole, 0.0)
        return masked_mean(self.tokens, self.mask)

    @property
    def width(self) -> int:
        return self.tokens.shape[-1]

    def with_tokens(self, tokens: Tensor) -> Stream:
        """The same positions with other states (B, N, D'); `levels` and `whole`, of the old states, are dropped."""
        return replace(self, tokens=tokens, levels=None, whole=None)

    def with_positions(
        self, tokens: Tensor, mask: Tensor, groups: Tensor | None = None, seconds: Tensor | None = None
    ) -> Stream:
        """Other positions of the same modality, as after pooling: `present` and `relevance` stay, the rest is given.

        Args:
            tokens: (B, M, D') states.
            mask: (B, M) bool.
            groups: (B, M) long, the groups of the new positions.
            seconds: (B, M) their times; see `group_seconds`.
        """
        return replace(self, tokens=tokens, mask=mask, groups=groups, seconds=seconds, levels=None, whole=None)


Streams = Mapping[str, Stream]
Losses = Mapping[str, tuple[float, Tensor]]  # a part's own losses: name -> weight in the sum, unweighted scalar
PartOutput = Streams | tuple[Streams, Losses]  # what a completion or a fusion gives


def split_losses(output: PartOutput) -> tuple[Streams, Losses]:
    """The streams and the losses of what a part gave; without losses an empty mapping."""
    return output if isinstance(output, tuple) else (output, {})


def empty(like: Stream, width: int) -> Stream:
    """A modality that no document of the batch has: one masked token of that width, so that shapes stay legal."""
    b = like.tokens.shape[0]
    tokens = like.tokens.new_zeros(b, 1, width)
    return Stream(tokens, torch.zeros(b, 1, dtype=torch.bool, device=tokens.device))


def levels_of(stream: Stream, k: int) -> tuple[Tensor, ...]:
    """The stream's levels, K of (B, N, D); a stream without levels has its tokens in the place of each.

    Raises:
        RecipeError: The encoder makes another number of levels than the part reads.
    """
    if stream.levels is None:
        return (stream.tokens,) * k
    if len(stream.levels) != k:
        raise RecipeError(
            f"a modality of {len(stream.levels)} levels",
            expected=f"{k}, the number of levels of the part that reads it",
            where="levels",
            remedy="set `levels` of encoder and parts to one number",
        )
    return stream.levels.unbind(0)


def words_only(stream: Stream, words: int) -> Stream:
    """The first columns, which are a document's own words; a text that was only constructed has none."""
    mask = stream.mask & stream.present[:, None]  # type: ignore[index]
    cut = slice(0, words)
    groups, levels, seconds = stream.groups, stream.levels, stream.seconds
    return replace(
        stream,
        tokens=stream.tokens[:, cut],
        mask=mask[:, cut],
        groups=None if groups is None else groups[:, cut],
        levels=None if levels is None else levels[:, :, cut],
        seconds=None if seconds is None else seconds[:, cut],
    )


def mask_modality(stream: Stream, rows: Tensor) -> Stream:
    """The stream as if the documents of `rows` (B,) bool had never had this modality."""
    return replace(stream, mask=stream.mask & ~rows[:, None], present=stream.present & ~rows)  # type: ignore[operator]


def by_group(stream: Stream) -> tuple[Tensor, Tensor]:
    """The real tokens of each group in their order: (B, G, N', D) and mask (B, G, N'); without groups all are one."""
    b, d = len(stream.tokens), stream.width
    group = torch.zeros_like(stream.mask, dtype=torch.long) if stream.groups is None else stream.groups
    group = group.masked_fill(~stream.mask, 0)
    g = int(F.pad(group.flatten(), (0, 1)).max()) + 1
    member = F.one_hot(group, g) * stream.mask[..., None]  # (B, N, G)
    rank = (member.cumsum(1) - 1).gather(2, group[..., None])[..., 0]  # (B, N) among those of its group
    most = int(F.pad(rank.flatten(), (0, 1)).max()) + 1
    row = torch.arange(b, device=group.device)[:, None]
    at = ((row * g + group) * most + rank)[stream.mask]
    tokens = stream.tokens.new_zeros(b * g * most, d).index_copy(0, at, stream.tokens[stream.mask])
    mask = torch.zeros(b * g * most, dtype=torch.bool, device=group.device).index_fill(0, at, True)
    return tokens.view(b, g, most, d), mask.view(b, g, most)


def group_seconds(stream: Stream, groups: int) -> Tensor | None:
    """When each of the groups is seen (B, G): the latest known time of its real tokens, NaN without; None as given."""
    if stream.seconds is None:
        return None
    member = torch.zeros_like(stream.mask, dtype=torch.long) if stream.groups is None else stream.groups
    member = member.masked_fill(~stream.mask, 0)
    known = torch.where(stream.mask, stream.seconds, torch.nan).nan_to_num(-torch.inf, torch.inf, -torch.inf)
    latest = known.new_full((len(member), groups), -torch.inf).scatter_reduce(1, member, known, "amax")
    return torch.where(latest == -torch.inf, torch.nan, latest)


def pool_frames(stream: Stream) -> Stream:
    """Patches (B, N, D) whose groups are frames -> the mean of each frame's real patches (B, F, D)."""
    tokens, count = frame_means(stream.tokens, stream.groups, stream.mask)
    return stream.with_positions(tokens, count > 0, seconds=group_seconds(stream, tokens.shape[1]))
