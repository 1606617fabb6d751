"""What long documents cost: one training step of M3D over 4,096 pieces and 120 cached frames, and its hot spots.

    python benchmarks/documents.py [--layers 2] [--pieces 4096] [--frames 120]

A Longformer of 768 wide and a ViT's cached states of 197 patches a frame, random; the text tower has as many layers as
asked for. Prints seconds and the most memory that the process has held.
"""

from __future__ import annotations

import argparse
import resource
import time

import torch
from torch import nn

from openmie.model.extractor import Extractor
from openmie.nn.complete.prompt_conv import PromptConv
from openmie.nn.decode.chain_relations import ChainRelations
from openmie.nn.decode.chains import Bilinear, Chains
from openmie.nn.decode.regions import Regions
from openmie.nn.decode.tags import Crf
from openmie.nn.encode.dual import Text, Vision
from openmie.nn.encode.hierarchical import Hierarchical
from openmie.nn.fuse.denoised import Denoised
from openmie.nn.ops import max_words
from openmie.recipe import Recipe

LABELS = ("PER", "LOC", "TIME", "ORG")
RELATIONS = tuple(f"PER-PER_r{i}" for i in range(35))
PATCHES, WIDTH = 197, 768


class Cached(nn.Module):
    """Stands for a frozen vision tower, whose states are read from the cache."""

    width, whole, is_map = WIDTH, True, False


def longformer(layers: int) -> nn.Module:
    from transformers import LongformerConfig, LongformerModel

    config = LongformerConfig(
        vocab_size=1000,
        hidden_size=WIDTH,
        num_hidden_layers=layers,
        num_attention_heads=12,
        intermediate_size=3072,
        attention_window=[512] * layers,
        max_position_embeddings=4098,
        type_vocab_size=1,
        pad_token_id=1,
    )
    return LongformerModel(config, add_pooling_layer=False)


def recipe() -> Recipe:
    heads = (
        Crf(labels=LABELS),
        Chains(labels=LABELS),
        ChainRelations(labels=RELATIONS, mentions=LABELS),
        Regions(labels=LABELS[:3]),
    )
    encode = Hierarchical(text=Text(pool="max"), vision=Vision(freeze=True))
    return Recipe(name="step", encode=encode, complete=PromptConv(), fuse=(Denoised(),), heads=heads)


def batch(pieces: int, frames: int) -> tuple[dict, dict, dict]:
    """One document: a word for every 1.3 pieces, 40 mentions in 20 chains, a region in each frame."""
    words = int(pieces / 1.3)
    word = torch.linspace(0, words - 1, pieces - 2).round().long()
    edge = torch.full((1,), -1)
    inputs = {
        "input_ids": torch.randint(5, 1000, (1, pieces)),
        "attention_mask": torch.ones(1, pieces, dtype=torch.long),
        "token_type_ids": torch.zeros(1, pieces, dtype=torch.long),
        "word_ids": torch.cat([edge, word, edge])[None],
        "owner": torch.zeros(1, dtype=torch.long),
        "words": torch.ones(1, words, dtype=torch.bool),
        "vision_states": torch.randn(frames, PATCHES, 4 * WIDTH),
        "image": torch.zeros(frames, dtype=torch.long),
        "slot": torch.arange(frames),
    }
    start = torch.arange(40) * (words // 40)
    given = {
        "spans": torch.stack([start, start + 1], -1)[None],
        "spans_mask": torch.ones(1, 40, dtype=torch.bool),
        "span_labels": torch.zeros(1, 40, dtype=torch.long),
        "chain_of": (torch.arange(40) % 20)[None],
    }
    targets = {
        "tags": torch.zeros(1, words, dtype=torch.long),
        "chain_of": given["chain_of"],
        "links": torch.rand(1, 20, 20, len(RELATIONS)) < 0.01,
        "boxes": torch.full((1, frames, 1, 4), 0.4),
        "box_labels": torch.zeros(1, frames, 1, dtype=torch.long),
        "box_of": torch.zeros(1, frames, 1, dtype=torch.long),
    }
    return inputs, given, targets


def step(layers: int, pieces: int, frames: int) -> None:
    from openmie.model.features.encoded_document import Batch

    torch.manual_seed(0)
    extractor = Extractor.build(recipe(), longformer(layers), Cached()).train()
    optimizer = torch.optim.AdamW(extractor.parameters())
    one = Batch(*batch(pieces, frames))
    before = peak()
    started = time.perf_counter()
    output = extractor(one)
    forward = time.perf_counter() - started
    output.total.backward()
    optimizer.step()
    seconds = time.perf_counter() - started
    print(
        f"one step, {pieces} pieces, {frames} cached frames, {layers} layers of {WIDTH}: {seconds:.1f} s "
        f"({forward:.1f} forward), peak {peak():.2f} GB ({before:.2f} before it)"
    )


def hot_spots(repeat: int = 20) -> None:
    """Pieces to words of a document of 305 words, and pair scores of 136 pairs with 35 relations, there and back."""
    states = torch.randn(1, 400, WIDTH, requires_grad=True)
    word = torch.linspace(0, 304, 400).round().long()[None]
    owner = torch.zeros(1, dtype=torch.long)
    print(
        f"pieces to words, 305 words of 400 pieces, {WIDTH} wide: "
        f"{best(lambda: max_words(states, owner, word, (1, 305)).sum().backward(), repeat):.2f} ms"
    )
    pair, vectors = Bilinear(WIDTH, 35), torch.randn(1, 17, WIDTH, requires_grad=True)

    def score() -> None:
        pair(vectors, vectors)[0][torch.ones(17, 17).triu(1).bool()].sum().backward()  # 136 pairs of 17 mentions

    print(f"pair scores, 136 pairs, 35 relations, {WIDTH} wide: {best(score, repeat):.1f} ms")


def best(call, repeat: int) -> float:
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - started))
    return min(times)


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--pieces", type=int, default=4096)
    parser.add_argument("--frames", type=int, default=120)
    asked = parser.parse_args()
    hot_spots()
    step(asked.layers, asked.pieces, asked.frames)
