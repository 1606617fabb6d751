"""Chains: which mentions of a document are of one thing, as a number for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from torch import Tensor

from openmie.data.document import Chain, Mention
from openmie.model.features.encoded_document import EncodedDocument
from openmie.model.tasks.candidates import collate_candidates, with_singletons
from openmie.model.tasks.task import Arrays, CandidateSource, DecodedDocument, Encoded, without


class ChainsTask:
    """`chain_of` (S,): the number of each candidate's chain. Every mention is in a chain, if only in one of its own."""

    represents = "a chain of located mentions"

    def encode(self, documents: Sequence[EncodedDocument]) -> list[Encoded]:
        """Of the candidates that the documents hold; what these drop is theirs to report."""
        return [Encoded({} if d.candidates is None else {"chain_of": d.candidates.chain_of}) for d in documents]

    def collate(self, documents: Sequence[EncodedDocument], inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        given = collate_candidates([d.candidates for d in documents])
        return {"chain_of": given["chain_of"]} if given else {}

    def visible(self, given: Mapping[str, Tensor], candidates: CandidateSource) -> dict[str, Tensor]:
        """Gold chains are visible only where they are asked for."""
        return dict(given) if candidates == "gold_chains" else without(given, "chain_of")

    def decode(self, documents: Sequence[DecodedDocument], predictions: Arrays) -> None:
        """Chains c0, c1, ...; where gold chains were the candidates, the document's own stay."""
        for i, d in enumerate(documents):
            if d.candidates == "gold_chains" and d.encoded.candidates is not None:
                keep_chains(d)
                continue
            of = [int(predictions["chain_of"][i][n]) for n in d.mentions]
            known = "chain_scores" in predictions
            scores = [float(predictions["chain_scores"][i][n]) if known else 1.0 for n in d.mentions]
            found, d.chain_ids = decode_chains([*d.mentions.values()], of, scores)
            d.layers["chains"] = tuple(with_singletons(d.layers["mentions"], found))


def keep_chains(d: DecodedDocument) -> None:
    """The document's own chains, and one for each mention that is in none."""
    assert d.encoded.candidates is not None
    d.chain_ids = {n: chain.id for n, chain in enumerate(d.encoded.candidates.chains)}
    d.layers["chains"] = tuple(with_singletons(d.layers["mentions"], d.encoded.document.chains))


def decode_chains(
    mentions: Sequence[Mention], chain_of: Sequence[int], scores: Sequence[float]
) -> tuple[tuple[Chain, ...], dict[int, str]]:
    """Chains from the number of each mention's chain, -1 for a mention in none, which is a chain of its own.

    A chain's label is what most of its mentions are, the first of these where it is a tie; its score is the mean.
    Also: number -> chain id.
    """
    members: dict[int, list[int]] = {}
    lone = max([*chain_of, -1]) + 1
    for i, c in enumerate(chain_of):
        members.setdefault(int(c) if c >= 0 else lone + i, []).append(i)
    taken, chains, ids = {m.id for m in mentions}, [], {}
    for n, (number, inside) in enumerate(members.items()):
        id = f"c{n}"
        while id in taken:
            id += "'"
        label = Counter(mentions[i].label for i in inside).most_common(1)[0][0]
        score = sum(scores[i] for i in inside) / len(inside)
        ids[number] = id
        chains.append(Chain(id=id, label=label, mentions=tuple(mentions[i].id for i in inside), score=score))
    return tuple(chains), ids
