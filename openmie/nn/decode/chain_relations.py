"""ChainRelations: relations between chains, several for a pair (M3D, eq. 17)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.nn.decode.chains import Bilinear, projection
from openmie.nn.decode.mention_candidates import (
    candidates,
    chain_means,
    chains_of,
    count_chains,
    membership,
    span_means,
)
from openmie.nn.limits import CountOrZero, Dropout, Fraction, NonNegative, Problem, labels_given
from openmie.nn.streams import Stream, Streams


@dataclass(frozen=True, kw_only=True)
class ChainRelations:
    """y_ij = W (L_i x L_j), x the Kronecker product: a bilinear form for each label, for ordered pairs of chains.

    L_i is the mean of the vectors of chain i's mentions; the paper leaves it open. Its release has no L: it scores
    pairs of mentions and lets them vote (`aggregation="vote"`). `decide="several"` decides each label by itself, with
    the binary cross-entropy summed over labels (a pair may have several); `one` is the paper's softmax with None among
    the labels (eq. 21), whose gold is shared out where a pair has several. Labels whose types do not fit a pair are
    never predicted and cost nothing: those of `allowed`, or of a prefix as in `PER-LOC_birth`, where both are mention
    labels; so a score is that of a label given two types. Between chains of the tagger's own it is p(label | types)
    times the lesser of the tagger's certainties about the two types (`joint`, ours): else whatever a wrong type lets
    through is predicted. The lesser, not their product, for what leaves two types unsure is mostly one thing, such as a
    frame. (Labels that do not fit learnt as "no", against the same: then relations that only frames show are not
    predicted while types are unsure.)

    Reads `input_stream` (B, T, D), spans and chains, predicts `links` (B, C, C, R).

    Args:
        labels: relation labels; a `None` among them is what `one` predicts where no relation holds.
        mentions: mention labels, in the order of `span_labels`; empty: types are ignored.
        allowed: (label, head type, tail type) of the training data; a label without an entry may hold between any
            types.
        symmetric: labels without a direction: learnt in both directions, predicted once.
        decide: `several`: each label by itself; `one`: a softmax, as in the paper.
        aggregation: `mean` of the vectors of a chain's mentions, or `vote` of the pairs of mentions, as released.
        threshold: minimum probability with `several`, and minimum share of votes.
        joint: multiply a label's probability by the tagger's confidence in the two types (ours); with `several` only.
        rank: width that chain vectors are projected to before the product; 0: no projection, as printed.
        norm: normalise the vectors, as in `Chains`; False as released.
        input_stream: name of the stream whose tokens are read at the mentions.
        dropout: probability of dropout.
        dropout_of: what it drops: the `vectors` of chains, or the `scores` of a pair, as released.
        weight: weight of this head's loss in the sum of all losses.
        name: name of the head's loss in logs and records.
    """

    labels: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    allowed: tuple[tuple[str, ...], ...] = ()
    symmetric: tuple[str, ...] = ()
    decide: Literal["several", "one"] = "several"
    aggregation: Literal["mean", "vote"] = "mean"
    threshold: Fraction = 0.5
    joint: bool = True
    rank: CountOrZero = 0
    norm: bool = True
    input_stream: str = "fused"
    dropout: Dropout = 0.1
    dropout_of: Literal["vectors", "scores"] = "vectors"
    weight: NonNegative = 1.0
    name: str = "links"

    def needs(self) -> frozenset[str]:
        return frozenset({self.input_stream})

    def makes(self) -> frozenset[str]:
        return frozenset({"links"})

    def problems(self) -> Iterator[Problem]:
        yield from labels_given(self.labels)
        for i, entry in enumerate(self.allowed if self.mentions else ()):
            if len(entry) != 3 or entry[0] not in self.labels or not {*entry[1:]} <= {*self.mentions}:
                yield Problem(
                    where=f"allowed.{i}",
                    found=repr(entry),
                    expected=f"(label, head type, tail type), types among {self.mentions}",
                    remedy="correct the entry, or leave it out",
                )

    def build(self, widths: dict[str, int]) -> nn.Module:
        return ChainRelationsHead(self, widths[self.input_stream])


class ChainRelationsHead(nn.Module):
    """Links of the given chains, or of those that a head before it made; without any, each mention is its own.

    loss: mean over the ordered pairs of different chains of documents that have their text. predict: `links` and
    `link_scores` (B, C, C, R), probabilities (of a vote: its share), head first; a symmetric label once, from the lower
    index. Chains that were given are read as `given_chain_of`, where a chains head has predicted others.
    """

    fits: Tensor  # (K, K, R) bool: whether a label may hold between chains of these types
    both: Tensor  # (R,) bool: labels without a direction

    def __init__(self, config: ChainRelations, width: int) -> None:
        super().__init__()
        self.name, self.weight, self.input_stream, self.threshold = (
            config.name,
            config.weight,
            config.input_stream,
            config.threshold,
        )
        self.several, self.vote = config.decide == "several", config.aggregation == "vote"
        self.joint = config.joint and self.several and bool(config.mentions)
        self.types, labels = len(config.mentions), config.labels
        if not self.several and "None" not in labels:
            labels = (*labels, "None")  # predicted, never given out
        self.out = len(config.labels)
        self.none = labels.index("None") if "None" in labels else -1
        of_vectors = config.dropout_of == "vectors"
        self.drop = nn.Dropout(config.dropout if of_vectors else 0.0)
        self.drop_scores = nn.Dropout(0.0 if of_vectors else config.dropout)
        self.project = projection(width, config.rank, config.norm)
        self.pair = Bilinear(config.rank or width, len(labels), -4.0 if self.several else 0.0)  # few labels hold
        self.register_buffer("fits", signatures(config, labels), persistent=False)
        self.register_buffer("both", torch.tensor([x in config.symmetric for x in labels]), persistent=False)

    def loss(self, streams: Streams, given: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        chain_of, links = chains_of(given, streams[self.input_stream]), targets["links"]
        links = links | (links.transpose(1, 2) & self.both[: self.out])
        owner, vectors = self._units(streams[self.input_stream], given, chain_of, links.shape[1])
        logits = self.drop_scores(self.pair(vectors, vectors))  # (B, U, U, R)
        b, i, j = differing(owner).nonzero(as_tuple=True)
        if not len(b):
            return logits.sum() * 0.0
        head, tail, types = owner[b, i], owner[b, j], self._types(given, chain_of, links.shape[1])
        fits, gold = self.fits[types[b, head], types[b, tail]], links[b, head, tail].to(logits.dtype)
        gold = F.pad(gold, (0, len(self.both) - self.out))
        if self.several:
            each = F.binary_cross_entropy_with_logits(logits[b, i, j], gold, reduction="none")
            return torch.where(fits, each, 0.0).sum() / len(b)
        gold[:, self.none] = torch.where(gold.any(1), gold[:, self.none], 1.0)
        scores = logits[b, i, j].masked_fill(~(fits | gold.bool()), torch.finfo(logits.dtype).min)
        return F.cross_entropy(scores, gold / gold.sum(1, keepdim=True))

    def predict(self, streams: Streams, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        made = candidates(given, streams[self.input_stream])
        given = {**given, **made}
        chain_of = chains_of(given, streams[self.input_stream])
        c = count_chains(chain_of)
        owner, vectors = self._units(streams[self.input_stream], given, chain_of, c)
        types, member = self._types(given, chain_of, c), membership(chain_of, c)
        fits = self.fits[types[:, :, None], types[:, None]]  # (B, C, C, R)
        logits = self.pair(vectors, vectors)
        logits = torch.where(self.both, (logits + logits.transpose(1, 2)) / 2, logits)
        if self.vote:
            scores = self._votes(logits, fits, owner, member)
        else:
            scores = self._probabilities(logits, fits)
        if self.joint and "span_scores" in given:
            sure = chain_means(given["span_scores"][..., None], member)  # (B, C, 1)
            scores = scores * torch.minimum(sure[:, :, None], sure[:, None])
        real = differing(torch.where(member.any(1), torch.arange(c, device=owner.device), -1))[..., None]
        return {**made, **self._decide(torch.where(real & fits, scores, 0.0))}

    def _units(self, stream: Stream, given: Mapping[str, Tensor], chain_of: Tensor, c: int) -> tuple[Tensor, Tensor]:
        """What is paired, chains or (for a vote) mentions: the chain of each (B, U), -1 for none, and (B, U, D)."""
        vectors, owner = span_means(stream, given["spans"]), chain_of
        if not self.vote:
            member = membership(chain_of, c)
            owner = torch.where(member.any(1), torch.arange(c, device=chain_of.device), -1)
            vectors = chain_means(vectors, member)
        return owner, self.drop(self.project(vectors))

    def _types(self, given: Mapping[str, Tensor], chain_of: Tensor, c: int) -> Tensor:
        """(B, C): the label of most of a chain's mentions, 0 where types are not looked at."""
        if not self.types:
            return chain_of.new_zeros(len(chain_of), c)
        each = F.one_hot(given["span_labels"], self.types).float()  # (B, S, K)
        return (membership(chain_of, c).transpose(1, 2).float() @ each).argmax(2)

    def _probabilities(self, logits: Tensor, fits: Tensor) -> Tensor:
        if self.several:
            return logits.sigmoid()
        return logits.masked_fill(~fits, torch.finfo(logits.dtype).min).softmax(-1)

    def _votes(self, logits: Tensor, fits: Tensor, owner: Tensor, member: Tensor) -> Tensor:
        """Share of the pairs of mentions of two chains for which a label is predicted: (B, S, S, R) -> (B, C, C, R)."""
        row = torch.arange(len(owner), device=owner.device)[:, None, None]
        at = owner.clamp_min(0)
        own = fits[row, at[:, :, None], at[:, None]] if fits.shape[1] else torch.ones_like(logits, dtype=torch.bool)
        p = self._probabilities(logits, own)
        positive = p > self.threshold if self.several else F.one_hot(p.argmax(-1), p.shape[-1]).bool()
        share = member.to(p.dtype)
        share = share / share.sum(1, keepdim=True).clamp_min(1)
        return torch.einsum("bic,bijr,bjd->bcdr", share, positive.to(p.dtype), share)

    def _decide(self, scores: Tensor) -> dict[str, Tensor]:
        """The predicted labels of scores (B, C, C, R), 0 where a label is impossible; without an added None."""
        predicted = scores > self.threshold
        if not self.several:
            predicted = F.one_hot(scores.argmax(-1), scores.shape[-1]).bool() & (scores > 0)
        if self.none >= 0:
            predicted[..., self.none] = False
        once = torch.ones(predicted.shape[1:3], dtype=torch.bool, device=predicted.device).triu()[..., None]
        predicted = torch.where(self.both, (predicted | predicted.transpose(1, 2)) & once, predicted)
        scores = torch.where(self.both, torch.maximum(scores, scores.transpose(1, 2)) * once, scores)
        return {"links": predicted[..., : self.out], "link_scores": scores[..., : self.out]}


def differing(owner: Tensor) -> Tensor:
    """(B, U) -> (B, U, U): ordered pairs of units of two different chains, those of none (-1) left out."""
    real = owner >= 0
    return real[:, :, None] & real[:, None] & (owner[:, :, None] != owner[:, None])


def signatures(config: ChainRelations, labels: Sequence[str]) -> Tensor:
    """(K, K, R) bool: the head and tail types that each label may have; (1, 1, R) where types are not looked at.

    Errors: a type or label of `allowed` that there is none of.
    """
    types, k = config.mentions, len(config.mentions)
    fits = torch.ones(max(k, 1), max(k, 1), len(labels), dtype=torch.bool)
    for r, label in enumerate(labels):
        pairs = [tuple(entry[1:]) for entry in config.allowed if entry[0] == label]
        prefix = re.match(r"(.+?)-(.+?)_", label)
        if not pairs and prefix and {*prefix.groups()} <= {*types}:
            pairs = [prefix.groups()]
        if pairs and types:
            fits[:, :, r] = False
            for head, tail in (*pairs, *(p[::-1] for p in pairs if label in config.symmetric)):
                fits[types.index(head), types.index(tail), r] = True
    if config.decide == "several" and "None" in labels:
        fits[:, :, labels.index("None")] = False
    return fits
