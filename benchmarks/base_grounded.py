"""Whether base's pair head binds names to objects once it is trained to: Diorama, where each name's figure is known.

    python benchmarks/base_grounded.py [--train 600] [--test 150] [--epochs 20] [--seed 0]

The objects of a picture are words behind the text, from left to right, each with its place and its class, as a perfect
detector would give them. States are those of the shipped weights and stay; only the head of relations goes on training,
with the label "shown as", on pairs of a name and an object. Each name has the likeliest object from 0.5 up, or none:
`metrics.grounded` on posts with two names, of whose pictures a third shows something else. Beside it the same head
untrained, and the rule that needs no training: type and class must fit, and a link must be likelier than not.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from openmie import metrics
from openmie.base.assignment import link_probabilities
from openmie.base.text_model import TextModel
from openmie.data.document import Document, Region
from openmie.diorama import Config
from openmie.diorama.drawing.layout import GRID, KINDS
from openmie.diorama.posts.captions import NOUNS
from openmie.diorama.posts.posts import post, sample_post, to_pixels
from openmie.model.codec.subwords import word_spans

LABEL = {"shown as": "the photograph shows the named one as this object"}
PLACES = ("left", "middle", "right")


class Example(NamedTuple):
    """A post with the objects of its picture as words behind its text."""

    document: Document
    words: list[str]
    pairs: list[tuple[int, int, int, int]]  # of a name and an object: start and end of each
    held: Tensor  # whether the object is the name's figure, for each pair
    boxes: list[tuple[float, float, float, float]]  # of the objects
    kinds: list[str]


def example(config: Config, split: str, index: int) -> Example:
    """The example of a post."""
    document = post(config, split, index, pixels=False)
    _, layout, _ = sample_post(config, split, index)
    shown = sorted((*layout.figures, *layout.distractors), key=lambda x: x.box[0] + x.box[2])
    words, places = [*document.word_texts(), ".", "photograph", ":"], []
    for thing in shown:
        noun = NOUNS[thing.kind].split()
        words += [PLACES[min(3 * (thing.box[0] + thing.box[2]) // (2 * GRID), 2)], *noun]
        places.append((len(words) - len(noun), len(words)))
        if thing.figure is not None and layout.flags:
            words += ["by", "the", layout.flags[layout.figures.index(thing)], "flag"]
        words.append(",")
    boxes = [to_pixels(thing.box, config.size) for thing in shown]
    names = word_spans(document)
    gold = {r.of: r.box for r in document.regions}
    held = [float(gold.get(m.id) == box) for m in document.mentions for box in boxes]
    pairs = [(names[m.id][0], names[m.id][1] + 1, *place) for m in document.mentions for place in places]
    return Example(document, words, pairs, torch.tensor(held), boxes, [thing.kind for thing in shown])


class States(NamedTuple):
    """Padded states of examples, and their pairs as `LabelledPairHead` takes them."""

    states: Tensor
    pairs: Tensor
    held: Tensor

    @classmethod
    def of(cls, model: TextModel, examples: Sequence[Example]) -> States:
        """Of the model as it is."""
        rows = model.encode([e.words for e in examples])
        pairs = [(n, *pair) for n, e in enumerate(examples) for pair in e.pairs]
        states = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).clone()
        return cls(states, torch.tensor(pairs), torch.cat([e.held for e in examples]))

    def batches(self, size: int, draw: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Examples in a drawn order, some at once."""
        for chosen in torch.randperm(len(self.states), generator=draw).split(size):
            at = torch.full((len(self.states),), -1)
            at[chosen] = torch.arange(len(chosen))
            mine = at[self.pairs[:, 0]] >= 0
            pairs = self.pairs[mine].clone()
            pairs[:, 0] = at[pairs[:, 0]]
            yield self.states[chosen], pairs, self.held[mine]


def train(model: TextModel, data: States, label: Tensor, epochs: int, seed: int) -> None:
    """Train the pair head on the probability that an object is the name's figure."""
    draw = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    head = model.pairs.requires_grad_(True).train()
    optimizer = torch.optim.AdamW(head.parameters(), lr=5e-4, weight_decay=0.01)
    for _ in range(epochs):
        for states, pairs, held in data.batches(16, draw):
            loss = F.binary_cross_entropy_with_logits(head(states, pairs, label)[:, 0], held)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    head.eval()


@torch.inference_mode()
def scores_of(model: TextModel, data: States, label: Tensor) -> list[float]:
    """Probability of each pair."""
    return model.pairs(data.states, data.pairs, label)[:, 0].sigmoid().tolist()


def rule(examples: Sequence[Example]) -> list[float]:
    """The same without training: type and kind fit, and all ways to link names and objects are as likely."""
    found: list[float] = []
    for e in examples:
        fits = [[float(kind in KINDS[m.label]) for kind in e.kinds] for m in e.document.mentions]
        found += link_probabilities(np.array(fits)).ravel().tolist()
    return found


def grounded(examples: Sequence[Example], scores: Sequence[float]) -> metrics.Scores:
    """`metrics.grounded` of each name's likeliest object from 0.5 up."""
    predicted, at = [], 0
    for e in examples:
        regions = []
        for m in e.document.mentions:
            own = scores[at : at + len(e.boxes)]
            at += len(e.boxes)
            best = int(np.argmax(own)) if own else 0
            if own and own[best] >= 0.5 and own.count(own[best]) == 1:
                regions.append(Region(image="main", box=e.boxes[best], label=m.label, of=m.id, score=own[best]))
        predicted.append(e.document.replace(regions=tuple(regions)))
    return metrics.grounded([e.document for e in examples], predicted, bootstrap=1000)


def main() -> None:
    """Train, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, default=600)
    parser.add_argument("--test", type=int, default=150)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    config = Config(seed=asked.seed, two_names=1.0, ambiguous=0.0, in_order=0.5)
    training, test = (
        [example(config, s, i) for i in range(n)] for s, n in (("train", asked.train), ("test", asked.test))
    )
    model = TextModel.load()
    label = model.tower.encode_labels(LABEL).clone()
    data, held = States.of(model, training), States.of(model, test)
    rows: dict[str, Any] = {"rule, not trained": rule(test), "head as shipped": scores_of(model, held, label)}
    train(model, data, label, asked.epochs, asked.seed)
    rows[f"head trained on {asked.train} posts"] = scores_of(model, held, label)
    print("| links of names to objects | grounded F1 (95%) |\n|---|---|")
    for name, scores in rows.items():
        found = grounded(test, scores)
        low, high = found.interval or (0.0, 0.0)
        print(f"| {name} | {found.f1:.1f} ({low:.1f} to {high:.1f}) |")
    print(f"{time.process_time():.0f} CPU seconds")


if __name__ == "__main__":
    main()
