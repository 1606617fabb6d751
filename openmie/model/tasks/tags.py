"""Tags: mentions as one BIO tag a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from openmie.data.document import Mention
from openmie.model.codec import bio
from openmie.model.codec.dropped import Dropped, dropped_words
from openmie.model.codec.subwords import word_spans
from openmie.model.features.encoded_document import EncodedDocument
from openmie.model.tasks.candidates import SPANS
from openmie.model.tasks.task import Arrays, CandidateSource, DecodedDocument, Encoded, held, without
from openmie.nn.decode.partial_tags import UNKNOWN_TAG
from openmie.nn.ops import stack


class TagsTask:
    """Mentions of a document as tags (T,), `O`, `B-` and `I-` of each label; overlapping mentions are dropped.

    Words of a dropped mention that no other mention holds are `UNKNOWN_TAG`: heads learn nothing of them.
    """

    represents = "a mention that BIO tags can represent"

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)

    def encode(self, documents: Sequence[EncodedDocument]) -> list[Encoded]:
        found = bio.encode_batch([d.document for d in documents], self.labels, orphans="open")
        return [
            Encoded({"tags": _known(d, ids, gone)[: d.words]}, (*gone, *_beyond(d)))
            for d, ids, gone in zip(documents, found.ids, found.dropped)
        ]

    def collate(self, documents: Sequence[EncodedDocument], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        tags = held(documents, "tags")
        return {"tags": stack(tags, 0, inputs["words"].shape[1])} if tags else {}

    def visible(self, given: Mapping[str, Tensor], candidates: CandidateSource) -> dict[str, Tensor]:
        """Mentions that the head finds itself are hidden, and the chains of these mentions."""
        return without(given, *SPANS, "chain_of") if candidates == "predicted" else dict(given)

    def decode(self, documents: Sequence[DecodedDocument], predictions: Arrays) -> None:
        """Mentions m0, m1, ...; where gold mentions were the candidates, the document's own stay."""
        rows = [i for i, d in enumerate(documents) if d.candidates == "predicted" or d.encoded.candidates is None]
        if not rows:
            return
        plain, tags, scores = (
            [documents[i].encoded.document for i in rows],
            np.maximum(predictions["tags"], 0),  # gold that is not known names nothing
            predictions["tag_scores"],
        )
        longer = max(len(d.words) for d in plain) - tags.shape[1]
        if longer > 0:  # words of a text that was cut off: nothing is found there
            tags, scores = (np.pad(x, ((0, 0), (0, longer))) for x in (tags, scores))
        found = bio.decode_batch(tags[rows], plain, self.labels, scores[rows], orphans="open")
        for row, mentions in zip(rows, found):
            d = documents[row]
            d.layers["mentions"] = mentions
            d.mentions = _by_candidate(d, mentions, {k: v[row] for k, v in predictions.items() if k in SPANS})


def _known(d: EncodedDocument, ids: bio.Ints, gone: tuple[Dropped, ...]) -> bio.Ints:
    """Tags (T,), with `UNKNOWN_TAG` at words that only dropped mentions have."""
    words = len(d.document.words)
    return np.where(dropped_words(d.document, gone) & (ids[:words] == 0), UNKNOWN_TAG, ids[:words])


def _beyond(d: EncodedDocument) -> tuple[Dropped, ...]:
    """The mentions of a text that was cut off whose end is not read."""
    if d.words >= len(d.document.words):
        return ()
    end = d.document.words[d.words - 1].end
    return tuple(Dropped(m, "it ends beyond the tokens that are read") for m in d.document.mentions if m.end > end)


def _by_candidate(d: DecodedDocument, mentions: tuple[Mention, ...], spans: Arrays) -> dict[int, Mention]:
    """The mention of each candidate that a later head made of the tags: the one of the same words."""
    if "spans" not in spans:
        return {}
    by_id = {m.id: m for m in mentions}
    own = d.encoded.document.replace(mentions=mentions, chains=(), relations=(), regions=(), records=())
    at = {span: by_id[id] for id, span in word_spans(own).items()}
    real = np.flatnonzero(spans["spans_mask"]).tolist()
    places = [(n, tuple(spans["spans"][n].tolist())) for n in real]
    return {n: at[place] for n, place in places if place in at}
