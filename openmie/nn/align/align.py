"""Align: which contrastive loss, between which two modalities, before or after the fusion.

A modality is one role or several; the pooled states of several are concatenated. Documents that lack one are left out.
Two documents of one image are no negatives of each other: the other text fits the image as its own does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.nn.align.infonce import InfoNCE
from openmie.nn.limits import CountOrZero, NonNegative
from openmie.nn.ops import masked_softmax
from openmie.nn.streams import Losses, Stream, Streams

Gather = Callable[[Tensor], Tensor]


class ContrastiveLoss(Protocol):
    """A loss between two views of the same rows; a frozen config that is called, such as `InfoNCE`."""

    @property
    def warmup_steps(self) -> int:
        """Training steps over which a part of the loss is let in; 0: none."""

    def __call__(
        self, a: Tensor, b: Tensor, progress: float | Tensor = 1.0, same_image: Tensor | None = None
    ) -> Tensor:
        """The loss, a scalar.

        Args:
            a: (B, D) of the first modality; row i belongs to row i of b.
            b: (B, D) of the second.
            progress: 0 to 1, the share of the warm-up.
            same_image: (B, B) bool, symmetric and False on the diagonal: two documents of one image, neither of which
                is a negative of the other. None: all images differ.
        """

    def diagnostics(self, a: Tensor, b: Tensor, same_image: Tensor | None = None) -> dict[str, Tensor]:
        """Numbers for the log, of the same rows; empty where there are none."""


@dataclass(frozen=True, kw_only=True)
class Align:
    """A contrastive loss between two modalities, before or after the fusion.

    Eq. 3-7 of Shap-CA, 14-17 of MGIPS-CL and 20-22 of CAMIM. Reads two groups of streams, each pooled to (B, width);
    only documents that have both count. In print features are compared as they are; `width` above 0 projects them.

    Args:
        loss: contrastive loss config: `InfoNCE`, `Shapley`, `TopK`, or one of your own (a `ContrastiveLoss`).
        first: streams of the first modality, concatenated.
        second: streams of the second modality, concatenated.
        stage: streams that are aligned: as `encoded`, before the fusion, or as `fused`, after it.
        width: size that both are projected to; 0: no projection, or only of the second to the first's size.
        weight: weight of this loss in the sum of all losses.
        name: name of the loss in logs; empty: made of the loss and the streams.
        learned_pooling: pool tokens by learned weights, then linear and GELU (f, g of eq. 14 of MGIPS-CL); False: the
            mean.
    """

    loss: Any = field(default_factory=InfoNCE)
    first: tuple[str, ...] = ("text",)
    second: tuple[str, ...] = ("vision",)
    stage: Literal["encoded", "fused"] = "encoded"
    width: CountOrZero = 128
    weight: NonNegative = 0.1
    name: str = ""
    learned_pooling: bool = False

    def needs(self) -> frozenset[str]:
        return frozenset((*self.first, *self.second))

    def build(self, widths: dict[str, int]) -> Alignment:
        return Alignment(self, widths)


class Aligned(NamedTuple):
    """What an alignment gives of a batch."""

    losses: Losses  # name -> weight in the sum, unweighted scalar
    num_pairs: Tensor  # documents that have both modalities, of all processes
    diagnostics: dict[str, Tensor]  # numbers for the log, without gradient


class Alignment(nn.Module):
    """Streams -> `Aligned`: one named loss, how many documents took part, and how well they are aligned."""

    steps: Tensor

    def __init__(self, config: Align, widths: dict[str, int]) -> None:
        super().__init__()
        self.loss: ContrastiveLoss = config.loss
        self.stage, self.weight = config.stage, config.weight
        self.modalities = (config.first, config.second)
        kind = type(config.loss).__name__.lower()
        self.name = config.name or f"{kind}({'+'.join(config.first)},{'+'.join(config.second)})"
        have = [sum(widths[r] for r in modality) for modality in self.modalities]
        want = config.width or have[0]
        self.pool: nn.ModuleList | None = None
        if config.learned_pooling:
            self.pool = nn.ModuleList(
                nn.ModuleDict({r: AttentionPool(widths[r]) for r in modality}) for modality in self.modalities
            )
            self.projection = nn.ModuleList(nn.Sequential(nn.Linear(n, want), nn.GELU()) for n in have)
        else:
            as_is = [not config.width and n == want for n in have]
            self.projection = nn.ModuleList(nn.Identity() if a else nn.Linear(n, want) for a, n in zip(as_is, have))
        self.warmup_steps = config.loss.warmup_steps
        if self.warmup_steps:
            self.register_buffer("steps", torch.zeros((), dtype=torch.long))  # of training; saved, for the next start
        self.gather: Gather = _same  # set by the trainer when several processes share a batch

    def forward(self, streams: Streams, image_identity: Tensor | None = None) -> Aligned:
        """The loss of a batch; `image_identity` (B,) long: equal for documents of one image, 0 for those without."""
        a, b, same_image = self.pairs(streams, image_identity)
        losses = {self.name: (self.weight, self.compare(a, b, same_image))}
        return Aligned(losses, torch.tensor(len(a)), self.diagnostics(a, b, same_image))

    def pairs(self, streams: Streams, image_identity: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor | None]:
        """The documents that have both modalities, of all processes: two (rows, D), in one order, and which share an
        image (rows, rows); None where none do."""
        pooled, present = [], None
        for i, (roles, project) in enumerate(zip(self.modalities, self.projection)):
            pooled.append(project(torch.cat([self._pooled(i, r, streams[r]) for r in roles], -1)))  # (B, D)
            for role in roles:
                here = streams[role].present
                present = here if present is None else present & here  # type: ignore[operator]
        assert present is not None
        keep = self.gather(present)
        a, b = (self.gather(x)[keep] for x in pooled)
        return a, b, None if image_identity is None else sharing_images(self.gather(image_identity)[keep])

    def compare(self, a: Tensor, b: Tensor, same_image: Tensor | None = None) -> Tensor:
        """The loss of two (rows, D); in training it is one more step of a warm-up."""
        apart: dict[str, Tensor] = {} if same_image is None else {"same_image": same_image}
        if not self.warmup_steps:
            return self.loss(a, b, **apart)
        progress = (self.steps / self.warmup_steps).clamp(max=1.0)
        if self.training and torch.is_grad_enabled():
            self.steps += 1
        return self.loss(a, b, progress, **apart)

    @torch.no_grad()
    def diagnostics(self, a: Tensor, b: Tensor, same_image: Tensor | None = None) -> dict[str, Tensor]:
        """For the log: `accuracy@1`, the share of rows of `a` whose own partner is the nearest, and the loss's own.

        Empty with fewer than two rows. Of several that are as near, the own one counts by its share, so that equal rows
        are at chance.
        """
        if len(a) < 2:
            return {}
        similarity = F.normalize(a.float(), dim=-1) @ F.normalize(b.float(), dim=-1).T  # (rows, rows)
        apart: dict[str, Tensor] = {} if same_image is None else {"same_image": same_image}
        if same_image is not None:
            similarity = similarity.masked_fill(same_image, -torch.inf)
        best = similarity >= similarity.amax(1, keepdim=True)
        own = (best.diagonal() / best.sum(1)).mean()
        return {"accuracy@1": own, **self.loss.diagnostics(a, b, **apart)}

    def _pooled(self, modality: int, role: str, stream: Stream) -> Tensor:
        return stream.pooled if self.pool is None else self.pool[modality][role](stream)  # type: ignore[index]


class AttentionPool(nn.Module):
    """Learned weights over real tokens: p = softmax_n(w h_n), sum_n p_n h_n; (B, N, D) -> (B, D), 0 without tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Linear(width, 1, bias=False)

    def forward(self, stream: Stream) -> Tensor:
        weights = masked_softmax(self.score(stream.tokens), stream.mask[..., None], 1)  # (B, N, 1)
        return (weights * stream.tokens).sum(1)


def sharing_images(identity: Tensor) -> Tensor | None:
    """identity (B,), 0 for none -> (B, B) bool, True where two different documents share one image; None if none do."""
    same = (identity[:, None] == identity) & (identity != 0)
    same.fill_diagonal_(False)
    return same if same.any() else None


def _same(x: Tensor) -> Tensor:
    return x
