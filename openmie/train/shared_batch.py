"""The losses of a batch that several processes share: those of one process that holds all of it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from openmie.model.extractor import Output


class SharedBatch:
    """What a step of this process knows of the others: over how many terms each loss is a mean there.

    A loss is a mean over n terms here and N in all. DDP takes the mean of the gradients of P processes; so that it is
    that of the mean over all N terms, a loss counts P n / N times. An alignment has gathered the rows of all processes,
    and counts once. Where a head's loss is a mean over something else than words, documents or given pairs (chains,
    boxes), n are its documents, and the mean is nearly that of one process.

    Args:
        output: of this process's part of the batch.
        processes: that share the batch; 1: all is as it is.
    """

    def __init__(self, output: Output, processes: int) -> None:
        self.output, self.processes = output, processes
        self.own = [name for name in output.losses if name not in output.num_pairs]
        if processes == 1 or not self.own:
            return
        here = torch.stack([output.num_terms[k].to(output.losses[k].device).double() for k in self.own])
        everywhere = here.clone()
        torch.distributed.all_reduce(everywhere)
        self.share = dict(zip(self.own, here / everywhere.clamp_min(1.0)))

    def total(self) -> Tensor:
        """The weighted sum of the losses that this process's gradient is taken of, a scalar."""
        if self.processes == 1:
            return self.output.total
        weights, losses = self.output.weights, self.output.losses
        scaled = {
            k: v * (self.share[k] * self.processes).to(v.dtype) if k in self.own else v for k, v in losses.items()
        }
        return sum(weights[k] * v for k, v in scaled.items())  # type: ignore[return-value]

    def losses(self) -> dict[str, Tensor]:
        """The unweighted losses of the whole batch, in every process the same."""
        found = {k: v.detach() for k, v in self.output.losses.items()}
        if self.processes == 1 or not self.own:
            return found
        own = torch.stack([found[k].double() * self.share[k] for k in self.own])
        torch.distributed.all_reduce(own)
        return found | dict(zip(self.own, own))


def weighted_sum(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> float:
    """The weighted sum of losses, as a number."""
    return float(sum(weights[k] * v.item() for k, v in losses.items()))
