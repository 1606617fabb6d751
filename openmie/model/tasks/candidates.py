"""The located mentions of a document as candidates, and the chains that they are in.

Shapes: B documents, S candidates in the order of the text, C chains numbered by their first candidate. A mention in no
chain is in one of its own. What integers cannot represent is dropped, each with the reason: mentions that are not in
the text or touch no word, labels that the recipe does not have, chains without any located mention.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from openmie.data.document import Chain, Document, Mention
from openmie.model.codec.dropped import Dropped
from openmie.model.codec.subwords import word_spans
from openmie.nn.ops import stack

Ints = npt.NDArray[np.int64]
SPANS = ("spans", "spans_mask", "span_labels")  # what of the candidates a batch gives, beside `chain_of`


class Candidates(NamedTuple):
    """The located mentions of one document and the chains that they are in."""

    spans: Ints  # (S, 2) first and last word, last included
    labels: Ints  # (S,) into the mention labels
    chain_of: Ints  # (S,) 0 .. C - 1
    mentions: tuple[str, ...]  # their ids, (S,)
    chains: tuple[Chain, ...]  # (C,), those of one mention that the document does not list included
    dropped: tuple[Dropped, ...]

    @property
    def numbers(self) -> dict[str, int]:
        """Chain id, or the id of a mention in it -> number of the chain."""
        found = {m: int(c) for m, c in zip(self.mentions, self.chain_of)}
        return found | {c.id: i for i, c in enumerate(self.chains)}


def encode_candidates(document: Document, labels: Sequence[str], whole: bool = False) -> Candidates:
    """The mentions of a document as candidates; without mention labels all count as label 0.

    With `whole`, for training, those alone that begin and end where words do.
    """
    known = {label: i for i, label in enumerate(labels)}
    by_id = {m.id: m for m in document.mentions}
    places = {i: s for i, s in word_spans(document, whole).items() if not labels or by_id[i].label in known}
    dropped = [Dropped(f"mention {m.id}", _why(m, labels, known)) for m in document.mentions if m.id not in places]
    chains = with_singletons(document.mentions, document.chains)
    owner: dict[str, int] = {}
    for i, chain in enumerate(chains):
        for m in chain.mentions:
            owner.setdefault(m, i)
    used = list(dict.fromkeys(owner[m] for m in places))
    gone = [c.id for i, c in enumerate(document.chains) if i not in used]
    dropped += [Dropped(f"chain {id}", "no mention of it is located") for id in gone]
    rank = {old: new for new, old in enumerate(used)}
    return Candidates(
        np.array([*places.values()], dtype=np.int64).reshape(-1, 2),
        np.array([known.get(by_id[m].label, 0) for m in places], dtype=np.int64),
        np.array([rank[owner[m]] for m in places], dtype=np.int64),
        tuple(places),
        tuple(chains[i] for i in used),
        tuple(dropped),
    )


def _why(mention: Mention, labels: Sequence[str], known: Collection[str]) -> str:
    if labels and mention.label not in known:
        return f"label {mention.label!r} is not one of {tuple(labels)}"
    return "it is not located, or touches no word, or cuts one"


def with_singletons(mentions: Sequence[Mention], chains: Sequence[Chain]) -> list[Chain]:
    """The chains, and one for each mention that is in none; its id is new."""
    inside = {m for c in chains for m in c.mentions}
    taken = {m.id for m in mentions} | {c.id for c in chains}
    found = list(chains)
    for m in mentions:
        if m.id not in inside:
            id = f"{m.id}.chain"
            while id in taken:
                id += "'"
            taken.add(id)
            found.append(Chain(id=id, label=m.label, mentions=(m.id,), score=m.score))
    return found


def collate_candidates(candidates: Sequence[Candidates | None]) -> dict[str, Tensor]:
    """Candidates of a batch: `spans` (B, S, 2), `spans_mask`, `span_labels` and `chain_of` (B, S).

    Nothing where a document has no candidates encoded.
    """
    held = [c for c in candidates if c is not None]
    if len(held) < len(candidates) or not held:
        return {}
    return {
        "spans": stack([c.spans for c in held], 0),
        "spans_mask": stack([np.ones(len(c.spans), bool) for c in held], False),
        "span_labels": stack([c.labels for c in held], 0),
        "chain_of": stack([c.chain_of for c in held], -1),
    }
