"""Answers about documents: mentions in chains, relations between these, regions in frames that show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from openmie.data.document import Chain, Document, Mention, Relation
from openmie.model.codec import bio, candidates, regions
from openmie.model.codec.subwords import word_spans
from openmie.model.features.encoded_document import EncodedDocument
from openmie.model.features.targets import CandidateSource, sized
from openmie.recipe import Recipe

Layers = dict[str, Any]  # of a Document, by name


class Chained:
    """What the heads of a recipe that `made` chains, links or boxes say, as layers of its documents.

    Every mention is in a chain, if only in one of its own, since relations hold between chains. Where mentions or
    chains were given to the heads, these are the document's and keep their ids; else they are m0, m1, ... and c0, ....
    """

    def __init__(self, recipe: Recipe, made: Mapping[str, Any]) -> None:
        self.recipe, self.made = recipe, made

    def layers(
        self, examples: Sequence[EncodedDocument], answers: Mapping[str, Tensor], given: CandidateSource = "predicted"
    ) -> list[Layers]:
        """Layers of each document; `given`: what of the candidates the heads were given."""
        arrays = {k: v.float().cpu().numpy() if v.is_floating_point() else v.cpu().numpy() for k, v in answers.items()}
        named: list[tuple[Mention, ...]] = [e.document.mentions for e in examples]
        found = bool(self.made["tags"]) and given == "predicted"
        if found:
            documents, labels = [e.document for e in examples], self.made["tags"].labels
            named = bio.decode_batch(arrays["tags"], documents, labels, arrays["tag_scores"], orphans="open")
        out = []
        for i, (e, mentions) in enumerate(zip(examples, named)):
            own = {k: v[i] for k, v in arrays.items()}
            chosen = _placed(e.document, mentions, own) if found else _given(e, mentions)
            out.append(self._one(e, mentions, own, chosen, given))
        return out

    def _one(
        self,
        e: EncodedDocument,
        mentions: tuple[Mention, ...],
        own: Mapping[str, Any],
        chosen: dict[int, Mention],
        given: CandidateSource,
    ) -> Layers:
        """Layers of one document; `chosen` says which mention each candidate is."""
        chains, ids = self._chains(e, mentions, own, chosen, given)
        layers: Layers = {"mentions": mentions, "chains": chains, "relations": self._links(own, ids)}
        if (head := self.made["boxes"]) and "boxes" in own:
            frames = enumerate(sized(e, self.recipe.encode.inputs))
            read = {slot: f for slot, f in frames if f"image {f[0].id}" not in e.errors}
            found = own["boxes"], own["box_labels"], own["box_scores"], own["box_of"]
            layers["regions"] = regions.decode(read, found, head.labels, ids)
        return layers

    def _chains(
        self,
        e: EncodedDocument,
        mentions: tuple[Mention, ...],
        own: Mapping[str, Any],
        chosen: dict[int, Mention],
        given: CandidateSource,
    ) -> tuple[tuple[Chain, ...], dict[int, str]]:
        """All chains, and number -> id of those that links and boxes may speak of."""
        if "chain_of" not in own:
            return (), {}
        if e.candidates is not None and (given == "gold_chains" or not self.made["chain_of"]):
            ids = {n: c.id for n, c in enumerate(e.candidates.chains)}
            return tuple(candidates.with_singletons(mentions, e.document.chains)), ids
        of = [int(own["chain_of"][n]) for n in chosen]
        scores = [float(own["chain_scores"][n]) for n in chosen] if "chain_scores" in own else [1.0] * len(of)
        found, ids = candidates.decode_chains([*chosen.values()], of, scores)
        return tuple(candidates.with_singletons(mentions, found)), ids

    def _links(self, own: Mapping[str, Any], ids: Mapping[int, str]) -> tuple[Relation, ...]:
        head = self.made["links"]
        if head is None or "links" not in own:
            return ()
        both = getattr(head, "symmetric", ())
        return candidates.decode_links(own["links"], own["link_scores"], ids, head.labels, both)


def _placed(document: Document, mentions: tuple[Mention, ...], own: Mapping[str, Any]) -> dict[int, Mention]:
    """Candidate -> the mention of the same words, where the heads made the candidates from tags."""
    if "spans" not in own:
        return {}
    by_id = {m.id: m for m in mentions}
    layers: Layers = {"mentions": mentions, "chains": (), "relations": (), "regions": ()}
    at = {span: by_id[id] for id, span in word_spans(document.replace(**layers)).items()}
    real = zip(own["spans"].tolist(), own["spans_mask"].tolist())
    return {n: at[a, b] for n, ((a, b), ok) in enumerate(real) if ok and (a, b) in at}


def _given(e: EncodedDocument, mentions: tuple[Mention, ...]) -> dict[int, Mention]:
    """Candidate -> mention, where they were given."""
    by_id = {m.id: m for m in mentions}
    return {n: by_id[id] for n, id in enumerate(e.candidates.mentions)} if e.candidates else {}
