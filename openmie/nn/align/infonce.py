"""InfoNCE between two modalities (van den Oord et al., 2018), symmetric as in CLIP (Radford et al., 2021)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from openmie.nn.limits import Positive


@dataclass(frozen=True, kw_only=True)
class InfoNCE:
    """-log exp(s_ii / tau) / sum_j exp(s_ij / tau), s the cosine; mean over rows, and over both directions.

    Van den Oord et al., 2018. Takes two (B, D), returns a scalar.

    Args:
        tau: temperature.
        symmetric: average both directions; False: only from the first modality to the second.
    """

    tau: Positive = 0.1
    symmetric: bool = True

    def __call__(
        self, a: Tensor, b: Tensor, progress: float | Tensor = 1.0, same_image: Tensor | None = None
    ) -> Tensor:
        """a, b (B, D), row i of a belongs to row i of b -> scalar; with fewer than two rows there is no negative: 0.

        `same_image` (B, B), symmetric and False on the diagonal: pairs left out of the denominators.
        """
        if len(a) < 2:
            return (a.sum() + b.sum()) * 0.0
        logits = F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T / self.tau  # (B, B)
        logits = logits if same_image is None else logits.masked_fill(same_image, -torch.inf)
        own = torch.arange(len(a), device=a.device)
        loss = F.cross_entropy(logits, own)
        return (loss + F.cross_entropy(logits.T, own)) / 2 if self.symmetric else loss

    @property
    def warmup_steps(self) -> int:
        """0: the whole loss counts from the first step."""
        return 0

    def diagnostics(self, a: Tensor, b: Tensor, same_image: Tensor | None = None) -> dict[str, Tensor]:
        """None of its own."""
        return {}
