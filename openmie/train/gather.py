"""Rows of all processes, with gradient to this process's own, for losses whose negatives are the other rows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributed.nn.functional import all_gather as gather_with_gradient


@dataclass(frozen=True)
class Processes:
    """The processes that train together.

    Args:
        index: number of this one.
        count: how many there are.
        is_first_here: whether it is the first one of its machine.
        device: that tensors are exchanged on.
    """

    index: int = 0
    count: int = 1
    is_first_here: bool = True
    device: str | torch.device = "cpu"

    def exchange(self, value: Any) -> list[Any]:
        """The values of all processes, which JSON can hold, in their order. Every process calls it."""
        return [value] if self.count == 1 else json_across_processes(value, self.device)


def across_processes(x: Tensor) -> Tensor:
    """x (B, ...) -> (B * processes, ...), in process order; the processes may hold different numbers of rows.

    Each process computes the loss over all rows; averaging gradients over processes, as DDP does, then gives the
    gradient of that one loss times one: `all_gather`'s backward sums the contributions of all processes.
    """
    world = torch.distributed.get_world_size()
    sizes = [torch.zeros(1, dtype=torch.long, device=x.device) for _ in range(world)]
    torch.distributed.all_gather(sizes, torch.tensor([len(x)], device=x.device))
    longest = max(int(s) for s in sizes)
    padded = torch.cat([x, x.new_zeros(longest - len(x), *x.shape[1:])])
    if x.is_floating_point():
        parts = list(gather_with_gradient(padded))
    else:
        parts = [torch.zeros_like(padded) for _ in range(world)]
        torch.distributed.all_gather(parts, padded)
    return torch.cat([p[: int(s)] for p, s in zip(parts, sizes)])


def json_across_processes(value: Any, device: str | torch.device) -> list[Any]:
    """The values of all processes, in their order; each is what JSON can hold. Every process calls it.

    Args:
        value: of this process.
        device: that tensors are exchanged on.
    """
    data = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8).to(device)
    sizes = across_processes(torch.tensor([len(data)], device=device)).tolist()
    return [json.loads(part.numpy().tobytes()) for part in across_processes(data).cpu().split(sizes)]
