"""The tasks of a recipe, together: gold to targets, what a prediction may read, and predictions to Documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from openmie.errors import ModelError
from openmie.model.features.encoded_document import EncodedDocument
from openmie.model.tasks.candidates import collate_candidates, encode_candidates
from openmie.model.tasks.chains import ChainsTask, keep_chains
from openmie.model.tasks.links import LinksTask
from openmie.model.tasks.regions import RegionsTask
from openmie.model.tasks.relations import RelationsTask
from openmie.model.tasks.tags import TagsTask
from openmie.model.tasks.task import CANDIDATE_SOURCES, CandidateSource, DecodedDocument, Task
from openmie.model.tasks.word_pairs import WordPairGrid
from openmie.recipe import Recipe

TASKS: dict[str, Callable[[Any, bool], Task]] = {  # by what a head makes; of a head, and whether the recipe makes tags
    "tags": lambda head, _: TagsTask(head.labels),
    "relations": lambda head, tagger: RelationsTask(head.labels, head.symmetric, tagger),
    "cells": lambda head, _: WordPairGrid(head.mentions, head.labels, head.scheme, head.symmetric),
    "chain_of": lambda head, _: ChainsTask(),
    "links": lambda head, _: LinksTask(head.labels, getattr(head, "symmetric", ())),
    "boxes": lambda head, _: RegionsTask(head.labels),
}
NONE: dict[str, Any] = {"chains": (), "relations": (), "regions": ()}


class Tasks:
    """The tasks of a recipe's heads, in the order of the heads."""

    def __init__(self, recipe: Recipe) -> None:
        heads: dict[str, Any] = {}
        for head in recipe.heads:
            heads |= {name: head for name in TASKS if name in head.makes() and name not in heads}
        self.by_output = {name: TASKS[name](head, "tags" in heads) for name, head in heads.items()}
        self.has_candidates = recipe.task == "document"
        """Whether heads read mentions and chains as candidates: those that find chains, links or regions do."""
        self.finds_candidates = {"tags", "chain_of"} <= heads.keys()
        named = heads.get("tags") or heads.get("chain_of")
        self.mention_labels: tuple[str, ...] = named.labels if named else getattr(heads.get("links"), "mentions", ())

    @property
    def relations(self) -> RelationsTask | None:
        """The task that labels pairs of mentions, if the recipe has it."""
        found = self.by_output.get("relations")
        return found if isinstance(found, RelationsTask) else None

    def encode(
        self, documents: Sequence[EncodedDocument], candidates: CandidateSource = "predicted", gold: bool = False
    ) -> None:
        """Put on each document its candidates, as far as predictions may be given them, and with `gold` its targets.

        Candidates that no head of the recipe finds are always given. What cannot be represented leaves a record.
        """
        if candidates not in CANDIDATE_SOURCES:
            known = ", ".join(CANDIDATE_SOURCES)
            raise ModelError(f"candidates={candidates!r}", expected=f"one of {known}", remedy="`predicted` is usual")
        if self.has_candidates and (gold or candidates != "predicted" or not self.finds_candidates):
            for d in documents:
                d.candidates = encode_candidates(d.document, self.mention_labels, whole=gold)
                for gone in d.candidates.dropped:
                    d.skip(gone.name, gone.why, "what the recipe's heads can represent")
        for task in self.by_output.values() if gold else ():
            for d, found in zip(documents, task.encode(documents)):
                d.targets |= found.targets
                for gone in found.dropped:
                    d.skip(gone.name, gone.why, task.represents)

    def collate(self, documents: Sequence[EncodedDocument], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Targets of a batch, as far as all its documents have them."""
        return {k: v for task in self.by_output.values() for k, v in task.collate(documents, inputs).items()}

    def given(self, documents: Sequence[EncodedDocument]) -> dict[str, Tensor]:
        """Candidates of a batch, where all its documents have them."""
        return collate_candidates([d.candidates for d in documents])

    def visible(self, given: Mapping[str, Tensor], candidates: CandidateSource) -> dict[str, Tensor]:
        """What of `given` a prediction between such candidates may read: nothing that a task hides."""
        found = dict(given)
        for task in self.by_output.values():
            found = task.visible(found, candidates)
        return found

    def decode(
        self, documents: Sequence[EncodedDocument], predictions: Mapping[str, Tensor], candidates: CandidateSource
    ) -> list[dict[str, Any]]:
        """Layers of each document, by name, of what the heads predicted, one row a document; gold is not read."""
        arrays = {k: (v.float() if v.is_floating_point() else v).cpu().numpy() for k, v in predictions.items()}
        decoded = [DecodedDocument(d, candidates, NONE | {"mentions": d.document.mentions}) for d in documents]
        for d in decoded:
            if (held := d.encoded.candidates) is not None:
                by_id = {m.id: m for m in d.encoded.document.mentions}
                d.mentions = {n: by_id[id] for n, id in enumerate(held.mentions)}
                if "chain_of" not in self.by_output and "chain_of" in arrays:
                    keep_chains(d)
        for task in self.by_output.values():
            task.decode(decoded, arrays)
        return [d.layers for d in decoded]
