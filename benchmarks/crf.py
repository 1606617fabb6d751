"""Our CRF beside pytorch-crf: loss forward+backward, and decoding. `python benchmarks/crf.py [--threads N]`

The two take turns in one run, so that whatever else the machine does hits both; medians and minima are printed, and the
ratio of each. Targets: at most 0.25 of pytorch-crf's time for the loss, at most 0.5 for decoding.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torchcrf import CRF

from openmie.nn.decode.crf import LinearChainCrf


def alternate(ours: Callable[[], object], theirs: Callable[[], object], repeat: int) -> tuple[list[float], list[float]]:
    """Milliseconds of `repeat` runs of each, taking turns, after three that do not count."""
    times: tuple[list[float], list[float]] = ([], [])
    for i in range(repeat + 3):
        for call, kept in zip((ours, theirs), times):
            begin = time.perf_counter()
            call()
            if i >= 3:
                kept.append(1e3 * (time.perf_counter() - begin))
    return times


def report(what: str, ours: list[float], theirs: list[float], target: float) -> None:
    mid, low = (statistics.median(ours), statistics.median(theirs)), (min(ours), min(theirs))
    print(
        f"{what:28s} ours {mid[0]:6.2f} ms (min {low[0]:6.2f})   pytorch-crf {mid[1]:6.2f} ms (min {low[1]:6.2f})   "
        f"ratio {mid[0] / mid[1]:.3f} (of minima {low[0] / low[1]:.3f}), target {target}"
    )


def compare(size: int, length: int, width: int, repeat: int) -> None:
    torch.manual_seed(0)
    emissions, tags = torch.randn(size, length, width), torch.randint(width, (size, length))
    lengths = torch.randint(length // 10, length + 1, (size,))
    lengths[0] = length
    mask = torch.arange(length) < lengths[:, None]
    ours, theirs = LinearChainCrf(width), CRF(width, batch_first=True)
    with torch.no_grad():
        for mine, other in zip(
            (ours.start, ours.transitions, ours.end),
            (theirs.start_transitions, theirs.transitions, theirs.end_transitions),
        ):
            other.uniform_(-1, 1)
            mine.copy_(other)
    leaf = emissions.clone().requires_grad_()

    def step(loss: Callable[[], torch.Tensor], model: torch.nn.Module) -> None:
        leaf.grad = None
        model.zero_grad()
        loss().backward()

    name = f"B {size}, T {length}, {width} tags"
    report(
        f"{name}: loss",
        *alternate(
            lambda: step(lambda: -ours.log_likelihood(leaf, tags, mask).sum(), ours),
            lambda: step(lambda: -theirs(leaf, tags, mask), theirs),
            repeat,
        ),
        0.25,
    )
    report(
        f"{name}: decode",
        *alternate(lambda: ours.decode(emissions, mask), lambda: theirs.decode(emissions, mask), repeat),
        0.5,
    )


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--repeat", type=int, default=60)
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    for length in (128, 40):
        compare(32, length, 9, given.repeat)
