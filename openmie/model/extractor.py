"""The one discriminative model: encode -> complete -> fuse -> losses, or answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor, nn

from openmie.model.features.encoded_document import Batch
from openmie.nn.streams import Streams, words_only
from openmie.recipe import Recipe, check


class Output(NamedTuple):
    """Named, unweighted losses, the weight of each in the sum, and work counts and watched numbers for the log."""

    streams: Streams
    losses: dict[str, Tensor]
    weights: dict[str, float]
    counts: dict[str, Tensor]  # rows that took part in each alignment
    watched: dict[str, Tensor]  # what each alignment reaches, such as the share of own partners that are nearest

    @property
    def total(self) -> Tensor:
        return sum(self.weights[k] * v for k, v in self.losses.items())  # type: ignore[return-value]


class Extractor(nn.Module):
    """Finished parts passed in; see `build` for how a recipe makes them."""

    def __init__(
        self,
        encode: nn.Module,
        complete: nn.Module,
        fuse: Sequence[nn.Module],
        align: Sequence[nn.Module],
        heads: Sequence[nn.Module],
    ) -> None:
        super().__init__()
        self.encode, self.complete = encode, complete
        self.fuse, self.align, self.heads = nn.ModuleList(fuse), nn.ModuleList(align), nn.ModuleList(heads)

    @classmethod
    def build(cls, recipe: Recipe, text: nn.Module, vision: nn.Module | None) -> Extractor:
        """Walk the recipe from the encoder's widths on; every part tells the widths that it makes."""
        check(recipe)
        encode = recipe.encode.build(text, vision)
        widths = dict(encode.widths)
        complete = recipe.complete.build(widths)
        widths |= complete.widths  # type: ignore[arg-type]
        encoded = dict(widths)
        fuse = []
        for part in recipe.fuse:
            fuse.append(part.build(widths))
            widths |= fuse[-1].widths
        widths.setdefault("fused", widths["text"])
        align = [a.build(encoded if a.at == "encoded" else widths) for a in recipe.align]
        return cls(encode, complete, fuse, align, [h.build(widths) for h in recipe.heads])

    def streams(self, inputs: Mapping[str, Tensor]) -> tuple[Streams, Streams]:
        """Before and after the fusion; without one, `fused` is the text. After it there are words only."""
        encoded = self.complete(self.encode(inputs))
        made = dict(reduce(lambda s, part: part(s), self.fuse, encoded))
        made.setdefault("fused", made["text"])
        words = inputs["words"].shape[1]  # text that is only constructed may be longer, and has no words to answer for
        return encoded, made | {role: words_only(made[role], words) for role in ("text", "fused")}

    def forward(self, batch: Batch) -> Output:
        encoded, fused = self.streams(batch.inputs)
        seen = {"encoded": encoded, "fused": fused}
        losses = {h.name: h.loss(fused, batch.given, batch.targets) for h in self.heads}
        weights = {h.name: h.weight for h in self.heads}
        for part in (self.complete, *self.fuse):  # what a part asks of itself, such as the KL of an auto-encoder
            for name, (weight, loss) in getattr(part, "own_losses", {}).items():
                losses[name], weights[name] = losses.get(name, 0.0) + loss, weight
            if hasattr(part, "own_losses"):  # they hold this batch's graph
                part.own_losses = {}
        counts: dict[str, Tensor] = {}
        watched: dict[str, Tensor] = {}
        for align in self.align:
            a, b = align.rows(seen[align.at])
            losses[align.name], counts[align.name] = align.compare(a, b), torch.tensor(len(a))
            watched |= {f"{align.name}/{k}": v for k, v in align.watch(a, b).items()}
            weights[align.name] = align.weight
        return Output(fused, losses, weights, counts, watched)

    def predict(self, fused: Streams, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Predictions of the heads in their declared order; a later head may read an earlier one's.

        What is given is what a prediction may read, and stays as it is.
        """
        found = dict(given)
        for head in self.heads:
            found |= {k: v for k, v in head.predict(fused, found).items() if k not in given}
        return found
