"""What a task is: one output of a recipe, as an inverse pair between a layer of documents and the tensors of a head.

Shapes: B documents, T words, S candidate mentions, C chains, R relation labels, P pairs, F frames, Q regions a frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, get_args

import numpy as np
import torch
from torch import Tensor

from openmie.data.document import Mention
from openmie.model.codec.dropped import Dropped
from openmie.model.features.encoded_document import EncodedDocument

CandidateSource = Literal["predicted", "gold_mentions", "gold_chains"]
"""Between which mentions and chains a model predicts: its own; the document's mentions; the document's chains."""
CANDIDATE_SOURCES: tuple[CandidateSource, ...] = get_args(CandidateSource)

Arrays = Mapping[str, np.ndarray]


class Encoded(NamedTuple):
    """One layer of one document as integers."""

    targets: dict[str, np.ndarray]  # what the head learns from, by name
    dropped: tuple[Dropped, ...] = ()  # annotations that the task cannot represent


@dataclass
class DecodedDocument:
    """The layers that a recipe predicts for one document, filled by its tasks in the order of the heads."""

    encoded: EncodedDocument
    candidates: CandidateSource
    layers: dict[str, Any]  # mentions, chains, relations, regions
    mentions: dict[int, Mention] = field(default_factory=dict)  # by the number of the candidate
    chain_ids: dict[int, str] = field(default_factory=dict)  # by the number of the chain


class Task(Protocol):
    """`encode` and `decode` are inverse to each other on all that the task can represent; the rest is reported."""

    represents: str  # what annotation the task can represent, for the records of what is dropped

    def encode(self, documents: Sequence[EncodedDocument]) -> list[Encoded]:
        """Gold of each document. Reads the layers of the documents, their candidates and their images."""

    def collate(self, documents: Sequence[EncodedDocument], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Targets of a batch, padded; of documents of which some have none, nothing."""

    def visible(self, given: Mapping[str, Tensor], candidates: CandidateSource) -> dict[str, Tensor]:
        """What of `given` a prediction may read. What the head itself predicts is hidden: gold never reaches it."""

    def decode(self, documents: Sequence[DecodedDocument], predictions: Arrays) -> None:
        """Write the layer that `predictions`, one row a document, hold."""


def without(given: Mapping[str, Tensor], *hidden: str) -> dict[str, Tensor]:
    """`given` but for the entries that are hidden."""
    return {name: value for name, value in given.items() if name not in hidden}


def held(documents: Sequence[EncodedDocument], name: str) -> list[np.ndarray]:
    """The target of that name of each document; none where a document has none."""
    found = [d.targets[name] for d in documents if name in d.targets]
    return found if len(found) == len(documents) else []


def padded(arrays: Sequence[Any], fill: float) -> Tensor:
    """Arrays of one number of dimensions, stacked and padded to the largest size of each; no size is 0 of the first."""
    arrays = [torch.as_tensor(a) for a in arrays]
    shape = [max(a.shape[i] for a in arrays) for i in range(arrays[0].dim())]
    out = arrays[0].new_full((len(arrays), *shape), fill)
    for i, a in enumerate(arrays):
        out[(i, *(slice(n) for n in a.shape))] = a
    return out
