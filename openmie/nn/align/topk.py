"""Implicit positives: a text also takes the images of the batch that it fits best as its own (MGIPS-CL, 3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from openmie.nn.limits import Count, CountOrZero, NonNegative, Positive

TIE = 1e-3  # of cosine / tau: what is this near counts as equal, so that rounding does not choose


@dataclass(frozen=True, kw_only=True)
class TopK:
    """With s_ij the cosine of text i and image j over tau, V_i the K images of the largest s_ij, mean over i:

        topk_weight * -log(sum over V_i of e^s_ij / sum_j e^s_ij)                               (eq. 16)
        + pair_weight * -log(e^s_ii / sum_j e^s_ij)                                             (eq. 17)

    Measured on two views of one thing (benchmarks/implicit_positives.py): eq. 16 alone aligns nothing, for it rewards
    what the model believes already. So eq. 17 is added to it, tau is 0.1, and eq. 16 may be let in slowly.

    Args:
        k: K, number of implicit positives, at most B - 1; `adaptive` (ours): one for each row, see `chosen`.
        tau: temperature; the paper gives none, the release has 0.5.
        topk_weight: weight of eq. 16.
        pair_weight: weight of eq. 17.
        anchor: `text`: each text has K images as positives; `image`, as released: the other way round.
        warmup_steps: training steps over which the weight of eq. 16 rises from 0, counted by `Alignment`.
        as_released: one ratio with the own pair added to the K, no weights, no warm-up. The release's other settings
            are anchor='image', tau=0.5.
    """

    k: Count | Literal["adaptive"] = 3
    tau: Positive = 0.1
    topk_weight: NonNegative = 1.0
    pair_weight: NonNegative = 1.0
    anchor: Literal["text", "image"] = "text"
    warmup_steps: CountOrZero = 0
    as_released: bool = False

    def __call__(
        self, a: Tensor, b: Tensor, progress: float | Tensor = 1.0, same_image: Tensor | None = None
    ) -> Tensor:
        """a texts, b images (B, D), row i of a belongs to row i of b -> scalar; 0 with fewer than two rows.

        `progress`, 0 to 1, scales the weight of eq. 16. `same_image` (B, B), symmetric and False on the diagonal: pairs
        left out of every sum; such an image is neither among the K nor a negative.
        """
        if len(a) < 2:
            return (a.sum() + b.sum()) * 0.0
        with torch.autocast(a.device.type, enabled=False):
            logits = self.logits(a, b, same_image)
            ranked = logits.sort(dim=1, descending=True).values  # (B, B)
            place = torch.arange(len(a), device=a.device)
            beyond = place >= self.chosen(logits)[:, None]
            positives = ranked.masked_fill(beyond, -torch.inf).logsumexp(1)  # (B,)
            every, own = logits.logsumexp(1), logits.diagonal()
            if self.as_released:
                return (every - torch.logaddexp(positives, own)).mean()
            return self.topk_weight * progress * (every - positives).mean() + self.pair_weight * (every - own).mean()

    def logits(self, a: Tensor, b: Tensor, same_image: Tensor | None = None) -> Tensor:
        """(B, B) cosine over tau, in float32 at least, a row for each one who chooses; -inf at pairs left out."""
        a, b = (F.normalize(x.to(torch.promote_types(x.dtype, torch.float32)), dim=-1) for x in (a, b))
        logits = (a @ b.T if self.anchor == "text" else b @ a.T) / self.tau
        return logits if same_image is None else logits.masked_fill(same_image, -torch.inf)

    def chosen(self, logits: Tensor) -> Tensor:
        """(B, B) -> K of each row (B,), at least 1, at most its pairs less one, without gradient.

        `adaptive`: as many as fit the text at least as well as its own image does. A text whose own image stands first
        has K = 1, and eq. 16 is eq. 17; of one whose image is of something else, the images that fit it better are
        taken for positives and no longer pushed away. Measured as well, no better: the perplexity of the row's
        softmax, and the fewest images that hold half of it.
        """
        most = ((logits > -torch.inf).sum(1) - 1).clamp(min=1)  # (B,)
        if self.k != "adaptive":
            return most.clamp(max=int(self.k))
        return (logits >= logits.diagonal()[:, None] - TIE).sum(1).minimum(most)

    @torch.no_grad()
    def diagnostics(self, a: Tensor, b: Tensor, same_image: Tensor | None = None) -> dict[str, Tensor]:
        """For the log: `k`, the mean K, and `own among K`, the share of rows whose K hold their own partner."""
        if len(a) < 2:
            return {}
        logits = self.logits(a, b, same_image)
        k = self.chosen(logits)
        better = (logits > logits.diagonal()[:, None]).sum(1)
        return {"k": k.float().mean(), "own among K": (better < k).float().mean()}
