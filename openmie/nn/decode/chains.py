"""Chains: mentions of one thing are found together by pair scores (M3D, eq. 16)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openmie.nn.decode.mention_candidates import candidates, span_means
from openmie.nn.limits import CountOrZero, Dropout, Fraction, NonNegative, Problem, labels_given
from openmie.nn.streams import Stream, Streams


@dataclass(frozen=True, kw_only=True)
class Chains:
    """y_ij = W (E_i x E_j), x the Kronecker product: a bilinear form for each of two classes, apart and together.

    E_i is the mean of the words' states of mention i, i the earlier of the two. The loss is the cross-entropy of all
    pairs of gold mentions (eq. 20). Two mentions are linked where p(together) is above the threshold, and a chain is
    what links connect; or each mention is linked to its likeliest earlier one alone. The release merges links in one
    pass, so that its chains depend on their order, and takes the states of the words one to the left.

    Vectors of mentions are brought to mean 0 and variance 1 (`norm`, ours), which the start of W is made for: those of
    MiniLM have a root mean square of 0.37, and all pairs would begin as good as apart.

    `similarity_init` is for names that training never saw: W of `together` begins with I / sqrt(D) added to its noise,
    and its bias half way. Measured on documents of six mentions of two new things, random vectors of 48 features,
    learning rate 1e-3: after 120 and 400 steps 97 and 100% of them are right, without it 39 and 64% (one seed; as in
    the tests).

    Reads `input_stream` (B, T, D) and spans (B, S, 2), predicts `chain_of` (B, S).

    Args:
        labels: mention labels, as the tagger has them.
        link: `closure`: all links above the threshold, as in the paper; `best`: each mention to its likeliest earlier
            one.
        typed: only mentions with one label can form a chain.
        threshold: minimum probability of a link.
        rank: width that mention vectors are projected to before the product; 0: no projection, as printed.
        similarity_init: initial weight of the vectors' similarity in W (ours); 0: random initialisation, as printed.
        norm: normalise the vectors to mean 0 and variance 1 (ours); False as released.
        input_stream: name of the stream whose tokens are read at the mentions.
        dropout: probability of dropout.
        dropout_of: what it drops: the `vectors` of mentions, or the `scores` of a pair, as released.
        weight: weight of this head's loss in the sum of all losses.
        name: name of the head's loss in logs and records.
    """

    labels: tuple[str, ...] = ()
    link: Literal["closure", "best"] = "closure"
    typed: bool = False
    threshold: Fraction = 0.5
    rank: CountOrZero = 0
    similarity_init: NonNegative = 1.0
    norm: bool = True
    input_stream: str = "fused"
    dropout: Dropout = 0.1
    dropout_of: Literal["vectors", "scores"] = "vectors"
    weight: NonNegative = 1.0
    name: str = "chains"

    def needs(self) -> frozenset[str]:
        return frozenset({self.input_stream})

    def makes(self) -> frozenset[str]:
        return frozenset({"chain_of"})

    def problems(self) -> Iterator[Problem]:
        yield from labels_given(self.labels)

    def build(self, widths: dict[str, int]) -> nn.Module:
        return ChainsHead(self, widths[self.input_stream])


class ChainsHead(nn.Module):
    """Chains of given `spans`, or of the spans of `tags`.

    loss: a mean over the pairs of the batch's gold mentions; a document without its text has none. predict: `chain_of`
    (B, S), counted by first mention, -1 on padding; `chain_scores` (B, S), the likeliest link of a mention inside its
    chain, or for one by itself that it has none; and the spans it made. A `chain_of` that was given, as gold chains are
    where relations between them are predicted, stays as `given_chain_of`.
    """

    def __init__(self, config: Chains, width: int) -> None:
        super().__init__()
        self.name, self.weight, self.input_stream = config.name, config.weight, config.input_stream
        self.threshold, self.closure, self.typed = config.threshold, config.link == "closure", config.typed
        of_vectors = config.dropout_of == "vectors"
        self.drop = nn.Dropout(config.dropout if of_vectors else 0.0)
        self.drop_scores = nn.Dropout(0.0 if of_vectors else config.dropout)
        self.project = projection(width, config.rank, config.norm)
        self.pair = Bilinear(config.rank or width, 2)
        root = (config.rank or width) ** 0.5
        with torch.no_grad():
            self.pair.weight[:, 1] += config.similarity_init * torch.eye(config.rank or width) / root
            self.pair.bias[1] -= config.similarity_init * root / 2

    def logits(self, stream: Stream, spans: Tensor) -> Tensor:
        """(B, S, S, 2), the same for a pair and its turn: scored with the earlier mention first."""
        vectors = self.drop(self.project(span_means(stream, spans)))  # (B, S, D)
        scores = self.drop_scores(self.pair(vectors, vectors))
        return torch.where(earlier(spans)[..., None], scores, scores.transpose(1, 2))

    def loss(self, streams: Streams, given: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> Tensor:
        stream, spans = streams[self.input_stream], given["spans"]
        logits = self.logits(stream, spans)
        real = given["spans_mask"] & stream.present[:, None]  # type: ignore[index]
        pairs = (real[:, :, None] & real[:, None]).triu(1)
        together = targets["chain_of"][:, :, None] == targets["chain_of"][:, None]
        if not pairs.any():
            return logits.sum() * 0.0
        return F.cross_entropy(logits[pairs], together[pairs].long())

    def predict(self, streams: Streams, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        stream = streams[self.input_stream]
        made = candidates(given, stream)
        found = {**given, **made}
        real, spans = found["spans_mask"] & stream.present[:, None], found["spans"]  # type: ignore[index]
        p = self.logits(stream, spans).softmax(-1)[..., 1]  # (B, S, S)
        other = ~torch.eye(p.shape[1], dtype=torch.bool, device=p.device)
        fits = real[:, :, None] & real[:, None] & other
        if self.typed:
            fits = fits & (found["span_labels"][:, :, None] == found["span_labels"][:, None])
        links = fits & (p > self.threshold)
        chain = components(links if self.closure else best_only(links, p, spans))
        inside = fits & (chain[:, :, None] == chain[:, None])
        alone = 1.0 - highest(p, fits)
        scores = torch.where(inside.any(2), highest(p, inside), alone)
        kept = {"given_chain_of": given["chain_of"]} if "chain_of" in given else {}
        chain = numbered(chain, real)
        return {**made, **kept, "chain_of": chain, "chain_scores": torch.where(real, scores, 0.0)}


def projection(width: int, rank: int, norm: bool) -> nn.Module:
    """What vectors (.., D) pass before a bilinear form: a map to `rank` features where it is not 0, then the norm."""
    steps: list[nn.Module] = [nn.Linear(width, rank)] if rank else []
    return nn.Sequential(*steps, *([nn.LayerNorm(rank or width, elementwise_affine=False)] if norm else []))


class Bilinear(nn.Module):
    """heads (B, N, D), tails (B, M, D) -> (B, N, M, L), each pair's a^T W_l b + bias_l; no loop over pairs.

    W starts with variance 1 / D^2, so that states of unit variance give scores of unit variance; that of the usual
    start, 1 / (3 D), gives a standard deviation of 16 for D = 768.
    """

    def __init__(self, width: int, labels: int, start: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(width, labels, width) / width)
        self.bias = nn.Parameter(torch.full((labels,), start))

    def forward(self, heads: Tensor, tails: Tensor) -> Tensor:
        b, n, d = heads.shape
        labels = len(self.bias)
        mapped = (heads.reshape(b * n, d) @ self.weight.flatten(1)).view(b, n * labels, d)
        scores = (mapped @ tails.transpose(1, 2)).view(b, n, labels, tails.shape[1]).transpose(2, 3)
        return scores.to(torch.promote_types(scores.dtype, torch.float32)) + self.bias


def earlier(spans: Tensor) -> Tensor:
    """(B, S, S) bool: whether span i begins before span j, or with it and ends before; equal ones by their index."""
    start, end = spans[:, :, None], spans[:, None]
    before = (start[..., 0] < end[..., 0]) | ((start[..., 0] == end[..., 0]) & (start[..., 1] < end[..., 1]))
    same = (start == end).all(-1)
    index = torch.ones(spans.shape[1], spans.shape[1], dtype=torch.bool, device=spans.device).triu()
    return before | (same & index)


def best_only(links: Tensor, p: Tensor, spans: Tensor) -> Tensor:
    """Of each mention's links to earlier ones only the likeliest."""
    back = links & earlier(spans).transpose(1, 2)  # of row j to column i before it
    if not back.shape[2]:
        return back
    best = p.masked_fill(~back, -1.0).argmax(2, keepdim=True)
    return back & torch.zeros_like(back).scatter(2, best, True)


def components(links: Tensor) -> Tensor:
    """The smallest index that each of S nodes is connected with: links (B, S, S) bool, either direction -> (B, S).

    Each node takes the smallest of its neighbours' and follows it, until nothing changes (Shiloach and Vishkin, 1982).
    """
    links = links | links.transpose(1, 2)
    b, s = links.shape[:2]
    node = torch.arange(s, device=links.device).expand(b, s)
    while s:
        near = torch.where(links, node[:, None], s).amin(2)
        new = torch.minimum(node, near)
        new = new.gather(1, new)
        if torch.equal(new, node):
            break
        node = new
    return node


def numbered(root: Tensor, real: Tensor) -> Tensor:
    """Roots (B, S) to 0, 1, .. in the order in which they first stand; -1 where nothing is real."""
    s = torch.arange(root.shape[1], device=root.device)
    rank = ((root == s) & real).long().cumsum(1) - 1
    return rank.gather(1, root).masked_fill(~real, -1)


def highest(p: Tensor, among: Tensor) -> Tensor:
    """The highest of each row, 0 where there is none: (B, S, S) -> (B, S)."""
    return F.pad(torch.where(among, p, 0.0), (0, 1)).amax(2)
