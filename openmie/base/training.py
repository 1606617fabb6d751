"""Training of a text model: adapters of the upper layers and both heads, on sentences whose lower states are cached."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn

from openmie.base.cached_states import CachedStates, word_states
from openmie.base.examples import Example, Label
from openmie.base.losses import pair_loss, span_loss
from openmie.base.relation_sources import PairExample
from openmie.base.text_model import TextModel

FINE = 100  # labels of marked spans in a batch at most, besides those that its corpora annotate
POOL = 50  # batches among which sentences are sorted by length


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How a text model is trained.

    Attributes:
        steps: batches of sentences with entities.
        batch_size: sentences.
        rate: learning rate of the adapters.
        head_rate: of the heads.
        dropout: of the upper layers.
        negatives: labels drawn into each batch, whether its sentences have them or not, from all of them alike.
        common: the same, from those of the training spans, the more often the more spans have them.
        pairs_every: steps between two batches of relations; 0: none.
        named: chance that a sentence is read under its own guideline, not under the general one.
        seed: of everything that is drawn.
    """

    steps: int
    batch_size: int = 32
    rate: float = 5e-4
    head_rate: float = 1e-3
    dropout: float = 0.1
    negatives: int = 14
    common: int = 40
    pairs_every: int = 4
    named: float = 0.7
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """What a text model is trained on.

    Attributes:
        examples: sentences with entities, and `states` of each.
        labels: key -> entity type.
        pairs: sentences with relations, and `pair_states` of each.
        relations: key -> names and descriptions.
        vectors: text of a label or relation -> its vector.
    """

    examples: Sequence[Example]
    states: Sequence[CachedStates]
    labels: Mapping[str, Label]
    pairs: Sequence[PairExample] = ()
    pair_states: Sequence[CachedStates] = ()
    relations: Mapping[str, Sequence[str]]
    vectors: Mapping[str, Tensor]

    @cached_property
    def frequent(self) -> tuple[list[str], list[float]]:
        """Labels of the spans, and the square root of how many have each."""
        counts = Counter(key for e in self.examples for span in e.spans for key in span.labels)
        keys = sorted(counts)
        return keys, [counts[key] ** 0.5 for key in keys]


def train(
    model: TextModel, data: TrainingData, options: TrainingOptions, report: Callable[[int], None] = lambda step: None
) -> None:
    """Train a model whose upper layers carry adapters.

    Args:
        model: to be trained in place.
        data: sentences, with their lower states.
        options: see there.
        report: called after every 500 steps, and after the last one.
    """
    torch.manual_seed(options.seed)
    drawn = random.Random(options.seed)
    upper = [p for p in model.upper.parameters() if p.requires_grad]
    heads = [*model.spans.parameters(), *(model.pairs.parameters() if data.pairs else ())]
    groups = [{"params": upper, "lr": options.rate, "weight_decay": 0.0}, {"params": heads, "lr": options.head_rate}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    warmup = max(1, min(100, options.steps // 10))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / warmup) * max(0.02, 1 - step / options.steps)
    )
    batches = _batches(data.states, options.batch_size, drawn)
    pair_batches = _batches(data.pair_states, options.batch_size, drawn)
    begun, sums = time.monotonic(), dict[str, float]()
    for step in range(1, options.steps + 1):
        _train_mode(model, options.dropout)
        parts = _span_step(model, data, next(batches), options, drawn)
        if data.pairs and options.pairs_every and step % options.pairs_every == 0:
            parts["pairs"] = _pair_step(model, data, next(pair_batches), drawn)
        optimizer.zero_grad()
        sum(parts.values()).backward()  # type: ignore[union-attr]
        nn.utils.clip_grad_norm_([*upper, *heads], 1.0)
        optimizer.step()
        schedule.step()
        for name, value in parts.items():
            sums[name] = 0.98 * sums.get(name, value.item()) + 0.02 * value.item()
        if step % 100 == 0 or step == options.steps:
            shown = ", ".join(f"{name} {value:.3f}" for name, value in sums.items())
            print(
                f"step {step} of {options.steps}: {shown}; {(time.monotonic() - begun) / step:.2f} s",
                file=sys.stderr,
                flush=True,
            )
        if step % 500 == 0 or step == options.steps:
            model.eval()
            model.forget()
            report(step)


def _train_mode(model: TextModel, dropout: float) -> None:
    model.spans.train()
    model.pairs.train()
    for layer in model.upper:
        layer.train()
        for module in layer.modules():
            if hasattr(module, "dropout"):
                module.dropout = dropout  # type: ignore[assignment]


def _batches(states: Sequence[CachedStates], size: int, drawn: random.Random) -> Iterator[list[int]]:
    """Numbers of sentences, without end; those of like length together."""
    while states:
        order = list(range(len(states)))
        drawn.shuffle(order)
        chosen = []
        for at in range(0, len(order), size * POOL):
            part = sorted(order[at : at + size * POOL], key=lambda i: len(states[i].states))
            chosen += [part[i : i + size] for i in range(0, len(part), size)]
        drawn.shuffle(chosen)
        yield from chosen


def _span_step(
    model: TextModel, data: TrainingData, chosen: Sequence[int], options: TrainingOptions, drawn: random.Random
) -> dict[str, Tensor]:
    examples = [data.examples[i] for i in chosen]
    others = drawn.sample(sorted(data.labels), min(options.negatives, len(data.labels)))
    others += drawn.choices(*data.frequent, k=options.common) if options.common else []
    labels = draw_labels(examples, data.labels, others, drawn)
    vectors = torch.stack([data.vectors[drawn.choice(label.texts)] for label in labels])
    known = {name: i for i, name in enumerate(model.settings.guidelines)}
    guideline = [known.get(e.guideline, 0) if drawn.random() < options.named else 0 for e in examples]
    states, _ = word_states(model, [data.states[i] for i in chosen])
    logits = model.spans(states, vectors, torch.tensor(guideline))
    return span_loss(logits, examples, labels, model.settings.widest)


def draw_labels(
    examples: Sequence[Example], labels: Mapping[str, Label], others: Sequence[str], drawn: random.Random
) -> list[Label]:
    """The labels of a batch: all that its corpora annotate, those that its marked spans have (some), and others."""
    annotated = set().union(*(e.annotated for e in examples))
    fine = sorted({key for e in examples for span in e.spans for key in span.labels} - annotated)
    chosen = drawn.sample(fine, min(len(fine), FINE))
    return [labels[key] for key in dict.fromkeys([*sorted(annotated), *chosen, *others])]


def _pair_step(model: TextModel, data: TrainingData, chosen: Sequence[int], drawn: random.Random) -> Tensor:
    examples = [data.pairs[i] for i in chosen]
    held = sorted({key for e in examples for *_, keys in e.pairs for key in keys})
    keys = list(dict.fromkeys([*held, *drawn.sample(sorted(data.relations), min(20, len(data.relations)))]))
    vectors = torch.stack([data.vectors[drawn.choice(data.relations[key])] for key in keys])
    rows, wanted, known = [], [], []
    for row, example in enumerate(examples):
        unsure = [key in example.unsure for key in keys]
        for head, tail, holds in example.pairs:
            rows.append((row, *example.spans[head], *example.spans[tail]))
            wanted.append([float(key in holds) for key in keys])
            known.append([key in holds or not doubt for key, doubt in zip(keys, unsure)])
    states, _ = word_states(model, [data.pair_states[i] for i in chosen])
    logits = model.pairs(states, torch.tensor(rows), vectors)
    return pair_loss(logits, torch.tensor(wanted), torch.tensor(known))
