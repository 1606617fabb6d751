"""Between Documents and tensors: an EncodedDocument is one document as integers, a Batch several as tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from openmie.data.document import Document, Image, Relation
from openmie.errors import ErrorRecord

if TYPE_CHECKING:
    from openmie.model.tasks.candidates import Candidates


@dataclass
class Batch:
    """Tensors of several encoded documents, by name."""

    inputs: dict[str, Tensor]  # what encoders read
    given: dict[str, Tensor] = field(default_factory=dict)  # what heads may read; `Tasks.visible` hides gold in it
    targets: dict[str, Tensor] = field(default_factory=dict)  # gold, which no prediction reads

    def to(self, device: torch.device | str) -> Batch:
        return Batch(
            *(
                {k: v.to(device, non_blocking=True) for k, v in part.items()}
                for part in (self.inputs, self.given, self.targets)
            )
        )


@dataclass
class EncodedDocument:
    """One document, or one pair of its mentions with markers around them, as integers."""

    index: int  # of the document among those that were featurized together
    document: Document  # with words
    rows: list[tuple[np.ndarray, np.ndarray]]  # tokens and word index of each row, special tokens left out
    context: np.ndarray  # tokens of the context
    phrases: np.ndarray  # tokens of the phrases that objects were found by
    words: int  # positions of the text stream: words and markers
    images: tuple[tuple[int, Image], ...] = ()  # slot and image of all that the encoder reads, see `select_images`
    image_identity: int = 0  # equal for documents of one image, see `image_identity`; 0: none
    pos: np.ndarray | None = None  # (T,) parts of speech
    pairs: np.ndarray | None = None  # (P, 4) first and last position of head and tail
    listed: tuple[Relation, ...] = ()  # the relations that the pairs stand for, in order
    candidates: Candidates | None = None  # mentions and chains that heads are given, or learn from
    targets: dict[str, np.ndarray] = field(default_factory=dict)  # gold by the name of the target, see `Tasks.encode`
    errors: dict[str, ErrorRecord] = field(default_factory=dict)  # what could not be read or represented
    cached: dict[str, Any] = field(default_factory=dict)  # keys of frozen backbones' states, see train/feature_cache.py

    def skip(self, what: str, found: str, expected: str) -> None:
        """Note a piece of the document that is not learnt from or predicted for."""
        where = f"document {self.document.id}, {what}"
        self.errors[what] = ErrorRecord(where=where, found=found, expected=expected, remedy="it is skipped")

    @property
    def length(self) -> int:
        """Tokens, for batches of like lengths."""
        return sum(len(tokens) for tokens, _ in self.rows) + len(self.context) + len(self.phrases)

    def predicted(self, layers: Mapping[str, Any], masked: Sequence[str]) -> Document:
        """The document with predicted layers in place of its own.

        Args:
            layers: mentions, chains, relations and regions.
            masked: modalities that the encoder reads and this document lacks; they stand in its `source`.
        """
        document = self.document
        return document.replace(
            source=with_masked(document.source, masked),
            summary="",
            errors=tuple(dict.fromkeys((*document.errors, *self.errors.values()))),
            **layers,
        )


def with_masked(source: Mapping[str, Any], masked: Sequence[str]) -> dict[str, Any]:
    """A document's `source` with the modalities that a prediction was made without, those of an earlier one replaced.

    Args:
        source: of the document; a column of its own that is called `masked` gets an underscore.
        masked: names of modalities; none: nothing is said.
    """
    others = {name: value for name, value in source.items() if name != "masked"}
    value = source.get("masked", [])
    if not (isinstance(value, list) and {*map(str, value)} <= {"vision", "text", "context"}):
        name = "masked" if not masked else "masked_"
        while name in others:
            name += "_"
        others[name] = value
    return {**others, **({"masked": list(masked)} if masked else {})}
