"""The one discriminative model: encode -> complete -> fuse -> losses, or predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from openmie.model.features.encoded_document import Batch
from openmie.nn.streams import Losses, Streams, split_losses, words_only
from openmie.recipe import Recipe, check


class Output(NamedTuple):
    """What one pass over a batch with its gold gives.

    Attributes:
        streams: After the fusion.
        losses: Named, unweighted scalars: of the heads, of the parts, of the alignments.
        weights: The weight of each loss in the sum.
        num_pairs: For each alignment, how many documents have both its modalities.
        num_rows: For each loss, over how many rows of the batch it is taken: documents, given pairs of a relation head,
            and for an alignment `num_pairs`.
        diagnostics: Numbers for the log, `alignment/name`, such as the retrieval accuracy of an alignment.
        num_terms: For each loss, over how many terms it is a mean: words of a head with `loss_per="word"`, else rows.
    """

    streams: Streams
    losses: dict[str, Tensor]
    weights: dict[str, float]
    num_pairs: dict[str, Tensor]
    diagnostics: dict[str, Tensor]
    num_rows: dict[str, Tensor]
    num_terms: dict[str, Tensor]

    @property
    def total(self) -> Tensor:
        """The weighted sum of the losses, a scalar."""
        return sum(self.weights[k] * v for k, v in self.losses.items())  # type: ignore[return-value]


def rows_of(head: Any, fused: Streams, batch: Batch) -> Tensor:
    """Over how many rows of a batch a head's loss is taken: given pairs, else documents that have what it reads."""
    if "pairs_mask" in batch.given and "relations" in batch.targets:
        return batch.given["pairs_mask"].sum()
    stream = fused[head.input_stream]
    return (stream.mask.any(1) & stream.present).sum()  # type: ignore[operator]


def terms_of(head: Any, fused: Streams, batch: Batch) -> Tensor:
    """Over how many terms a head's loss is a mean: words where it is one over words, else `rows_of`."""
    pairs = "pairs_mask" in batch.given and "relations" in batch.targets
    if getattr(head, "per", "") == "word" and not pairs:
        return fused[head.input_stream].mask.sum()
    return rows_of(head, fused, batch)


class Fusion(NamedTuple):
    """The streams of a batch before and after the fusion, and the losses of the parts on the way."""

    encoded: Streams
    fused: Streams
    losses: list[Losses]


class Extractor(nn.Module):
    """Finished parts passed in; see `build` for how a recipe makes them."""

    # modules with attributes and methods of their own, which torch would type as Tensor | Module
    encode: Any
    complete: Any
    fuse: Any
    align: Any
    heads: Any

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
        """Walk the recipe from the encoder's widths on; every part has the widths that it makes in `widths`."""
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
        align = [a.build(encoded if a.stage == "encoded" else widths) for a in recipe.align]
        return cls(encode, complete, fuse, align, [h.build(widths) for h in recipe.heads])

    def streams(self, inputs: Mapping[str, Tensor]) -> Fusion:
        """Run encoder, completion and fusion; without a fusion, `fused` is the text. It holds a document's own words.

        Args:
            inputs: The tensors of a batch, see `DualEncoder`.
        """
        encoded, own = split_losses(self.complete(self.encode(inputs)))
        made, losses = dict(encoded), [own]
        for part in self.fuse:
            streams, own = split_losses(part(made))
            made = dict(streams)
            losses.append(own)
        made.setdefault("fused", made["text"])
        words = inputs["words"].shape[1]  # a text that is only constructed may be longer: no head predicts on the rest
        fused = made | {role: words_only(made[role], words) for role in ("text", "fused")}
        return Fusion(encoded, fused, losses)

    def forward(self, batch: Batch) -> Output:
        """The losses of a batch: of the heads, of the parts, of the alignments, in this order."""
        encoded, fused, own_losses = self.streams(batch.inputs)
        losses: dict[str, Tensor] = {}
        weights: dict[str, float] = {}
        num_rows: dict[str, Tensor] = {}
        num_terms: dict[str, Tensor] = {}
        for head in self.heads:
            losses[head.name], weights[head.name] = head.loss(fused, batch.given, batch.targets), head.weight
            num_rows[head.name] = rows_of(head, fused, batch)
            num_terms[head.name] = terms_of(head, fused, batch)
        for own in own_losses:  # such as the KL of an auto-encoder; those of one name are summed
            for name, (weight, loss) in own.items():
                losses[name], weights[name] = losses.get(name, 0.0) + loss, weight
                num_rows[name] = torch.tensor(len(batch.inputs["words"]))
        num_pairs: dict[str, Tensor] = {}
        diagnostics: dict[str, Tensor] = {}
        for align in self.align:
            aligned = align(encoded if align.stage == "encoded" else fused, batch.inputs.get("image_identity"))
            for name, (weight, loss) in aligned.losses.items():
                losses[name], weights[name], num_rows[name] = loss, weight, aligned.num_pairs
            num_pairs[align.name] = aligned.num_pairs
            diagnostics |= {f"{align.name}/{k}": v for k, v in aligned.diagnostics.items()}
        return Output(fused, losses, weights, num_pairs, diagnostics, num_rows, {**num_rows, **num_terms})

    def predict(self, fused: Streams, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Predictions of the heads in their declared order; a later head may read an earlier one's.

        Args:
            fused: The streams after the fusion, see `streams`.
            given: What a prediction may read, which stays as it is.
        """
        predicted = dict(given)
        for head in self.heads:
            predicted |= {k: v for k, v in head.predict(fused, predicted).items() if k not in given}
        return predicted
