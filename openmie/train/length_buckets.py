"""Length bucketing: batches of like lengths in a random order that depends on seed and epoch alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle, islice

import numpy as np
from torch.utils.data import Sampler


class Buckets(Sampler[list[int]]):
    """Shuffles all documents, sorts them by length within pools of many batches, cuts batches, shuffles the batches.

    The last batch, which is not full, is kept (`drop_last` is False). `skip` batches at the start of the epoch are left
    out: where a resumed run goes on.

    Several processes get as many full batches each: the last ones are filled up from the start of the epoch, as
    Accelerate does, which would take what a resumed run begins with.

    Args:
        lengths: tokens of each document.
        batch_size: documents of a batch.
        seed: with the epoch it decides the order.
        pool: batches of a pool.
        processes: that the batches are dealt out to.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int, pool: int = 20, processes: int = 1) -> None:
        self.lengths, self.seed, self.pool, self.processes = np.asarray(lengths), seed, pool, processes
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
        if self.processes > 1:
            batches = self._evened(batches)
        yield from batches[self.skip :]

    def _evened(self, batches: list[list[int]]) -> list[list[int]]:
        """A number of batches that the processes can share, all full, the one that was not at the end."""
        batches.sort(key=lambda b: len(b) < self.batch_size)  # stable
        first = [i for batch in batches[: self.processes] for i in batch]
        again = cycle(first)
        batches[-1] += islice(again, self.batch_size - len(batches[-1]))
        while len(batches) % self.processes:
            batches.append(list(islice(again, self.batch_size)))
        return batches
