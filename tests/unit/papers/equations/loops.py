"""Plain arithmetic for the equations of the papers: numbers one by one, in lists of lists, with a gradient.

Nothing here is taken from the code under test, and no operation runs over a tensor: a tensor is taken apart into its
numbers first. Slow, and made to be read beside a paper.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

Row = list[Any]  # of numbers
TOLERANCE = 1e-6


_TAKEN_APART: dict[int, tuple[Tensor, Any]] = {}  # weights, each once


def numbers(x: Tensor) -> Any:
    """The numbers of a tensor as lists of lists."""
    if not isinstance(x, nn.Parameter):
        return _numbers(x)
    return _TAKEN_APART.setdefault(id(x), (x, None if id(x) in _TAKEN_APART else _numbers(x)))[1]


def _numbers(x: Tensor) -> Any:
    return x if x.dim() == 0 else [_numbers(part) for part in x.unbind()]


def flat(x: Any) -> Row:
    return [y for part in x for y in flat(part)] if isinstance(x, list) else [x]


def stirred(module: nn.Module, seed: int, scale: float = 0.5) -> nn.Module:
    """The module in float64, in evaluation, with random numbers for all weights, those too that start at 0 or 1."""
    draw = torch.Generator().manual_seed(seed)
    module.double().eval()
    for weight in module.parameters():
        weight.data = scale * torch.randn(weight.shape, generator=draw, dtype=torch.float64)
    return module


def drawn(seed: int, *shape: int) -> Tensor:
    """Random states (..., D) of float64 that want a gradient."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x.requires_grad_()


def agree(fast: Tensor, slow: Any, leaves: Sequence[Tensor], seed: int = 0) -> tuple[float, float]:
    """Assert that values, and gradients of a random sum of them, agree; the largest differences of both."""
    slow = torch.stack(flat(slow))
    fast = fast.flatten()
    assert len(fast) == len(slow) > 0
    weights = torch.randn(len(fast), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    wanted = [x for x in leaves if x.requires_grad]
    found = [_gradient((x * weights).sum(), wanted) for x in (fast, slow)]
    value = (fast - slow).abs().max().item()
    gradient = max((a - b).abs().max().item() for a, b in zip(*found))
    assert max(g.abs().max().item() for g in found[0]) > 1e-3, "no gradient: nothing is compared"
    assert value < TOLERANCE, f"values differ by {value}"
    assert gradient < TOLERANCE, f"gradients differ by {gradient}"
    return value, gradient


def _gradient(scalar: Tensor, leaves: Sequence[Tensor]) -> list[Tensor]:
    got = torch.autograd.grad(scalar, leaves, retain_graph=True, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(leaves, got)]


# -- rows of numbers


def dot(a: Row, b: Row) -> Any:
    total = a[0] * b[0]
    for x, y in zip(a[1:], b[1:]):
        total = total + x * y
    return total


def add(a: Row, b: Row) -> Row:
    return [x + y for x, y in zip(a, b)]


def times(a: Row, b: Row) -> Row:
    return [x * y for x, y in zip(a, b)]


def mean(rows: list[Row]) -> Row:
    total = rows[0]
    for row in rows[1:]:
        total = add(total, row)
    return [x / len(rows) for x in total]


def softmax(a: Row) -> Row:
    e = [x.exp() for x in a]
    total = sum(e)
    return [x / total for x in e]


def cosine(a: Row, b: Row) -> Any:
    return dot(a, b) / (dot(a, a).sqrt() * dot(b, b).sqrt())


def gelu(x: Any) -> Any:
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def quick_gelu(x: Any) -> Any:
    return x * sigmoid(1.702 * x)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + (-x).exp())


def linear(layer: Any, x: Row) -> Row:
    """W x + b."""
    made = [dot(w, x) for w in numbers(layer.weight)]
    return made if layer.bias is None else add(made, numbers(layer.bias))


def every(layer: Any, rows: list[Row]) -> list[Row]:
    """W x + b of each row; the weights are taken apart once."""
    weight = numbers(layer.weight)
    bias = None if layer.bias is None else numbers(layer.bias)
    made = [[dot(w, x) for w in weight] for x in rows]
    return made if bias is None else [add(x, bias) for x in made]


def norm(layer: nn.LayerNorm, x: Row) -> Row:
    middle = sum(x) / len(x)
    spread = sum((v - middle) ** 2 for v in x) / len(x)
    scaled = [(v - middle) / (spread + layer.eps).sqrt() for v in x]
    return add(times(scaled, numbers(layer.weight)), numbers(layer.bias))


def mixed(weights: Row, rows: list[Row]) -> Row:
    """The sum of the rows by their weights."""
    return [dot(weights, [row[i] for row in rows]) for i in range(len(rows[0]))]


def attention(q: list[Row], k: list[Row], v: list[Row], heads: int) -> list[Row]:
    """softmax(q k / sqrt(d)) v of each query, d the width of a head; heads side by side."""
    each = len(q[0]) // heads
    out = []
    for query in q:
        found: Row = []
        for h in range(heads):
            part = slice(h * each, (h + 1) * each)
            weights = softmax([dot(query[part], key[part]) / math.sqrt(each) for key in k])
            found += mixed(weights, [value[part] for value in v])
        out.append(found)
    return out


# -- what several equations share


def crf_loss(crf: Any, emissions: list[list[Row]], gold: list[list[int]]) -> Any:
    """-1 / |D| sum over D of log P(y | sentence), P by the scores of all sequences of tags (Lafferty et al., 2001)."""
    start, step, end = (numbers(x) for x in (crf.start, crf.transitions, crf.end))

    def score(words: list[Row], tags: Sequence[int]) -> Any:
        total = start[tags[0]] + end[tags[-1]]
        for word, tag in zip(words, tags):
            total = total + word[tag]
        for before, after in itertools.pairwise(tags):
            total = total + step[before][after]
        return total

    total = 0.0
    for words, tags in zip(emissions, gold):
        every_path = itertools.product(range(len(start)), repeat=len(words))
        total = total - (score(words, tags).exp() / sum(score(words, path).exp() for path in every_path)).log()
    return total / len(gold)


def bert_embeddings(bert: Any, ids: list[int], segments: list[int]) -> list[Row]:
    """S + S_position + S_segment, then BERT's own layer norm."""
    names = ("word_embeddings", "position_embeddings", "token_type_embeddings")
    word, place, segment = (numbers(getattr(bert.embeddings, name).weight) for name in names)
    rows = [add(add(word[w], place[i]), segment[s]) for i, (w, s) in enumerate(zip(ids, segments))]
    return [norm(bert.embeddings.LayerNorm, row) for row in rows]


Pair = tuple[list[Row], list[Row]]  # keys and values


def bert_layer(layer: Any, h: list[Row], heads: int, other: Pair = ([], [])) -> tuple[list[Row], Pair]:
    """A layer of BERT whose keys and values stand behind another tower's; its states, and its own keys and values."""
    own = layer.attention.self
    k, v = every(own.key, h), every(own.value, h)
    seen = attention(every(own.query, h), other[0] + k, other[1] + v, heads)
    out = layer.attention.output
    h = [norm(out.LayerNorm, add(a, b)) for a, b in zip(every(out.dense, seen), h)]
    inner = [[gelu(x) for x in row] for row in every(layer.intermediate.dense, h)]
    made = every(layer.output.dense, inner)
    return [norm(layer.output.LayerNorm, add(a, b)) for a, b in zip(made, h)], (k, v)


def clip_layer(layer: Any, g: list[Row], heads: int, other: Pair = ([], [])) -> tuple[list[Row], Pair]:
    """The same of CLIP's vision tower, whose norms stand before attention and feed-forward."""
    own, x = layer.self_attn, [norm(layer.layer_norm1, row) for row in g]
    k, v = every(own.k_proj, x), every(own.v_proj, x)
    seen = attention(every(own.q_proj, x), other[0] + k, other[1] + v, heads)
    g = [add(a, b) for a, b in zip(every(own.out_proj, seen), g)]
    x = [norm(layer.layer_norm2, row) for row in g]
    inner = [[quick_gelu(y) for y in row] for row in every(layer.mlp.fc1, x)]
    return [add(a, b) for a, b in zip(every(layer.mlp.fc2, inner), g)], (k, v)


def check_values(recipe: Any, printed: dict[str, tuple[Any, str]]) -> None:
    """Assert that each field, named by its path in the recipe, has the value that is printed at that place."""
    for path, (value, where) in printed.items():
        found: Any = recipe
        for name in path.split("."):
            found = found[int(name)] if name.isdigit() else getattr(found, name)
        assert found == value, f"{path} is {found!r}; {value!r} is printed in {where}"


def inputs_of(module: nn.Module, run: Callable[[], Any]) -> Tensor:
    """What a module is given while something runs: its last input."""
    seen: list[Tensor] = []
    hook = module.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    run()
    hook.remove()
    return seen[-1]
