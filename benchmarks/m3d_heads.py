"""Heads and fusion of long documents: pairs of chains, word pieces to words, and 4,096 words beside 120 frames.

    python benchmarks/m3d_heads.py [--threads 2] [--only pairs|words|memory] [--words 4096] [--frames 120]

Targets: 250 ms for the 136 pairs of 17 entities with 35 relations, forward and backward; 10 ms for 380 pieces of 305
words; a training step of the fusion, and of a document's heads behind it, in less than 12 GB. The slow forms of the
release stand beside, except where they would take minutes.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from openmie.nn.decode.chain_relations import ChainRelations
from openmie.nn.decode.chains import Chains
from openmie.nn.decode.regions import Regions
from openmie.nn.fuse.denoised import Denoised
from openmie.nn.ops import max_words, pool_words
from openmie.nn.streams import Stream

D, MENTIONS = 768, ("PER", "LOC", "TIME", "ORG")


def milliseconds(call: Callable[[], object], repeats: int) -> str:
    """Median and fastest, and the processor's own time of all threads, after one round that does not count."""
    times, own = [], []
    for _ in range(repeats + 1):
        begun, worked = time.perf_counter(), time.process_time()
        call()
        times.append(1e3 * (time.perf_counter() - begun))
        own.append(1e3 * (time.process_time() - worked))
    work = statistics.median(own[1:])
    return f"median {statistics.median(times[1:]):8.1f} ms, fastest {min(times[1:]):8.1f}, of processors {work:8.1f}"


def document(words: int, entities: int, relations: int) -> tuple[Stream, dict[str, Tensor], dict[str, Tensor]]:
    """Words, and entities of two words, each its own chain."""
    stream = Stream(torch.randn(1, words, D), torch.ones(1, words, dtype=torch.bool))
    start = torch.linspace(0, words - 2, entities).long()
    given = {
        "spans": torch.stack([start, start + 1], -1)[None],
        "spans_mask": torch.ones(1, entities, dtype=torch.bool),
        "span_labels": torch.arange(entities)[None] % 4,
        "chain_of": torch.arange(entities)[None],
    }
    links = torch.rand(1, entities, entities, relations) < 0.01
    return stream, given, {"chain_of": given["chain_of"], "links": links}


def pairs(repeats: int) -> None:
    labels = tuple(f"r{k}" for k in range(35))
    for entities in (17, 40):
        stream, given, targets = document(305, entities, 35)
        for config in (Chains(labels=MENTIONS), ChainRelations(labels=labels), ChainRelations(labels=labels, rank=128)):
            head = config.build({"fused": D})

            def step(head: nn.Module = head, seen: object = (given, targets), stream: Stream = stream) -> None:
                head.zero_grad()
                head.loss({"fused": stream}, *seen).backward()  # type: ignore[operator,misc]

            name = f"{type(config).__name__}, rank {config.rank}"
            print(f"  {name:30s} {entities * (entities - 1) // 2:4d} pairs   {milliseconds(step, repeats)}")
    stream, given, _ = document(305, 17, 2)
    slow, vectors = nn.Bilinear(D, D, 2), stream.tokens[0, :17]

    def loop() -> None:
        scores = [slow(vectors[i][None], vectors[j][None]) for i in range(17) for j in range(i)]
        torch.cat(scores).sum().backward()

    print(f"  {'loop over pairs, 2 classes':30s}  136 pairs   {milliseconds(loop, 3)}")


def words(repeats: int) -> None:
    states, owner = torch.randn(1, 380, D, requires_grad=True), torch.zeros(1, dtype=torch.long)
    word = (torch.arange(380) * 305 // 380)[None]
    forms: dict[str, Callable[[], Tensor]] = {
        "first piece": lambda: pool_words(states, owner, word, (1, 305), False),
        "mean of pieces": lambda: pool_words(states, owner, word, (1, 305), True),
        "largest of pieces": lambda: max_words(states, owner, word, (1, 305)),
        "largest, as a matrix (release)": lambda: torch.where(
            (word[0] == torch.arange(305)[:, None])[..., None], states[0], -1e9
        ).amax(1)[None],
    }
    torch.testing.assert_close(forms["largest of pieces"](), forms["largest, as a matrix (release)"]())
    for name, make in forms.items():
        print(f"  {name:32s} forward {milliseconds(make, repeats)}")
        print(f"  {'':32s} and back {milliseconds(lambda make=make: make().sum().backward(), repeats)}")  # type: ignore[misc]


def peak() -> float:
    """GB that this process has ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def memory(length: int, frames: int, patches: int) -> None:
    """One step of Denoised, Chains, ChainRelations and Regions on cached states of three levels, B = 1."""
    torch.manual_seed(0)
    n = frames * patches
    stream, given, targets = document(length, length // 20, 35)
    text = Stream(stream.tokens, stream.mask, levels=torch.randn(3, 1, length, D))
    groups = torch.arange(n)[None] // patches
    full = torch.ones(1, n, dtype=torch.bool)
    vision = Stream(torch.randn(1, n, D), full, groups, levels=torch.randn(3, 1, n, D))
    print(f"  {length} words, {frames} frames of {patches} patches; the states themselves: {peak():.1f} GB")
    targets |= {
        "boxes": torch.rand(1, frames, 3, 4) * 0.4 + 0.2,
        "box_labels": torch.randint(3, (1, frames, 3)),
        "box_of": torch.full((1, frames, 3), -1),
    }
    fuse = Denoised().build({"text": D, "vision": D})
    widths = {"text": D, "vision": D, **fuse.widths}
    labels = tuple(f"r{k}" for k in range(35))
    configs = (Chains(labels=MENTIONS), ChainRelations(labels=labels), Regions(labels=("PER", "LOC", "ORG")))
    heads = [config.build(widths) for config in configs]
    optimizer = torch.optim.AdamW([p for m in (fuse, *heads) for p in m.parameters()])
    begun = time.perf_counter()
    fused = fuse({"text": text, "vision": vision})
    print(f"  forward of the fusion {time.perf_counter() - begun:.1f} s, peak {peak():.2f} GB")
    losses = [head.loss(fused, given, targets) for head in heads]
    torch.stack(losses).sum().backward()
    optimizer.step()
    print(f"  the whole step {time.perf_counter() - begun:.1f} s, peak {peak():.2f} GB (target: below 12)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", choices=("pairs", "words", "memory"))
    parser.add_argument("--words", type=int, default=4096)
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--patches", type=int, default=197)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    print(f"{a.threads} threads, torch {torch.__version__}")
    if a.only in (None, "pairs"):
        print("pairs, forward and backward, D 768:")
        pairs(a.repeats)
    if a.only in (None, "words"):
        print("305 words of 380 pieces, D 768:")
        words(a.repeats)
    if a.only in (None, "memory"):
        print("a long document, one training step:")
        memory(a.words, a.frames, a.patches)


if __name__ == "__main__":
    main()
