"""Length bucketing: batches of like lengths in a random order that depends on seed and epoch alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle, islice

import numpy as np
from torch.utils.data import Sampler


class Buckets(Sampler[list[int]]):
    """Shuffles all documents, sorts them by length within pools of many batches, cuts batches, shuffles the batches.

    The last batch, which is not full, is kept. `skip` batches at the start of the epoch are left out: where a resumed
    run goes on.

    The batches are the same for any number of processes, which share each of them: process r of P takes every P-th
    document from the r-th on. A batch of fewer documents than processes, which only an epoch's short one can be, is
    filled up with its own documents.

    Args:
        lengths: tokens of each document.
        batch_size: documents of a batch, those of all processes together.
        seed: with the epoch it decides the order.
        pool: batches of a pool.
        process: number of this process, from 0.
        processes: that share the batches.
    """

    def __init__(
        self,
        lengths: Sequence[int] | np.ndarray,
        batch_size: int,
        seed: int,
        pool: int = 20,
        process: int = 0,
        processes: int = 1,
    ) -> None:
        self.lengths, self.batch_size, self.seed, self.pool = np.asarray(lengths), batch_size, seed, pool
        self.process, self.processes = process, processes
        self.epoch, self.skip = 0, 0

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        draw = np.random.Generator(np.random.PCG64([self.seed, self.epoch]))
        order = draw.permutation(len(self.lengths))
        size = self.batch_size * self.pool
        pools = [order[i : i + size] for i in range(0, len(order), size)]
        order = np.concatenate([p[np.argsort(self.lengths[p], kind="stable")] for p in pools])
        starts = [*range(0, len(order), self.batch_size)]
        draw.shuffle(starts)
        for start in starts[self.skip :]:
            yield self._share(order[start : start + self.batch_size].tolist())

    def _share(self, batch: list[int]) -> list[int]:
        if len(batch) < self.processes:
            batch = list(islice(cycle(batch), self.processes))
        return batch[self.process :: self.processes]
