"""Pair features of eq. 14 beside the concatenation as printed; the whole head; the codec.

    python benchmarks/word_pairs.py [--threads 1] [--width 256]

The two take turns in one run on the same weights, forward and backward, and must agree. Target: 20 ms for the first
layer at B 28, n 40, where the concatenation [M_i ; M_j ; M_i - M_j] takes about a second.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from openmie.data.document import Document, Mention, Relation
from openmie.model.codec.word_pairs import encode_batch
from openmie.model.codec.word_pairs_classes import facts
from openmie.model.codec.word_pairs_decoding import decode_batch
from openmie.nn.decode.word_pairs import CELLS_PER_CHUNK, Pairwise, WordPairs
from openmie.nn.streams import Stream

MENTIONS = ("loc", "misc", "org", "per")
RELATIONS = tuple(f"relation {k}" for k in range(21))


def turns(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Milliseconds of each call, taking turns, after two rounds that do not count."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for k in range(repeats + 2):
        for name, call in calls.items():
            begun = time.perf_counter()
            call()
            if k >= 2:
                times[name].append(1e3 * (time.perf_counter() - begun))
    return times


def show(times: dict[str, list[float]]) -> None:
    for name, each in times.items():
        print(f"  {name:58s} median {statistics.median(each):8.1f} ms   fastest {min(each):8.1f} ms")


def first_layer(size: int, length: int, width: int, out: int, repeats: int) -> None:
    """Inputs and outputs of the first layer alone: (B, T, D) -> (B, T, T, d2), and back from the same gradient."""
    torch.manual_seed(0)
    layer = Pairwise(width, out)
    states = torch.randn(size, length, width, requires_grad=True)
    above = torch.randn(size, length, length, out)
    row, i, j = (x.flatten() for x in torch.meshgrid(*(torch.arange(n) for n in (size, length, length)), indexing="ij"))

    def grid() -> Tensor:
        left, right = layer.halves(states)
        return left[:, :, None] + right[:, None]

    def listed() -> Tensor:  # as the head does it, which leaves padding and unwanted cells out
        left, right = (x.flatten(0, 1) for x in layer.halves(states))
        return (left.index_select(0, row * length + i) + right.index_select(0, row * length + j)).view_as(above)

    def printed() -> Tensor:
        one, two = (x.expand(-1, length, length, -1) for x in (states[:, :, None], states[:, None]))
        return layer.first(torch.cat([one, two, one - two], -1))

    def both_ways(make: Callable[[], Tensor]) -> list[Tensor]:
        layer.zero_grad()
        states.grad = None
        made = make()
        made.backward(above)
        assert states.grad is not None and layer.first.weight.grad is not None
        return [made.detach(), states.grad, layer.first.weight.grad]

    forms = {"factored, as a grid": grid, "factored, as a list of cells": listed, "concatenation as printed": printed}
    results = [both_ways(make) for make in forms.values()]
    for other in results[1:]:
        for a, b in zip(results[0], other):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-2)
    print(f"first layer of eq. 14, B {size}, n {length}, D {width}, d2 {out}, forward and backward:")
    show(turns({name: lambda make=make: both_ways(make) for name, make in forms.items()}, repeats))  # type: ignore[misc]


def whole_head(size: int, length: int, width: int, repeats: int) -> None:
    torch.manual_seed(0)
    calls: dict[str, Callable[[], object]] = {}
    lengths = torch.randint(length // 4, length + 1, (size,))
    for what, mask in (
        ("no padding", torch.ones(size, length, dtype=torch.bool)),
        ("a quarter to full length", torch.arange(length) < lengths[:, None]),
    ):
        streams = {"fused": Stream(torch.randn(size, length, width, requires_grad=True), mask)}
        given = {"pos": torch.randint(18, (size, length))}
        targets = {"cells": torch.randint(-1, 26, (size, length, length))}
        for contrast in ("literal", None):
            config = WordPairs(mentions=MENTIONS, labels=RELATIONS, contrast=contrast)
            head = config.build({"fused": width})

            def step(head=head, streams=streams, given=given, targets=targets) -> None:
                head.zero_grad()
                head.loss(streams, given, targets).backward()

            calls[f"loss and gradient, contrast {contrast}, {what}"] = step
        calls[f"predict, {what}"] = lambda head=head, streams=streams, given=given: _predict(head, streams, given)
    print(f"whole head, B {size}, n {length}, D {width}, d2 {WordPairs().width}, {CELLS_PER_CHUNK} cells at once:")
    show(turns(calls, repeats))


@torch.no_grad()
def _predict(head: torch.nn.Module, streams: object, given: object) -> None:
    head.predict(streams, given)  # type: ignore[operator]


def codec(size: int, length: int, repeats: int) -> None:
    """Posts of about four mentions and three relations."""
    rng = random.Random(0)
    documents = []
    for k in range(size):
        d = Document.from_words(str(k), ["word"] * length)
        starts = sorted(rng.sample(range(0, length - 3, 3), 4))
        mentions = [
            Mention(
                id=f"m{a}", start=d.words[a].start, end=d.words[a + rng.randrange(3)].end, label=rng.choice(MENTIONS)
            )
            for a in starts
        ]
        pairs = rng.sample([(a, b) for a in starts for b in starts if a != b], 3)
        documents.append(
            d.replace(
                mentions=mentions,
                relations=[Relation(head=f"m{a}", tail=f"m{b}", label=rng.choice(RELATIONS)) for a, b in pairs],
            )
        )
    cells = encode_batch(documents, MENTIONS, RELATIONS).cells
    for d, found in zip(documents, decode_batch(cells, documents, MENTIONS, RELATIONS)):
        assert facts(*found) == facts(d.mentions, d.relations)
    print(f"codec, {size} documents of {length} words:")
    show(
        turns(
            {
                "encode": lambda: encode_batch(documents, MENTIONS, RELATIONS),
                "decode": lambda: decode_batch(cells, documents, MENTIONS, RELATIONS),
            },
            repeats,
        )
    )


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--repeats", type=int, default=7)
    arguments.add_argument("--width", type=int, default=256, help="D, the width of the fused words")
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    first_layer(28, 40, options.width, WordPairs().width, options.repeats)
    whole_head(28, 40, options.width, options.repeats)
    codec(1000, 40, options.repeats)
