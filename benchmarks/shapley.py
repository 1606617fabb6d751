"""Own-pair Shapley values of one direction, forward and backward, tau 0.1. `python benchmarks/shapley.py [--threads N]`

Targets: 28 pairs exact to 1e-4 within 40 ms (15 a stretch), algorithm 1 within 5 ms; 256 pairs exact to 1e-3 within 3 s
and 2 GB. Cosines are uniform in [-1, 1], wider and so dearer than those of training. Beside the times stands the
largest error of a value, measured against float64 values to 1e-10; and, of a fresh process, how much its peak memory
grew beyond what torch and a small case need.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor

from openmie.nn.align.shapley import own_values, shapley_values

TAU = 0.1


def cosines(size: int) -> Tensor:
    return torch.rand(size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def step(similarity: Tensor, estimator: str, accuracy: float) -> Tensor:
    leaf = similarity.requires_grad_()
    leaf.grad = None
    values = own_values(leaf, TAU, estimator=estimator, accuracy=accuracy)
    values.sum().backward()
    return values.detach()


def clock(call: Callable[[], object], repeat: int) -> list[float]:
    """Milliseconds of `repeat` runs, after three that do not count."""
    times = []
    for i in range(repeat + 3):
        begin = time.perf_counter()
        call()
        if i >= 3:
            times.append(1e3 * (time.perf_counter() - begin))
    return times


def report(size: int, estimator: str, accuracy: float, target: float, repeat: int) -> None:
    similarity = cosines(size)
    times = clock(lambda: step(similarity, estimator, accuracy), repeat)
    rows = min(size, 32)  # of the reference, which is slow
    wanted = shapley_values(similarity.detach()[:rows].double(), TAU, accuracy=1e-10).diagonal()
    error = (step(similarity, estimator, accuracy)[:rows] - wanted).abs().max().item()
    name = f"k {size}, {estimator}" + (f" to {accuracy:.0e}" if estimator == "exact" else "")
    middle, least = statistics.median(times), min(times)
    print(f"{name:24s} {middle:8.2f} ms (min {least:8.2f}), target {target:g}; error {error:.1e}")


def peak() -> float:
    """MB; Linux counts in KB, macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def growth() -> None:
    step(cosines(28), "exact", 1e-3)
    before = peak()
    step(cosines(256), "exact", 1e-3)
    print(f"k 256, exact to 1e-03: peak memory grew by {peak() - before:.0f} MB to {peak():.0f}, target 2048")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--repeat", type=int, default=60)
    arguments.add_argument("--memory", action="store_true", help="only the growth of peak memory, in this process")
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    if given.memory:
        growth()
    else:
        print(f"{given.threads} threads, load {os.getloadavg()[0]:.1f}", flush=True)
        # First, as Linux lets a process that it starts inherit the peak of this one.
        subprocess.run([sys.executable, __file__, "--threads", str(given.threads), "--memory"], check=True)
        report(28, "exact", 1e-4, 40, given.repeat)
        report(28, "exact", 1e-3, 40, given.repeat)
        report(28, "exact", 1e-7, 40, given.repeat)
        report(28, "cyclic", 0.1, 5, given.repeat)
        report(256, "exact", 1e-3, 3000, max(3, given.repeat // 10))
        report(256, "cyclic", 0.1, 3000, max(3, given.repeat // 10))
