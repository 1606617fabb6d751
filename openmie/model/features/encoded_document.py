"""Between Documents and tensors: an EncodedDocument is one document as integers, a Batch several as tensors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from openmie.data.document import Document, Relation
from openmie.errors import ErrorRecord
from openmie.model.codec.candidates import Candidates
from openmie.model.codec.regions import Regions


@dataclass
class Batch:
    """`inputs` is what encoders read, `given` what an answer may know, `targets` gold, which no answer reads."""

    inputs: dict[str, Tensor]
    given: dict[str, Tensor] = field(default_factory=dict)
    targets: dict[str, Tensor] = field(default_factory=dict)

    def to(self, device: torch.device | str) -> Batch:
        return Batch(
            *(
                {k: v.to(device, non_blocking=True) for k, v in part.items()}
                for part in (self.inputs, self.given, self.targets)
            )
        )


@dataclass
class EncodedDocument:
    """One document, or one of its given pairs, as integers."""

    index: int  # of the document among those asked about
    document: Document  # with words
    rows: list[tuple[np.ndarray, np.ndarray]]  # pieces and word index of each row, specials left out
    context: np.ndarray  # pieces of the context
    phrases: np.ndarray  # pieces of the words that objects were found by
    words: int  # positions of the text stream: words and markers
    tags: np.ndarray | None = None  # (T,)
    pairs: np.ndarray | None = None  # (P, 4) first and last position of head and tail
    relations: np.ndarray | None = None  # (P,)
    cells: np.ndarray | None = None  # (T, T) classes of the word pairs
    pos: np.ndarray | None = None  # (T,) parts of speech
    candidates: Candidates | None = None  # mentions and chains that are given, or learnt from
    links: np.ndarray | None = None  # (C, C, R) relations between the chains
    regions: Regions | None = None
    asked: tuple[Relation, ...] = ()  # the relations that the pairs stand for, in order
    errors: dict[str, ErrorRecord] = field(default_factory=dict)
    cached: dict[str, Any] = field(default_factory=dict)  # keys of frozen towers' states, see train/features.py

    def refuse(self, what: str, found: str, expected: str) -> None:
        """Note a piece of the document that cannot be learnt from or answered about."""
        where = f"document {self.document.id}, {what}"
        self.errors[what] = ErrorRecord(where=where, found=found, expected=expected, remedy="it is passed by")

    @property
    def length(self) -> int:
        return sum(len(pieces) for pieces, _ in self.rows) + len(self.context) + len(self.phrases)
