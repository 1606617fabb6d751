"""Bounded integer draws over raw PCG64, and the finite distributions that are sampled with them.

NumPy's `Generator` may change how it turns bits into numbers between versions; the raw bits of PCG64 do not. So all
integers are made here, by rejection sampling, and the golden hashes of Diorama hold across NumPy versions. A
`Distribution` is both sampled (by the generator) and enumerated (by the ceilings), so the two cannot disagree.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Generic, TypeVar

import numpy as np

V = TypeVar("V")
H = TypeVar("H", bound=Hashable)
_BITS = 53  # a double holds 53 bits exactly
_BUFFER = 96


class Distribution(Generic[H]):
    """A finite distribution over distinct values, iterable as (value, probability) pairs.

    Args:
        weights: (value, weight) pairs. Weights of equal values are added, values of weight zero are dropped, and the
            rest is normalised to probabilities that sum to one.
    """

    def __init__(self, weights: Iterable[tuple[H, float]]) -> None:
        merged: dict[H, float] = {}
        for value, weight in weights:
            if weight > 0:
                merged[value] = merged.get(value, 0.0) + weight
        total = sum(merged.values())
        self.values: tuple[H, ...] = tuple(merged)
        self.probabilities: tuple[float, ...] = tuple(w / total for w in merged.values())
        self.thresholds = [int(c * (1 << _BITS)) for c in accumulate(self.probabilities)]
        self.thresholds[-1] = 1 << _BITS

    @classmethod
    def uniform(cls, values: Iterable[H]) -> Distribution[H]:
        """Each of the values with the same probability."""
        return cls((v, 1.0) for v in values)

    def __iter__(self) -> Iterator[tuple[H, float]]:
        return zip(self.values, self.probabilities)

    def __len__(self) -> int:
        return len(self.values)


class RandomStream:
    """Random numbers that depend on an integer key only: `RandomStream(seed, split, index, purpose)`.

    Each purpose has a stream of its own, so that drawing more numbers for one purpose changes nothing of another.
    """

    def __init__(self, *key: int) -> None:
        self._key = key
        self._buffer: list[int] = []

    @cached_property
    def _bits(self) -> np.random.PCG64:
        """Made at the first draw: a post has streams that it draws nothing from, and this is most of their time."""
        return np.random.PCG64(np.random.SeedSequence(self._key))

    def uint64(self) -> int:
        """64 random bits."""
        if not self._buffer:
            self._buffer = self._bits.random_raw(_BUFFER).tolist()[::-1]
        return self._buffer.pop()

    def randbelow(self, n: int) -> int:
        """Uniform in 0 .. n - 1, without bias."""
        limit = (1 << 64) - (1 << 64) % n
        while (bits := self.uint64()) >= limit:
            continue
        return bits % n

    def randint(self, low: int, high: int) -> int:
        """Uniform in low .. high, both included."""
        return low + self.randbelow(high - low + 1)

    def bernoulli(self, p: float) -> bool:
        """True with probability p."""
        return (self.uint64() >> 64 - _BITS) < p * (1 << _BITS)

    def choice(self, values: Sequence[V]) -> V:
        """One of the values, each as likely."""
        return values[self.randbelow(len(values))]

    def sample(self, distribution: Distribution[H]) -> H:
        """One value of a distribution, by inversion of its cumulative probabilities."""
        return distribution.values[bisect_right(distribution.thresholds, self.uint64() >> 64 - _BITS)]

    def shuffled(self, values: Iterable[V]) -> list[V]:
        """A uniform permutation (Fisher and Yates)."""
        out = list(values)
        for i in range(len(out) - 1, 0, -1):
            j = self.randbelow(i + 1)
            out[i], out[j] = out[j], out[i]
        return out

    def random_bytes(self, n: int) -> np.ndarray:
        """(n,) uint8, uniform."""
        words: np.ndarray = self._bits.random_raw((n + 7) // 8).astype("<u8")
        return words.view(np.uint8)[:n]
