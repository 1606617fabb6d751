"""Tags of which some are not known: words of annotations that no tag can hold are left open, not taught as `O`.

The likelihood of what is known is the sum over all that the rest may be (Bellare and McCallum, 2007; Tsuboi et al.,
2008). With Z of all tag sequences and Z' of those that agree with the known tags, it is Z' / Z.

Shapes: B batch, T words, L tags.
"""

from __future__ import annotations

import torch
from torch import Tensor

from openmie.nn.decode.crf import FORBIDDEN, LinearChainCrf

UNKNOWN_TAG = -1


def partial_log_likelihood(crf: LinearChainCrf, emissions: Tensor, tags: Tensor, real: Tensor) -> Tensor:
    """log p of the tags that are known, given the emissions.

    log p(y) = s(y) - log Z for any completion y of the known tags, and s(y) - log Z' where emissions forbid what the
    known tags exclude; their difference is log Z' - log Z.

    Args:
        crf: the chain.
        emissions: (B, T, L).
        tags: (B, T), `UNKNOWN_TAG` where a word may be anything.
        real: (B, T), True at words.

    Returns:
        (B,); 0 for a row of which nothing is known.
    """
    completed = tags.clamp_min(0)
    likelihood = crf.log_likelihood(emissions, completed, real)
    open_ = real & (tags == UNKNOWN_TAG)
    rows = open_.any(1).nonzero().squeeze(1)
    if not len(rows):
        return likelihood
    others = torch.ones_like(emissions[rows], dtype=torch.bool).scatter_(2, completed[rows][..., None], False)
    agreeing = emissions[rows].masked_fill(others & ~open_[rows][..., None], FORBIDDEN)
    rest = crf.log_likelihood(agreeing, completed[rows], real[rows])
    return likelihood.index_add(0, rows, -rest)
