"""Bounded integer draws over raw PCG64, and finite laws to draw from.

Numpy's `Generator` may change how it turns bits into numbers between versions; the raw bits of PCG64 do not. So all
integers are made here, by rejection, and a golden hash can hold for years. A `Law` is a finite distribution that is
both drawn from (by the generator) and enumerated (by the ceilings): one table, two readers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Generic, TypeVar

import numpy as np

V = TypeVar("V")
H = TypeVar("H", bound=Hashable)
_BITS = 53  # a double holds 53 bits exactly
_BUFFER = 96


class Law(Generic[H]):
    """A finite distribution: distinct values with probabilities that sum to one. Values of weight zero are dropped."""

    def __init__(self, weights: Iterable[tuple[H, float]]) -> None:
        merged: dict[H, float] = {}
        for value, weight in weights:
            if weight > 0:
                merged[value] = merged.get(value, 0.0) + weight
        total = sum(merged.values())
        self.values: tuple[H, ...] = tuple(merged)
        self.chances: tuple[float, ...] = tuple(w / total for w in merged.values())
        self.steps = [int(c * (1 << _BITS)) for c in accumulate(self.chances)]
        self.steps[-1] = 1 << _BITS

    @classmethod
    def uniform(cls, values: Iterable[H]) -> Law[H]:
        return cls((v, 1.0) for v in values)

    def __iter__(self) -> Iterator[tuple[H, float]]:
        return zip(self.values, self.chances)

    def __len__(self) -> int:
        return len(self.values)


class Draws:
    """A stream of draws that depends on its integer key only: `Draws(seed, split, index, purpose)`."""

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(key))
        self._buffer: list[int] = []

    def raw(self) -> int:
        """64 random bits."""
        if not self._buffer:
            self._buffer = self._bits.random_raw(_BUFFER).tolist()[::-1]
        return self._buffer.pop()

    def below(self, n: int) -> int:
        """Uniform in 0 .. n - 1, without bias."""
        limit = (1 << 64) - (1 << 64) % n
        while (bits := self.raw()) >= limit:
            continue
        return bits % n

    def between(self, low: int, high: int) -> int:
        """Uniform in low .. high, both included."""
        return low + self.below(high - low + 1)

    def chance(self, p: float) -> bool:
        return (self.raw() >> 64 - _BITS) < p * (1 << _BITS)

    def pick(self, values: Sequence[V]) -> V:
        return values[self.below(len(values))]

    def draw(self, law: Law[H]) -> H:
        return law.values[bisect_right(law.steps, self.raw() >> 64 - _BITS)]

    def shuffled(self, values: Iterable[V]) -> list[V]:
        """A uniform permutation (Fisher and Yates)."""
        out = list(values)
        for i in range(len(out) - 1, 0, -1):
            j = self.below(i + 1)
            out[i], out[j] = out[j], out[i]
        return out

    def octets(self, n: int) -> np.ndarray:
        """(n,) uint8, uniform."""
        words: np.ndarray = self._bits.random_raw((n + 7) // 8).astype("<u8")
        return words.view(np.uint8)[:n]
