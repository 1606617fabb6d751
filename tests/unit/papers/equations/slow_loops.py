"""Equations in loops over single numbers: lists of 0-dim tensors, so that autograd gives the gradient of a loop too."""

import torch


def rows(x):
    """A tensor as nested lists of its numbers."""
    return x if x.dim() == 0 else [rows(y) for y in x.unbind(0)]


def number(value):
    return torch.tensor(float(value), dtype=torch.float64)


def total(values):
    found = number(0)
    for value in values:
        found = found + value
    return found


def dot(a, b):
    return total(x * y for x, y in zip(a, b, strict=True))


def add(*vectors):
    return [total(values) for values in zip(*vectors, strict=True)]


def scaled(factor, vector):
    return [factor * x for x in vector]


def mean(vectors):
    return scaled(1 / len(vectors), add(*vectors))


def each(function, vector):
    return [function(x) for x in vector]


def affine(weight, bias, x):
    """W x + b; a bias of None is none."""
    found = [dot(row, x) for row in weight]
    return found if bias is None else add(found, bias)


def linear(layer, x):
    """A torch.nn.Linear, by its own weights."""
    return affine(rows(layer.weight), None if layer.bias is None else rows(layer.bias), x)


def softmax(scores):
    powers = [x.exp() for x in scores]
    return [p / total(powers) for p in powers]


def cross_entropy(scores, label):
    return -softmax(scores)[label].log()


def relu(x):
    return x if float(x.detach()) > 0 else x * 0


def elu(x):
    return x if float(x.detach()) > 0 else x.exp() - 1


def attention(queries, keys, values, heads=1):
    """softmax(q k^T / sqrt(width of a head)) v, heads side by side."""
    size, found = len(queries[0]) // heads, []
    for q in queries:
        out = []
        for h in range(heads):
            part = slice(h * size, (h + 1) * size)
            weights = softmax([dot(q[part], k[part]) / size**0.5 for k in keys])
            out += add(*(scaled(w, v[part]) for w, v in zip(weights, values, strict=True)))
        found.append(out)
    return found


def layer_norm(x, eps=1e-5):
    """Without weights."""
    middle = total(x) / len(x)
    variance = total((y - middle) ** 2 for y in x) / len(x)
    return [(y - middle) / (variance + eps).sqrt() for y in x]


def stacked(nested):
    return torch.stack([stacked(x) for x in nested]) if isinstance(nested, list) else nested


def agree(fast, slow, leaves, tolerance=1e-6):
    """Value and gradient of both, the gradient of a random sum of the values; the largest differences of each."""
    slow = stacked(slow)
    assert fast.dtype == torch.float64 and fast.shape == slow.shape and fast.numel()
    generator = torch.Generator().manual_seed(5)
    weights = torch.randn(fast.shape, generator=generator, dtype=torch.float64)
    leaves = [x for x in leaves if x.requires_grad]
    one, two = (
        torch.autograd.grad((x * weights).sum(), leaves, allow_unused=True, retain_graph=True) for x in (fast, slow)
    )
    assert any(g is not None and g.abs().max() > 1e-3 for g in two), "nothing to compare"
    value, gradient = (fast - slow).abs().max().item(), 0.0
    for leaf, a, b in zip(leaves, one, two, strict=True):
        a, b = (torch.zeros_like(leaf) if g is None else g for g in (a, b))
        gradient = max(gradient, (a - b).abs().max().item())
    assert value < tolerance and gradient < tolerance, (value, gradient)
    return value, gradient


class Given(torch.nn.Module):
    """An encoder that gives these streams."""

    def __init__(self, found):
        super().__init__()
        self.found = found

    def forward(self, inputs):
        return self.found
