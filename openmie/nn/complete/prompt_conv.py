"""PromptConv: a missing modality made of the other one and a learnt prompt (MMCM of M3D, section V-E)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.nn.limits import Count, Fraction, NonNegative, Problem
from openmie.nn.ops import convolve, frame_means, masked_mean
from openmie.nn.streams import Losses, Stream, Streams, levels_of, mask_modality


@dataclass(frozen=True, kw_only=True)
class PromptConv:
    """Eq. 13 and 14 of M3D, from text H^x to images (the other way alike, with weights of its own):

        G_k = [P_k ; ReLU(Conv(H^x))],   H_k^g = ReLU(Conv_k(G_k)),   k = low, middle, high

    with l_p + n_x positions, all in one frame. The paper leaves the kernel open: its release has 1, a linear layer a
    position, and its prose wants locality, so 3. H^g itself is not made there; here it is the mean of the levels.
    A constructed modality has its mask set and `present` false: alignments and losses that need the real one ignore it.
    A document that lacks both modalities stays as it is. Patches are convolved in their order, frame after frame.

    Args:
        modalities: names of the two streams, each completed from the other.
        prompt_length: l_p, number of prompt positions.
        kernel: width of the convolutions, odd; 1 as released.
        levels: K, number of levels; streams without levels get the mean of the constructed ones.
        per_frame: read one mean per frame instead of every patch (ours), which keeps the constructed text of a long
            video short.
        modality_dropout: probability that a training step hides one modality of a document that has both (ours).
        reconstruction_weight: weight of the distance between the mean of the hidden modality and that of its
            reconstruction (ours); above 0 it needs `modality_dropout`.
    """

    modalities: tuple[str, ...] = ("text", "vision")
    prompt_length: Count = 64
    kernel: Count = 3
    levels: Count = 3
    per_frame: bool = False
    modality_dropout: Fraction = 0.0
    reconstruction_weight: NonNegative = 0.0

    def needs(self) -> frozenset[str]:
        return frozenset(self.modalities)

    def makes(self) -> frozenset[str]:
        return frozenset()

    def problems(self) -> Iterator[Problem]:
        if self.kernel % 2 == 0:
            yield Problem(
                where="kernel",
                found=f"kernel={self.kernel}",
                expected="an odd number, for it has a middle",
                remedy="set `kernel` to 1 or 3",
            )
        if len(set(self.modalities)) != 2:
            yield Problem(
                where="modalities",
                found=f"modalities={self.modalities}",
                expected="two different roles",
                remedy="name the two modalities that are made of each other, such as text and vision",
            )
        if self.reconstruction_weight and not self.modality_dropout:
            yield Problem(
                where="reconstruction_weight",
                found=f"reconstruction_weight={self.reconstruction_weight:g} with modality_dropout=0",
                expected="modality_dropout above 0",
                remedy="set `modality_dropout`: a hidden modality is compared with what is made",
            )

    def build(self, widths: dict[str, int]) -> PromptConvCompletion:
        return PromptConvCompletion(self, widths)


class PromptConvCompletion(nn.Module):
    """Streams -> Streams, missing modalities filled, and the loss `reconstruction` in training, if weighted."""

    def __init__(self, config: PromptConv, widths: dict[str, int]) -> None:
        super().__init__()
        self.modalities, self.drop, self.reconstruct = (
            config.modalities,
            config.modality_dropout,
            config.reconstruction_weight,
        )
        self.per_frame = config.per_frame
        self.widths: dict[str, int] = {}
        a, b = config.modalities
        self.constructors = nn.ModuleDict(
            {a: Constructor(config, widths[b], widths[a]), b: Constructor(config, widths[a], widths[b])}
        )

    def forward(self, streams: Streams) -> tuple[Streams, Losses]:
        a, b = self.modalities
        real = {a: streams[a], b: streams[b]}
        dropped = self._dropped(real)
        kept = {r: mask_modality(stream, dropped[r]) if r in dropped else stream for r, stream in real.items()}
        layered = any(stream.levels is not None for stream in real.values())
        made, costs = {}, []
        for role, other in ((a, b), (b, a)):
            missing = ~kept[role].present & kept[other].present  # type: ignore[operator]
            levels, mask = self.constructors[role](*self._states(kept[other], missing))
            made[role] = fill_modality(kept[role], levels, mask, missing, layered)
            if role in dropped and self.reconstruct:
                costs.append(distance(real[role], dropped[role], missing, levels, mask))
        losses = {"reconstruction": (self.reconstruct, torch.stack(costs).sum())} if costs else {}
        return {**streams, **made}, losses

    def _states(self, stream: Stream, rows: Tensor) -> tuple[Tensor, Tensor]:
        """What a constructor reads of these rows, (R, N, D) and mask (R, N): tokens, or the mean of each frame."""
        tokens, mask = stream.tokens[rows], stream.mask[rows]
        if not self.per_frame or stream.groups is None:
            return tokens, mask
        tokens, count = frame_means(tokens, stream.groups[rows], mask)
        return tokens, count > 0

    def _dropped(self, real: dict[str, Stream]) -> dict[str, Tensor]:
        """(B,) bool for each modality: the documents that training drops it of, never both of one."""
        if not (self.training and self.drop):
            return {}
        a, b = (real[role].present for role in self.modalities)
        draw = torch.rand(len(a), device=a.device)  # type: ignore[arg-type,union-attr]
        both = a & b  # type: ignore[operator]
        first, second = draw < self.drop / 2, (draw >= self.drop / 2) & (draw < self.drop)
        return dict(zip(self.modalities, (both & first, both & second)))


class Constructor(nn.Module):
    """One direction: a modality (R, N, D) -> levels of the other (K, R, l_p + N, D') and their mask (R, l_p + N)."""

    def __init__(self, config: PromptConv, here: int, missing: int) -> None:
        super().__init__()
        k, half = config.kernel, config.kernel // 2
        self.prompt = nn.Parameter(0.02 * torch.randn(config.levels, config.prompt_length, missing))  # P
        self.input_conv = nn.Conv1d(here, missing, k, padding=half)
        self.level_convs = nn.ModuleList(nn.Conv1d(missing, missing, k, padding=half) for _ in range(config.levels))

    def forward(self, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        r = len(tokens)
        states = torch.where(mask[..., None], convolve(self.input_conv, tokens, mask).relu(), 0.0)
        mask = torch.cat([mask.new_ones(r, self.prompt.shape[1]), mask], 1)
        levels = []
        for prompt, conv in zip(self.prompt, self.level_convs):
            x = torch.cat([prompt.expand(r, -1, -1), states], 1)
            levels.append(torch.where(mask[..., None], convolve(conv, x, mask).relu(), 0.0))
        return torch.stack(levels), mask


def fill_modality(stream: Stream, levels: Tensor, mask: Tensor, rows: Tensor, layered: bool) -> Stream:
    """The modality with rows (B,) bool, R of them, taken from levels (K, R, M, D) and mask (R, M), padded to fit."""
    at = rows.nonzero()[:, 0]
    n = max(stream.tokens.shape[1], levels.shape[2] if len(at) else 0)

    def put(old: Tensor, new: Tensor) -> Tensor:  # (B, N, ...) and (R, M, ...) -> (B, n, ...)
        rest = (0, 0) * (old.dim() - 2)
        old, new = (F.pad(x, (*rest, 0, max(0, n - x.shape[1]))) for x in (old, new[:, :n]))
        return old.index_copy(0, at, new.to(old.dtype))

    tokens = put(stream.tokens, levels.mean(0))
    old = levels_of(stream, len(levels)) if layered else ()
    groups = None if stream.groups is None else put(stream.groups, torch.zeros_like(mask, dtype=torch.long))
    unknown = torch.full(mask.shape, torch.nan, device=mask.device)
    seconds = None if stream.seconds is None else put(stream.seconds, unknown)
    whole = stream.whole
    if whole is not None:
        whole = whole.index_copy(0, at, masked_mean(levels.mean(0), mask).to(whole.dtype))
    return replace(
        stream,
        tokens=tokens,
        mask=put(stream.mask, mask),
        groups=groups,
        whole=whole,
        seconds=seconds,
        levels=torch.stack([put(o, new) for o, new in zip(old, levels)]) if layered else None,
    )


def distance(real: Stream, dropped: Tensor, missing: Tensor, levels: Tensor, mask: Tensor) -> Tensor:
    """Mean squared difference between means over positions: of dropped modalities and of what was made for them.

    dropped and missing (B,) bool; levels (K, R, M, D) and mask (R, M) are of the rows that miss the modality, the
    dropped ones among them.
    """
    mine = dropped[missing]
    if not mine.any():
        return levels.sum() * 0.0
    want = [masked_mean(x[dropped], real.mask[dropped]) for x in levels_of(real, len(levels))]
    got = [masked_mean(x[mine], mask[mine]) for x in levels]
    return F.mse_loss(torch.stack(got), torch.stack(want).detach())
