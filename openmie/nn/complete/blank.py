"""Blank: a modality that a document does not have stays masked, so that every fusion ignores it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from openmie.nn.streams import Stream, Streams


@dataclass(frozen=True, kw_only=True)
class Blank:
    """No completion, the default: a missing modality is masked.

    Of no paper. Reads and writes all streams, shapes unchanged.

    Args:
        learned: put one trained token in the place of a missing modality.
    """

    learned: bool = False

    def needs(self) -> frozenset[str]:
        return frozenset()

    def makes(self) -> frozenset[str]:
        return frozenset()

    def build(self, widths: dict[str, int]) -> nn.Module:
        return LearnedBlank(widths) if self.learned else MaskedBlank()


class MaskedBlank(nn.Module):
    """Zeroes the states of what is not there; masks and presence stay as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.widths: dict[str, int] = {}

    def forward(self, streams: Streams) -> Streams:
        def zeroed(s: Stream) -> Stream:
            tokens = torch.where(s.mask[..., None], s.tokens, 0.0)
            return s if s.levels is not None else replace(s, tokens=tokens)

        return {role: zeroed(s) for role, s in streams.items()}


class LearnedBlank(nn.Module):
    """One trained token at the first position of a missing modality, unmasked; `present` stays false there."""

    def __init__(self, widths: dict[str, int]) -> None:
        super().__init__()
        self.widths: dict[str, int] = {}
        self.tokens = nn.ParameterDict(
            {r: nn.Parameter(0.02 * torch.randn(w)) for r, w in widths.items() if r != "text"}
        )

    def forward(self, streams: Streams) -> Streams:
        return {r: self._fill(s, self.tokens[r]) if r in self.tokens else s for r, s in streams.items()}

    @staticmethod
    def _fill(stream: Stream, token: Tensor) -> Stream:
        absent = ~stream.mask.any(1)  # (B,)
        first = torch.zeros_like(stream.mask)
        first[:, 0] = absent
        tokens = torch.where(first[..., None], token, torch.where(stream.mask[..., None], stream.tokens, 0.0))
        whole = None if stream.whole is None else torch.where(absent[:, None], token, stream.whole)
        levels = None if stream.levels is None else torch.where(first[..., None], token, stream.levels)
        return replace(stream, tokens=tokens, mask=stream.mask | first, whole=whole, levels=levels)
