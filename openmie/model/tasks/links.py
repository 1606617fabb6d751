"""Links: relations between chains, several a pair, as booleans for each ordered pair and label."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from torch import Tensor

from openmie.data.document import Document, Relation
from openmie.model.codec.dropped import Dropped
from openmie.model.features.encoded_document import EncodedDocument
from openmie.model.tasks.candidates import Candidates
from openmie.model.tasks.task import Arrays, CandidateSource, DecodedDocument, Encoded, held, padded

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


class LinksTask:
    """`links` (C, C, R), head first, between the chains of a document's candidates."""

    represents = "a relation between two chains, with one of the recipe's labels"

    def __init__(self, labels: Sequence[str], symmetric: Collection[str] = ()) -> None:
        self.labels, self.symmetric = tuple(labels), symmetric

    def encode(self, documents: Sequence[EncodedDocument]) -> list[Encoded]:
        return [self._one(d) for d in documents]

    def _one(self, d: EncodedDocument) -> Encoded:
        if d.candidates is None:
            return Encoded({})
        links, dropped = encode_links(d.document, d.candidates, self.labels, self.symmetric)
        return Encoded({"links": links}, dropped)

    def collate(self, documents: Sequence[EncodedDocument], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        links = held(documents, "links")
        return {"links": padded(links, False)} if links else {}

    def visible(self, given: Mapping[str, Tensor], candidates: CandidateSource) -> dict[str, Tensor]:
        return dict(given)

    def decode(self, documents: Sequence[DecodedDocument], predictions: Arrays) -> None:
        for i, d in enumerate(documents):
            links, scores = predictions["links"][i], predictions["link_scores"][i]
            d.layers["relations"] = decode_links(links, scores, d.chain_ids, self.labels, self.symmetric)


def encode_links(
    document: Document, candidates: Candidates, labels: Sequence[str], symmetric: Collection[str] = ()
) -> tuple[Bools, tuple[Dropped, ...]]:
    """links (C, C, R), head to tail, and what is dropped; a symmetric label holds both ways.

    "None" says that nothing holds, which is no link.
    """
    index, known = candidates.numbers, {label: i for i, label in enumerate(labels)}
    links = np.zeros((len(candidates.chains), len(candidates.chains), len(labels)), dtype=bool)
    dropped = []
    for r in document.relations:
        what = f"relation {r.head} {r.tail}"
        if r.label == "None":
            continue
        if r.label not in known:
            dropped.append(Dropped(what, f"label {r.label!r} is not one of the recipe's"))
        elif r.head not in index or r.tail not in index:
            dropped.append(Dropped(what, "an end that is neither a located mention nor a chain of one"))
        elif index[r.head] == index[r.tail]:
            dropped.append(Dropped(what, "both ends are one chain"))
        else:
            ends = index[r.head], index[r.tail]
            links[*ends, known[r.label]] = True
            if r.label in symmetric:
                links[*ends[::-1], known[r.label]] = True
    return links, tuple(dropped)


def decode_links(
    links: Bools, scores: Floats, ids: Mapping[int, str], labels: Sequence[str], symmetric: Collection[str] = ()
) -> tuple[Relation, ...]:
    """Relations from links (C, C, R) and their scores; `ids` names the chains by number.

    A symmetric label is said once for a pair, in the direction that scores higher, the chain named first leading a tie.
    """
    found: dict[tuple[str, int, int], Relation] = {}
    for head, tail, r in np.argwhere(links).tolist():
        if head not in ids or tail not in ids or labels[r] == "None":
            continue
        one = Relation(head=ids[head], tail=ids[tail], label=labels[r], score=float(scores[head, tail, r]))
        ends = (min(head, tail), max(head, tail)) if one.label in symmetric else (head, tail)
        if (one.label, *ends) not in found or (one.score or 0.0) > (found[one.label, *ends].score or 0.0):
            found[one.label, *ends] = one
    return tuple(found.values())
