"""Relations: a label for each pair of mentions, of those that a document lists, or of those that a tagger finds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from openmie.data.document import Document, Relation
from openmie.errors import ErrorRecord
from openmie.model.codec.dropped import Dropped
from openmie.model.codec.subwords import word_spans
from openmie.model.features.encoded_document import EncodedDocument
from openmie.model.tasks.task import Arrays, CandidateSource, DecodedDocument, Encoded, held, without
from openmie.nn.decode.spans import limit_of_pairs, near_pairs
from openmie.nn.ops import stack

NOWHERE = "an end that is not a located mention"


class RelationsTask:
    """Labels of pairs of mentions: `pairs` (P, 4), first and last word of head and tail, and `relations` (P,).

    Args:
        labels: relation labels, in the order of the head's classes.
        symmetric: labels without a direction: beside a tagger they are learnt in both directions and predicted in one.
        tagger: whether the recipe finds the mentions itself. It then learns from all pairs and predicts between those
            that it finds; else it labels the pairs that a document lists.
    """

    represents = "a relation of two located mentions, with one of the recipe's labels"

    def __init__(self, labels: Sequence[str], symmetric: Collection[str] = (), tagger: bool = False) -> None:
        self.labels, self.symmetric, self.tagger = tuple(labels), symmetric, tagger

    def list_pairs(self, document: Document, gold: bool) -> tuple[list[Relation], list[Dropped]]:
        """The pairs to be labelled, as relations, and those that cannot be.

        They are the relations that the document lists, whatever their labels; where it lists none, and beside a tagger
        that learns "None", all ordered pairs of its mentions, or the nearest of them (`near_pairs`).
        """
        places, listed = word_spans(document, whole=gold), list(document.relations)
        if self.adds_pairs(document, gold):
            known = {(r.head, r.tail) for r in listed}
            reverse = [r for r in listed if r.label in self.symmetric and (r.tail, r.head) not in known]
            listed += [Relation(head=r.tail, tail=r.head, label=r.label) for r in reverse]
            known |= {(r.head, r.tail) for r in listed}
            ids = list(places)
            near = near_pairs(torch.tensor([*places.values()], dtype=torch.long).view(-1, 2)).tolist()
            pairs = [(ids[a], ids[b]) for a, b in near if (ids[a], ids[b]) not in known]
            listed += [Relation(head=a, tail=b, label="None") for a, b in pairs]
        kept, dropped = list[Relation](), list[Dropped]()
        for r in listed:
            if r.head not in places or r.tail not in places:
                dropped.append(Dropped(r, NOWHERE))
            elif gold and r.label not in self.labels:
                dropped.append(Dropped(r, f"label {r.label!r}, which is none of {self.labels}"))
            else:
                kept.append(r)
        return kept, dropped

    def adds_pairs(self, document: Document, gold: bool) -> bool:
        """Whether pairs that the document does not list are to be labelled."""
        return (self.tagger and "None" in self.labels) or not (gold or document.relations)

    def spans(self, document: Document, pairs: Sequence[Relation]) -> np.ndarray:
        """(P, 4): first and last word of head and tail."""
        places = word_spans(document)
        return np.array([[*places[r.head], *places[r.tail]] for r in pairs], dtype=np.int64).reshape(-1, 4)

    def ids(self, pairs: Sequence[Relation]) -> np.ndarray:
        """(P,): the class of each pair; a label that the head does not have, which is never gold, as class 0."""
        index = {label: i for i, label in enumerate(self.labels)}
        return np.array([index.get(r.label, 0) for r in pairs], dtype=np.int64)

    def encode(self, documents: Sequence[EncodedDocument]) -> list[Encoded]:
        """Of the pairs that each document was featurized with, see `features.pairs`."""
        return [Encoded({} if d.pairs is None else {"relations": self.ids(d.listed)}) for d in documents]

    def collate(self, documents: Sequence[EncodedDocument], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        ids = held(documents, "relations")
        return {"relations": stack(ids, 0)} if ids else {}

    def visible(self, given: Mapping[str, Tensor], candidates: CandidateSource) -> dict[str, Tensor]:
        """Beside a tagger the pairs, which are those of gold mentions, are hidden."""
        return without(given, "pairs", "pairs_mask") if self.tagger else dict(given)

    def decode(self, documents: Sequence[DecodedDocument], predictions: Arrays) -> None:
        for i, d in enumerate(documents):
            row = {name: predictions[name][i] for name in ("pairs", "pairs_mask", "relations", "relation_scores")
                   if name in predictions}  # fmt: skip
            if "relations" in row:
                d.layers["relations"] = self._between_found(d, row) if self.tagger else self._of_listed(d, row)
                if (
                    self.tagger
                    and "pairs" in row
                    and (note := limit_note(d.encoded.document, len(d.layers["mentions"])))
                ):
                    d.encoded.errors["pairs"] = note

    def _of_listed(self, d: DecodedDocument, row: Arrays) -> tuple[Relation, ...]:
        """In the order of the pairs that the document lists, "None" among the labels."""
        found = zip(d.encoded.listed, row["relations"].tolist(), row["relation_scores"].tolist())
        return tuple(Relation(head=r.head, tail=r.tail, label=self.labels[k], score=s) for r, k, s in found)

    def _between_found(self, d: DecodedDocument, row: Arrays) -> tuple[Relation, ...]:
        """Between the mentions that the tagger found; a symmetric label once a pair, in its likelier direction."""
        own: dict[str, Any] = {"mentions": d.layers["mentions"], "chains": (), "relations": (), "regions": ()}
        at = {span: id for id, span in word_spans(d.encoded.document.replace(**own)).items()}
        out: dict[Any, Relation] = {}
        for n in np.flatnonzero(row["pairs_mask"]).tolist():
            a, b, c, e = row["pairs"][n].tolist()
            label, score = self.labels[int(row["relations"][n])], float(row["relation_scores"][n])
            if label == "None" or (a, b) not in at or (c, e) not in at:
                continue
            r = Relation(head=at[a, b], tail=at[c, e], label=label, score=score)
            ends = frozenset((r.head, r.tail)) if label in self.symmetric else (r.head, r.tail)
            if (label, ends) not in out or score > (out[label, ends].score or 0.0):
                out[label, ends] = r
        return tuple(out.values())


def limit_note(document: Document, mentions: int) -> ErrorRecord | None:
    """A note where a document with so many located mentions has more pairs than are labelled."""
    count, most = mentions * (mentions - 1), limit_of_pairs(mentions)
    if count <= most:
        return None
    return ErrorRecord(
        where=f"document {document.id}, relations",
        found=f"{count} ordered pairs of {mentions} mentions",
        expected=f"at most {most}",
        remedy="the nearest pairs were labelled, by the words between them; list others as relations of the document",
        note=True,
    )
