"""Linear-chain CRF: scores tags one after the other, so that a word's tag depends on its neighbour's (Lafferty 2001).

Shapes: B batch, T words, L tags. Masks are bool, True = real, right-padded.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from openmie.errors import OpenMIEError
from openmie.nn.decode.linear_chain import (
    TransitionScores,
    best_path,
    log_likelihood,
    prepare,
    result_type,
    sums,
    words,
    working_type,
)

FORBIDDEN = -1e9  # added in float64 to the score of a tag sequence that may not be


class LinearChainCrf(nn.Module):
    """Log-likelihood, best tags and tag probabilities of a linear chain over `tags` (their number, or their names).

    `start` (L,), `transitions` (L, L) from row to column, `end` (L,) begin at zero: an untrained CRF is the softmax of
    each word. All is computed in float64 whatever the emissions are (float32 where the device has no float64).

    `constrained=True` needs names. Then `decode`, `best` and `marginals` give no weight to sequences in which `I-X`
    follows anything but `B-X` or `I-X` (see `legal`). The loss stays unconstrained on purpose: gold with orphan `I-`
    runs, which real files have, would otherwise be impossible, with a loss of about 1e9 for one such sentence; and
    from legal gold alone training learns the same constraint, at no cost in what is decoded.

    Rows that are all padding have log-likelihood 0 and gradient 0. Emissions of padding are never read and may be
    anything. Real emissions must be finite; a NaN gives NaN for its row.
    """

    _first: Tensor | None
    _follow: Tensor | None

    def __init__(self, tags: int | Sequence[str], *, constrained: bool = False) -> None:
        super().__init__()
        names = None if isinstance(tags, int) else tuple(tags)
        count = tags if isinstance(tags, int) else len(tags)
        if count < 1 or (names and len(set(names)) < count):
            raise OpenMIEError(f"tags {tags!r}", expected="at least one tag, none twice", where="LinearChainCrf")
        if constrained and names is None:
            raise OpenMIEError(
                f"constrained=True with {count} tags without names",
                where="LinearChainCrf",
                expected="their BIO names",
                remedy="pass the names in place of their number",
            )
        self.names, self.constrained = names, constrained
        self.start = nn.Parameter(torch.zeros(count))
        self.transitions = nn.Parameter(torch.zeros(count, count))
        self.end = nn.Parameter(torch.zeros(count))
        first, follow = legal(names) if names and constrained else (None, None)
        self.register_buffer("_first", first, persistent=False)
        self.register_buffer("_follow", follow, persistent=False)

    def extra_repr(self) -> str:
        return f"{len(self.start)} tags, constrained={self.constrained}"

    def log_likelihood(self, emissions: Tensor, tags: Tensor, mask: Tensor | None = None) -> Tensor:
        """log p(tags | emissions): (B, T, L), (B, T), (B, T) -> (B,) in float32 or wider. Tags of padding are not read.

        Differentiable once (a second derivative raises), in emissions and parameters.
        """
        mask = self._checked(emissions, mask, tags)
        if not mask.numel():
            return self._zeros(emissions)
        return log_likelihood(emissions, tags, mask, TransitionScores(self.start, self.transitions, self.end))

    @torch.no_grad()
    def decode(self, emissions: Tensor, mask: Tensor | None = None) -> Tensor:
        """The likeliest tags: (B, T, L), (B, T) -> (B, T) LongTensor, -1 on padding."""
        return self.best(emissions, mask)[0]

    @torch.no_grad()
    def best(self, emissions: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The likeliest tags (B, T), -1 on padding, and the score of their sequence (B,), not normalised."""
        mask = self._checked(emissions, mask)
        if not mask.numel():
            return torch.full_like(mask, -1, dtype=torch.long), self._zeros(emissions)
        path, score = best_path(prepare(emissions, mask), mask, self._chain())
        return path, score.to(result_type(emissions, self.start))

    @torch.no_grad()
    def marginals(self, emissions: Tensor, mask: Tensor | None = None) -> Tensor:
        """Probability of each tag at each word, given the whole sentence: (B, T, L), 0 on padding. No gradient."""
        mask = self._checked(emissions, mask)
        if not mask.numel():
            return emissions.new_zeros(emissions.shape, dtype=result_type(emissions, self.start))
        x = prepare(emissions, mask)
        unary = sums(x, words(mask, x.dtype), self._chain()).unary
        return unary.transpose(0, 1).to(result_type(emissions, self.start))

    def _chain(self) -> TransitionScores:
        """The scores for prediction, with what is illegal forbidden."""
        start, transitions, end = (p.to(working_type(p.device)) for p in (self.start, self.transitions, self.end))
        if self._first is not None and self._follow is not None:
            start = start.masked_fill(~self._first, FORBIDDEN)
            transitions = transitions.masked_fill(~self._follow, FORBIDDEN)
        return TransitionScores(start, transitions, end)

    def _zeros(self, emissions: Tensor) -> Tensor:
        """One zero a row, still a function of emissions and parameters. (B,)"""
        nothing = self.start.sum() + self.transitions.sum() + self.end.sum()
        return emissions.sum((1, 2)).to(result_type(emissions, self.start)) * 0 + nothing * 0

    def _checked(self, emissions: Tensor, mask: Tensor | None, tags: Tensor | None = None) -> Tensor:
        """The mask, all True where none was given; an error names what does not fit."""
        width = len(self.start)
        if emissions.dim() != 3 or emissions.shape[2] != width or not emissions.is_floating_point():
            raise _misfit("emissions", emissions, f"a floating-point (B, T, {width})")
        shape = emissions.shape[:2]
        mask = torch.ones(shape, dtype=torch.bool, device=emissions.device) if mask is None else mask
        if mask.dtype != torch.bool or mask.shape != shape:
            raise _misfit("mask", mask, f"a bool {tuple(shape)}", "mask != 0 turns numbers into bool")
        if tags is not None and (tags.shape != shape or tags.dtype != torch.long):
            raise _misfit("tags", tags, f"an int64 {tuple(shape)}", "tags.long() turns other integers into int64")
        wrong = [(mask[:, 1:] & ~mask[:, :-1]).any()]
        if tags is not None:
            wrong.append((((tags < 0) | (tags >= width)) & mask).any())
        holes, *outside = torch.stack(wrong).tolist()  # one transfer from the device for both
        if holes:
            raise OpenMIEError(
                "a mask with padding before a real word",
                where="LinearChainCrf",
                expected="right-padded rows: True ... True False ... False",
                remedy="move the real words of each row to its front",
            )
        if any(outside):
            raise OpenMIEError(
                f"a tag outside 0 .. {width - 1} at a real word",
                where="LinearChainCrf",
                expected=f"tags from 0 to {width - 1}; only padding may hold others, such as -100",
                remedy="encode the tags with the label set that the CRF was built with",
            )
        return mask


def legal(names: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Which tags may come first (L,), and which may follow which (L, L) from row to column, in BIO.

    Only `I-X` is bound: it follows `B-X` or `I-X`, where `B-X` is a tag at all (a set with `I-X` alone is the older IO
    scheme, in which it opens an entity too). So every sentence has a legal sequence, whatever the set.
    """
    inside = [name[2:] if name.startswith("I-") and "B-" + name[2:] in names else None for name in names]
    first = [label is None for label in inside]
    follow = [[label is None or name in ("B-" + label, "I-" + label) for label in inside] for name in names]
    return torch.tensor(first), torch.tensor(follow)


def _misfit(what: str, tensor: Tensor, expected: str, remedy: str = "") -> OpenMIEError:
    return OpenMIEError(
        f"{what} {tuple(tensor.shape)} of {tensor.dtype}", expected=expected, remedy=remedy, where="LinearChainCrf"
    )
