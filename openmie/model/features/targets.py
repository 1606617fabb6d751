"""Gold of Examples as integers, and integers as tensors: what heads learn from, and what an answer may be given.

Shapes: B documents, T words, S candidates, C chains, R relation labels, F frames, Q regions of a frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from openmie.data import images
from openmie.data.document import Image, Relation
from openmie.errors import ImageError, ModelError
from openmie.model.codec import bio, candidates, regions, word_pairs
from openmie.model.features.encoded_document import EncodedDocument
from openmie.model.features.images import select_images
from openmie.nn.encode.inputs import EncoderInputs
from openmie.nn.ops import stack
from openmie.recipe import Recipe

CandidateSource = Literal["predicted", "gold_mentions", "gold_chains"]
MADE = ("tags", "relations", "cells", "chain_of", "links", "boxes")  # what a head may make
SPANS = ("spans", "spans_mask", "span_labels")


class Gold:
    """The heads of a recipe by what they make, and the gold that they learn from."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.made = {name: next((h for h in recipe.heads if name in h.makes()), None) for name in MADE}
        self.document = any(self.made[name] for name in ("chain_of", "links", "boxes"))
        holder = self.made["tags"] or self.made["chain_of"]
        self.mentions: tuple[str, ...] = holder.labels if holder else getattr(self.made["links"], "mentions", ())

    def put(
        self, examples: Sequence[EncodedDocument], given: CandidateSource = "predicted", gold: bool = False
    ) -> None:
        """Note gold on the examples, or of a document's chains only what is `given`; what cannot be held is refused.

        Candidates that no head of the recipe finds are given always.
        """
        if given not in get_args(CandidateSource):
            raise ModelError(
                f"candidates={given!r}",
                expected=f"one of {', '.join(get_args(CandidateSource))}",
                remedy="`predicted` is usual",
            )
        if gold:
            self._tags(examples)
            self._cells(examples)
        if self.document and (gold or given != "predicted" or not (self.made["tags"] and self.made["chain_of"])):
            for example in examples:
                self._chains(example, gold)

    def _tags(self, examples: Sequence[EncodedDocument]) -> None:
        if head := self.made["tags"]:
            encoded = bio.encode_batch([e.document for e in examples], head.labels, orphans="open")
            for example, ids, lost in zip(examples, encoded.ids, encoded.lost):
                example.tags = ids[: example.words]
                for gone in lost:
                    example.refuse(f"mention {gone.mention.id}", gone.why, "a mention that BIO tags can hold")

    def _cells(self, examples: Sequence[EncodedDocument]) -> None:
        if head := self.made["cells"]:
            options = {"scheme": head.scheme, "symmetric": head.symmetric}
            documents = [e.document for e in examples]
            grids = word_pairs.encode_batch(documents, head.mentions, head.labels, **options)
            for example, cells, missed in zip(examples, grids.cells, grids.lost):
                example.cells = cells
                for what, why in missed:
                    ends = f"{what.head} {what.tail}" if isinstance(what, Relation) else what.id
                    name = f"{type(what).__name__.lower()} {ends}"
                    example.refuse(name, why, "what one class for each pair of words can hold")

    def _chains(self, example: EncodedDocument, gold: bool) -> None:
        """Mentions and chains, and with `gold` the relations between them and the regions."""
        found = candidates.encode(example.document, self.mentions)
        example.candidates, lost = found, list(found.lost)
        if gold and (head := self.made["links"]):
            both = getattr(head, "symmetric", ())
            example.links, missed = candidates.encode_links(example.document, found, head.labels, both)
            lost += missed
        if gold and (head := self.made["boxes"]):
            read = sized(example, self.recipe.encode.inputs)
            example.regions = regions.encode(example.document, read, head.labels, found.numbers)
            lost += example.regions.lost
        for what, why in lost:
            example.refuse(what, why, "what the recipe's heads can hold")

    # -- tensors

    def given(self, examples: Sequence[EncodedDocument]) -> dict[str, Tensor]:
        """Spans of the candidates, their labels and chains, as far as the examples hold them."""
        found = [e.candidates for e in examples]
        if any(c is None for c in found) or not found:
            return {}
        held = [c for c in found if c is not None]
        return {
            "spans": stack([c.spans for c in held], 0),
            "spans_mask": stack([np.ones(len(c.spans), bool) for c in held], False),
            "span_labels": stack([c.labels for c in held], 0),
            "chain_of": stack([c.chain_of for c in held], -1),
        }

    def shown(self, given: Mapping[str, Tensor], what: CandidateSource) -> dict[str, Tensor]:
        """What of that an answer with such candidates may read: of what the recipe's heads find, only what is asked.

        `predicted`: all that a head can find is found; `gold_mentions`: chains are; `gold_chains`: neither.
        """
        hidden: set[str] = set()
        if what != "gold_chains" and self.made["chain_of"]:
            hidden |= {"chain_of"}
        if what == "predicted" and self.made["tags"] and self.document:
            hidden |= {*SPANS, "chain_of"}
        return {k: v for k, v in given.items() if k not in hidden}

    def targets(self, examples: Sequence[EncodedDocument], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Gold tensors of the heads, as far as the examples hold them."""
        longest, found = inputs["words"].shape[1], dict[str, Tensor]()
        if self.made["tags"] and all(e.tags is not None for e in examples):
            found["tags"] = stack([e.tags for e in examples], 0, longest)
        if self.made["cells"] and all(e.cells is not None for e in examples):
            cells = [e.cells for e in examples if e.cells is not None]
            found["cells"] = torch.from_numpy(word_pairs.stack_cells(cells, longest))
        if self.document and all(e.candidates is not None for e in examples):
            found |= {"chain_of": self.given(examples)["chain_of"]}
        if self.made["links"] and all(e.links is not None for e in examples):
            found["links"] = padded([e.links for e in examples], False)
        if self.made["boxes"] and all(e.regions is not None for e in examples):
            found |= _boxes(examples, inputs)
        return found


def _boxes(examples: Sequence[EncodedDocument], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Regions of the frames that were read; in a frame that was not there are none to find."""
    held = [e.regions for e in examples if e.regions is not None]
    found = {
        "boxes": padded([r.boxes for r in held], 0.0),
        "box_labels": padded([r.labels for r in held], -1),
        "box_of": padded([r.of for r in held], -1),
    }
    frames = found["boxes"].shape[1]
    read = torch.zeros(len(examples), frames, dtype=torch.bool)
    if "slot" in inputs:
        read[inputs["image"], inputs["slot"]] = True
    found["box_labels"] = found["box_labels"].masked_fill(~read[..., None], -1)
    return found


def padded(arrays: Sequence[Any], fill: float) -> Tensor:
    """Arrays of one number of dimensions, stacked and padded to the largest size of each; no size is 0 of the first."""
    arrays = [torch.as_tensor(a) for a in arrays]
    shape = [max(a.shape[i] for a in arrays) for i in range(arrays[0].dim())]
    out = arrays[0].new_full((len(arrays), *shape), fill)
    for i, a in enumerate(arrays):
        out[(i, *(slice(n) for n in a.shape))] = a
    return out


def sized(example: EncodedDocument, inputs: EncoderInputs) -> list[tuple[Image, tuple[int, int] | None]]:
    """The frames that the encoder reads, in the order of their slots, and the size of each where it can be known."""
    found: list[tuple[Image, tuple[int, int] | None]] = []
    for _, image in select_images(example.document, inputs):
        try:
            found.append((image, images.image_size(image)))
        except ImageError:  # the batch, which opens it, leaves the record
            found.append((image, None))
    return found
