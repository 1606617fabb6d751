"""Sums and maxima over all tag sequences of a linear chain.

    score(y) = start[y_0] + sum_t emissions[t, y_t] + sum_t transitions[y_t, y_(t+1)] + end[y_last]
    log p(y) = score(y) - log_z,   log_z = log sum over all y of exp score(y)        (Lafferty et al. 2001)

The gradient of `log_z` is the expected number of times that each tag and each pair of tags is used, so one run of
forward-backward gives value and gradient together. It is done inside an `autograd.Function`: nothing is recorded step
by step, and both directions advance in one batched product. All of it is float64, whatever comes in.

Shapes: B batch, T words, L tags. Masks are bool, True = real, right-padded; every row here has at least one real word
or is all padding, in which case its sums are zero. Masks and tags are checked by the caller (`crf.py`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

STRIDE = 16  # steps between two rescalings of the fast path


class TransitionScores(NamedTuple):
    """The scores that do not depend on the text."""

    start: Tensor  # (L,)
    transitions: Tensor  # (L, L) from row to column
    end: Tensor  # (L,)


class Words(NamedTuple):
    """Where the words are."""

    mask: Tensor  # (B, T) True = real
    real: Tensor  # (T, B) 1 = real, 0 = padding
    last: Tensor  # (B,) index of the last real word, 0 for a row that is all padding
    rows: Tensor  # (B,) 0, 1, ...


class Sums(NamedTuple):
    """What a sum over all tag sequences gives.

    Row b is expected to use the transition from i to j hop[i, j] * sum over k of left[k, b, i] right[k, b, j] times
    (kept in factors, as only its weighted sum over rows is wanted; K is T-1 or L).
    """

    log_z: Tensor  # (B,)
    unary: Tensor  # (T, B, L) probability of each tag at each word, 0 on padding
    left: Tensor  # (K, B, L)
    right: Tensor  # (K, B, L)
    hop: Tensor  # (L, L)


def working_type(device: torch.device) -> torch.dtype:
    """float64, or float32 where the device has none."""
    return torch.float32 if device.type == "mps" else torch.float64


def prepare(emissions: Tensor, mask: Tensor) -> Tensor:
    """(B, T, L) -> (T, B, L) in the working type, zero on padding whatever stood there (NaN too)."""
    x = emissions.new_empty(emissions.transpose(0, 1).shape, dtype=working_type(emissions.device))
    return x.copy_(emissions.transpose(0, 1)).masked_fill_(~mask.t()[..., None], 0)


def words(mask: Tensor, kind: torch.dtype) -> Words:
    """What is read of the mask (B, T) again and again."""
    last = (mask.sum(1) - 1).clamp_min_(0)
    return Words(mask, mask.t().to(kind), last, torch.arange(len(mask), device=mask.device))


def sums(x: Tensor, at: Words, chain: TransitionScores) -> Sums:
    """Forward-backward over prepared emissions `x` (T, B, L); no gradient passes through."""
    fast = _scaled_sums(x, at, chain)
    return fast if fast is not None else _log_sums(x, at, chain)


def _reversal(mask: Tensor, width: int) -> Tensor:
    """Indices that turn round the real words of each row and leave padding where it is. (T, B, width)"""
    n = mask.sum(1)
    t = torch.arange(mask.shape[1], device=mask.device)[:, None]
    return torch.where(t < n, n - 1 - t, t)[..., None].expand(-1, -1, width)


def _scaled_run(first: Tensor, weight: Tensor, hop: Tensor) -> tuple[Tensor, Tensor]:
    """Left-to-right and right-to-left pass side by side, each rescaled after every `STRIDE` steps to sum to 1.

    `first` (2, B, L), `weight` (T, 2, B, L) and `hop` (L, L) at most 1 -> states (T, 2, B, L) as they were before they
    were rescaled, and the logarithm of the left-to-right scales, 0 where none was applied (T, B).
    Padding comes last in both passes; what is computed there is never used.
    """
    states, scales = torch.empty_like(weight), torch.ones_like(weight[:, 0, :, 0])
    state_at, weight_at = states.unbind(0), weight.unbind(0)
    both = torch.stack([hop, hop.t()])
    state = torch.mul(first, weight_at[0], out=state_at[0])
    for t in range(1, len(weight_at)):
        if t % STRIDE == 0:
            scale = state.sum(2, keepdim=True)
            scales[t - 1] = scale[0, :, 0]
            state = state / scale
        state = torch.bmm(state, both, out=state_at[t]).mul_(weight_at[t])
    return states, scales.log_()


def _scaled_sums(x: Tensor, at: Words, chain: TransitionScores) -> Sums | None:
    """Forward-backward on rescaled probabilities; None where one of them is too small to be trusted."""
    (length, size, width), (mask, real, last, rows) = x.shape, at
    top = TransitionScores(*(scores.max() for scores in chain))
    start, hop, end = ((scores - highest).exp_() for scores, highest in zip(chain, top))
    peak, turn = x.amax(2, keepdim=True), _reversal(mask, width)
    weight = x.new_empty(length, 2, size, width)
    torch.exp(x - peak, out=weight[:, 0])
    torch.gather(weight[:, 0], 0, turn, out=weight[:, 1])
    states, scales = _scaled_run(torch.stack([start, end])[:, None].expand(2, size, width), weight, hop)

    before, after = states[:, 0], states[:, 1].gather(0, turn)  # all that precedes, all that follows, word t included
    ahead = torch.empty_like(after)  # all that follows, word t left out
    torch.mm(after[1:].view(-1, width), hop.t(), out=ahead[:-1].view(-1, width))
    ahead[-1] = 0  # padding at the end of shorter rows must be finite too
    ahead[last, rows] = end
    unary = before * ahead
    total = unary.sum(2, keepdim=True).masked_fill_(~mask.t()[..., None], 1)  # (T, B, 1)
    smallest = torch.stack([total.amin(), states[1:].amin()] if length > 1 else [total.amin()]).amin()
    # What is below the smallest number is lost. Where all that is kept is 1/eps above it, the loss is eps of any of it.
    number = torch.finfo(x.dtype)
    if not smallest.item() >= number.tiny / number.eps:  # so that NaN is caught too
        return None
    log_z = total[last, rows, 0].log() + top.start + top.end
    log_z += (peak[..., 0] * real).sum(0) + ((scales[:-1] + top.transitions) * real[1:]).sum(0)
    left = before[:-1] * (real[1:, :, None] / total[:-1])
    return Sums(log_z * real[0], unary.mul_(real[..., None] / total), left, after[1:], hop)


def _log_sums(x: Tensor, at: Words, chain: TransitionScores) -> Sums:
    """Forward-backward on logarithms: slower, for scores spread over hundreds."""
    (length, size, width), (mask, real, last, rows) = x.shape, at
    turn = _reversal(mask, width)
    steps = torch.stack([x, x.gather(0, turn)], 1)  # (T, 2, B, L)
    both = torch.stack([chain.transitions, chain.transitions.t()])[:, None]  # (2, 1, L, L)
    states = [torch.stack([chain.start, chain.end])[:, None] + steps[0]]
    for t in range(1, length):
        states.append(torch.logsumexp(states[-1][..., None] + both, 2) + steps[t])  # (2, B, L)
    passes = torch.stack(states)
    before, after = passes[:, 0], passes[:, 1].gather(0, turn)
    final = before[last, rows] + chain.end  # (B, L)
    log_z = torch.logsumexp(final, 1)
    unary, pairs = torch.zeros_like(before), x.new_zeros(size, width, width)
    for t in range(length - 1):  # one step at a time: (T, B, L, L) need not fit
        joint = before[t, :, :, None] + chain.transitions + after[t + 1, :, None] - log_z[:, None, None]
        joint = joint.masked_fill(~mask[:, t + 1, None, None], -torch.inf).exp_()  # (B, L, L)
        unary[t] = joint.sum(2)
        pairs += joint
    unary[last, rows] = (final - log_z[:, None]).exp()
    left = torch.eye(width, dtype=x.dtype, device=x.device)[:, None].expand(width, size, width)
    return Sums(log_z * real[0], unary * real[..., None], left, pairs.transpose(0, 1), torch.ones_like(pairs[0]))


class _LogLikelihood(torch.autograd.Function):
    """Value together with its gradient: tags counted in the gold sequence less those expected."""

    @staticmethod
    def forward(ctx: Any, emissions: Tensor, tags: Tensor, mask: Tensor, *scores: Tensor) -> Tensor:
        x = prepare(emissions, mask)
        chain = TransitionScores(*(s.to(x.dtype) for s in scores))
        at = words(mask, x.dtype)
        log_z, unary, *factors = sums(x, at, chain)
        (_, real, last, rows), tags = at, tags.masked_fill(~mask, 0).t()  # (T, B)
        hops = tags[:-1] * x.shape[2] + tags[1:]  # (T-1, B) into the flattened transitions
        score = (x.gather(2, tags[..., None]).squeeze(2) * real).sum(0)
        score += (chain.transitions.reshape(-1)[hops] * real[1:]).sum(0)
        score += (chain.start[tags[0]] + chain.end[tags[last, rows]]) * real[0]
        unary = unary.neg_().scatter_add_(2, tags[..., None], real[..., None])
        ctx.save_for_backward(unary, *factors, hops, real[1:], last, rows)
        ctx.kinds = [emissions.dtype, *(s.dtype for s in scores)]
        return (score - log_z).to(result_type(emissions, *scores))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        unary, left, right, hop, hops, used, last, rows = ctx.saved_tensors
        grad, width = grad.to(unary.dtype), unary.shape[2]
        expected = (left * grad[:, None]).reshape(-1, width).t() @ right.reshape(-1, width) * hop
        counted = (used * grad).reshape(-1)  # transitions of the gold sequence
        pairs = expected.neg_().reshape(-1).scatter_add_(0, hops.reshape(-1), counted).view(width, width)
        final = unary[last, rows]
        wanted = (unary * grad[:, None]).transpose(0, 1), grad @ unary[0], pairs, grad @ final
        emissions, start, transitions, end = (g.to(kind) for g, kind in zip(wanted, ctx.kinds))
        return emissions, None, None, start, transitions, end


def result_type(*tensors: Tensor) -> torch.dtype:
    """The widest type of these, float32 at least: a sum over a sentence does not fit bfloat16."""
    kind = torch.float32
    for tensor in tensors:
        kind = torch.promote_types(kind, tensor.dtype)
    return kind


def log_likelihood(emissions: Tensor, tags: Tensor, mask: Tensor, chain: TransitionScores) -> Tensor:
    """log p(tags | emissions), (B,); differentiable once in emissions and chain."""
    return _LogLikelihood.apply(emissions, tags, mask, *chain)


def best_path(x: Tensor, mask: Tensor, chain: TransitionScores) -> tuple[Tensor, Tensor]:
    """The likeliest tags (B, T), -1 on padding, and their score (B,); of two equals, either (Viterbi).

    Runs over prepared emissions (T, B, L) from right to left, so that every row ends in its own last word, and is then
    read off from its first.
    """
    (length, size, width), x, at = x.shape, x.clone(), words(mask, x.dtype)
    x[at.last, at.rows] += chain.end
    steps, real = x.unbind(0), at.real[..., None].unbind(0)
    following = torch.empty(length, size, width, dtype=torch.long, device=x.device)  # best tag of t+1 for each of t
    best, choice_at = torch.empty_like(x[0]), following.unbind(0)
    rest = steps[-1]  # (B, L) score of the best way on, word t included
    for t in range(length - 2, -1, -1):
        torch.max(rest[:, None] + chain.transitions, 2, out=(best, choice_at[t]))
        rest = torch.addcmul(steps[t], best, real[t + 1])
    score, tag = (rest + chain.start).max(1, keepdim=True)
    path = [tag]
    for choice in choice_at[:-1]:
        path.append(choice.gather(1, path[-1]))
    return torch.cat(path, 1).masked_fill_(~mask, -1), score.squeeze(1) * mask[:, 0]
