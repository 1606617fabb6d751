"""Length bucketing: batches of like lengths in a random order that depends on seed and epoch alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler


class Buckets(Sampler[list[int]]):
    """Shuffles all documents, sorts them by length within pools of many batches, cuts batches, shuffles the batches.

    The last batch, which is not full, is kept (`drop_last` is False). `skip` batches at the start of the epoch are left
    out: where a resumed run goes on.

    Args:
        lengths: tokens of each document.
        batch_size: documents of a batch.
        seed: with the epoch it decides the order.
        pool: batches of a pool.
        incomplete_last: put the batch that is not full at the end of the epoch: Accelerate deals batches out to several
            processes, and drops a round that ends in one.
    """

    def __init__(
        self, lengths: Sequence[int], batch_size: int, seed: int, pool: int = 20, incomplete_last: bool = False
    ) -> None:
        self.lengths, self.seed, self.pool, self.incomplete_last = np.asarray(lengths), seed, pool, incomplete_last
        self.batch_size, self.drop_last = batch_size, False  # under the names that Accelerate looks for
        self.epoch, self.skip = 0, 0

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        draw = np.random.Generator(np.random.PCG64([self.seed, self.epoch]))
        order = draw.permutation(len(self.lengths))
        size = self.batch_size * self.pool
        pools = [order[i : i + size] for i in range(0, len(order), size)]
        order = np.concatenate([p[np.argsort(self.lengths[p], kind="stable")] for p in pools])
        batches = [order[i : i + self.batch_size].tolist() for i in range(0, len(order), self.batch_size)]
        draw.shuffle(batches)
        if self.incomplete_last:
            batches.sort(key=lambda b: len(b) < self.batch_size)  # stable
        yield from batches[self.skip :]
