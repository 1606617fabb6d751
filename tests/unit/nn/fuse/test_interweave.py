"""Interweave (MGIPS-CL, 3.3) against a reference in plain loops, and on problems whose answer is known."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from openmie.errors import RecipeError
from openmie.nn.fuse.interweave import Interweave
from openmie.nn.streams import Stream
from openmie.recipe import check_part
from tests.fixtures.patch_binding import learnt

SMALL = Interweave(width=8, heads=2, dropout=0.0)
VARIANTS = [
    SMALL,
    replace(SMALL, layers=3),
    replace(SMALL, row=False),
    replace(SMALL, column=False),
    replace(SMALL, gate="scalar"),
    replace(SMALL, gate="none", layers=2),
    replace(SMALL, binding="token_map", column_pooling="position", token_map_lengths=(5, 6), rescaled=False),
    replace(SMALL, binding="token_map", token_map_lengths=(3, 2), layers=2),
    replace(SMALL, column_pooling="position", token_map_lengths=(3, 2)),
]
IDS = ["full", "L=3", "column", "row", "scalar", "no gate", "as printed", "short map", "short places"]


def streams(text=(4, 1, 3), vision=(5, 6, 2), widths=(6, 7), seed=0, noise=0.0):
    """Random words and patches in float64; `noise` stands where there is padding."""
    g = torch.Generator().manual_seed(seed)
    made = {}
    for role, lengths, width in zip(("text", "vision"), (text, vision), widths):
        n = torch.tensor(lengths)
        mask = torch.arange(max(1, max(lengths))) < n[:, None]
        tokens = torch.randn(*mask.shape, width, generator=g, dtype=torch.float64)
        made[role] = Stream(torch.where(mask[..., None], tokens, noise), mask)
    return made


def built(part, widths=(6, 7)):
    torch.manual_seed(1)
    return part.build(dict(zip(("text", "vision"), widths))).double().eval()


# -- the reference: lists of floats, one document at a time


def linear(x, layer):
    bias = [0.0] * len(layer.weight) if layer.bias is None else layer.bias.tolist()
    return [sum(w * v for w, v in zip(row, x)) + b for row, b in zip(layer.weight.tolist(), bias)]


def layer_norm(x, layer):
    mean = sum(x) / len(x)
    spread = math.sqrt(sum((v - mean) ** 2 for v in x) / len(x) + layer.eps)
    return [(v - mean) / spread * w + b for v, w, b in zip(x, layer.weight.tolist(), layer.bias.tolist())]


def softmax(x):
    top = max(x)
    raised = [math.exp(v - top) for v in x]
    return [v / sum(raised) for v in raised]


def gelu(x):
    return [v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x]


def mapped(m, own, kept, at):
    """f_1 as a linear layer over the token axis: what is beyond its two lengths is not read, and gets zero."""
    table, bias = m.token_map.map.weight.tolist(), m.token_map.map.bias.tolist()
    found = []
    for n in range(len(own)):
        if n >= m.token_map.target:
            found.append([0.0] * len(at))
            continue
        read = kept[: m.token_map.source]
        found.append(gelu([bias[n] + sum(table[n][k] * y[i] for k, y in enumerate(read)) for i in at]))
    return found


def excavate(m, own, other):
    """MGE of one document's own rows and the other side's, both without padding."""
    e = m.output.weight.shape[1]
    size = e // m.heads
    asked = [linear(layer_norm(x, m.norm1), m.attention.query if m.attends else m.own) for x in own]
    kept = [linear(layer_norm(y, m.other_norm), m.attention.key_value if m.attends else m.value) for y in other]
    mined = [[0.0] * e for _ in own]
    for h in range(m.heads):
        at = range(h * size, (h + 1) * size)
        heard, matrix = [] if m.attends else mapped(m, own, kept, at), []
        for n, x in enumerate(asked):
            if m.attends:
                weights = softmax([sum(x[i] * k[i] for i in at) / math.sqrt(size) for k in kept])
                heard.append([sum(w * k[e + i] for w, k in zip(weights, kept)) for i in at])
            matrix.append([heard[n][j] * x[(e if m.attends else 0) + i] for j, i in enumerate(at)])
        total = [[0.0] * size for _ in own]
        if m.row is not None:
            w3 = m.row[h].flatten().tolist()
            rows = softmax([sum(a * b for a, b in zip(r, w3)) for r in matrix])
            total = [[t + r * (len(own) if m.rescaled else 1) for t in ts] for ts, r in zip(total, rows)]
        if m.column is not None:
            w4 = m.column[h].flatten().tolist()
            token = softmax([sum(a * b for a, b in zip(r, w4)) for r in matrix])
        if m.places is not None:
            token = [*m.places.tolist(), *[0.0] * len(own)][: len(own)]
        if m.column is not None or m.places is not None:
            columns = softmax([sum(t * r[j] for t, r in zip(token, matrix)) for j in range(size)])
            total = [[t + c * (size if m.rescaled else 1) for t, c in zip(ts, columns)] for ts in total]
        for n in range(len(own)):
            for j, i in enumerate(at):
                mined[n][i] = total[n][j] * heard[n][j]
    result = []
    for x, v in zip(own, mined):
        u = linear(v, m.output)
        inner = gelu(linear(layer_norm([a + b for a, b in zip(x, u)], m.norm2), m.ffn.hidden))
        result.append([a + b for a, b in zip(u, linear(inner, m.ffn.output))])
    return result


def add(a, b):
    return [[x + y for x, y in zip(r, s)] for r, s in zip(a, b)]


def reference(module, words, patches):
    """One document -> z, X_{L+1}, as lists of rows."""
    x, t = patches, words
    if not isinstance(module.input_projection, nn.Identity):
        x = [layer_norm(linear(p, module.input_projection[0]), module.input_projection[1]) for p in patches]
    for _ in range(module.layers if words and patches else 0):
        x = add(x, excavate(module.image_guided, x, t))
        t = add(t, excavate(module.text_guided, t, x))
    if words and patches:
        x = add(x, excavate(module.image_guided, x, t))
    if module.gate is None:
        return t, x
    z = []
    for before, after in zip(words, t):
        sums = [a + b for a, b in zip(linear(after, module.gate.after), linear(before, module.gate.before))]
        i = [1 / (1 + math.exp(-v)) for v in sums]
        i = i * len(before) if len(i) == 1 else i
        z.append([g * h + (1 - g) * a for g, h, a in zip(i, before, after)])
    return z, x


@pytest.mark.parametrize("part", VARIANTS, ids=IDS)
@pytest.mark.parametrize("widths", [(6, 7), (6, 6)], ids=["inlet", "as wide"])
def test_equals_the_reference_in_loops(part, widths):
    """Documents of unequal lengths, one without an image and one without a word, in one batch."""
    s = streams((4, 1, 3, 2, 0), (5, 6, 2, 0, 3), widths, noise=50.0)
    module = built(part, widths)
    made = module(s)
    for b in range(5):
        rows = [s[r].tokens[b][s[r].mask[b]].tolist() for r in ("text", "vision")]
        for role, expected in zip(("fused", "vision"), reference(module, *rows)):
            got = made[role].tokens[b][made[role].mask[b]].tolist()
            assert len(got) == len(expected)
            for x, y in zip(got, expected):
                assert x == pytest.approx(y, abs=1e-9)


@pytest.mark.parametrize("part", VARIANTS, ids=IDS)
def test_does_not_see_padding(part):
    s, module = streams(), built(part)
    longer = {}
    for role, x in s.items():
        mask = F.pad(x.mask, (2, 3))
        tokens = torch.full((*mask.shape, x.width), 7.0, dtype=torch.float64)
        tokens[mask] = x.tokens[x.mask]
        longer[role] = Stream(tokens, mask)
    a, b = module(s), module(longer)
    for role in ("fused", "vision"):
        torch.testing.assert_close(a[role].tokens[a[role].mask], b[role].tokens[b[role].mask])


@pytest.mark.parametrize("part", VARIANTS, ids=IDS)
def test_words_without_an_image_pass_unchanged(part):
    """z = H to the bit, forward and backward finite; beside a document that has one."""
    s, module = streams(vision=(0, 6, 0), noise=3.0), built(part).train()
    z = module(s)["fused"].tokens
    assert torch.equal(z[[0, 2]], s["text"].tokens[[0, 2]]) and not torch.equal(z[1], s["text"].tokens[1])
    z.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in module.parameters())
    none = streams(vision=(0, 0, 0))
    assert torch.equal(module(none)["fused"].tokens, none["text"].tokens)


@pytest.mark.parametrize("text", [1, 2, 9])
@pytest.mark.parametrize("vision", [1, 3, 12])
def test_takes_any_length(text, vision):
    s = streams((text, 1), (vision, 1))
    s["vision"] = replace(s["vision"], groups=torch.zeros(2, vision).long(), whole=torch.zeros(2, 7))
    module = built(SMALL)
    made = module(s)
    assert made["fused"].tokens.shape == (2, text, 6) and made["vision"].tokens.shape == (2, vision, 6)
    assert module.widths == {"fused": 6, "vision": 6} and SMALL.makes() == {"fused", "vision"}
    assert made["vision"].whole is None and made["vision"].groups is s["vision"].groups
    assert made["text"] is s["text"]


def test_other_roles_may_be_read():
    s = streams()
    part = replace(SMALL, input_stream="context", modality="objects")
    module = part.build({"context": 6, "objects": 7}).double().eval()
    made = module({"context": s["text"], "objects": s["vision"]})
    assert set(made) == {"context", "objects", "fused"} == part.needs() | part.makes()


def test_layers_share_their_excavators_and_the_image_is_guided_once_more():
    sizes = set()
    for layers in (1, 2, 4):
        module, calls = built(replace(SMALL, layers=layers)), []
        sizes.add(sum(p.numel() for p in module.parameters()))
        for part in (module.image_guided, module.text_guided):
            part.register_forward_hook(lambda part, *_, calls=calls: calls.append(part))
        module(streams())
        assert calls == [module.image_guided, module.text_guided] * layers + [module.image_guided]
    assert len(sizes) == 1


@pytest.mark.parametrize("part", VARIANTS, ids=IDS)
def test_every_parameter_learns_from_the_words_alone(part):
    s, module = streams(), built(part).train()
    (module(s)["fused"].tokens[s["text"].mask] ** 2).sum().backward()
    for name, p in module.named_parameters():
        assert p.grad is not None and p.grad.abs().sum() > 1e-9, name
    built_for = {n.split(".")[-1] for n, _ in module.named_parameters()}
    column = {"attention": "column", "position": "places"}[part.column_pooling]
    assert ("row" in built_for, column in built_for) == (part.row, part.column)


def test_gradient_is_that_of_differences():
    s = streams((2, 1), (3, 2))
    module = built(SMALL)

    def f(text, vision):
        made = module({"text": Stream(text, s["text"].mask), "vision": Stream(vision, s["vision"].mask)})
        return made["fused"].tokens[s["text"].mask], made["vision"].tokens[s["vision"].mask]

    torch.autograd.gradcheck(f, [s[r].tokens.clone().requires_grad_() for r in ("text", "vision")])


def test_a_gate_that_is_shut_keeps_the_words():
    s, module = streams(), built(SMALL)
    with torch.no_grad():
        module.gate.after.bias.fill_(60.0)
        torch.testing.assert_close(module(s)["fused"].tokens, s["text"].tokens)
        module.gate.after.bias.fill_(-60.0)
        open_ = module(s)["fused"].tokens
        module.gate = None
        torch.testing.assert_close(module(s)["fused"].tokens, open_)


def test_what_cannot_be_built_is_an_error():
    with pytest.raises(RecipeError, match="Expected"):
        check_part(replace(SMALL, row=False, column=False))


# -- a word's class is told by the patch that carries the word's key, or else by the word itself


@pytest.mark.parametrize("change", [{}, {"row": False}, {"column": False}], ids=["full", "column", "row"])
def test_learns_which_patch_a_word_belongs_to(change):
    """Chance is 25%."""
    told, _ = learnt(Interweave(width=32, heads=2, dropout=0.0, **change), noise=0.0)
    assert told >= 0.95


def test_the_printed_map_does_not_learn_it():
    """Each row of the map is one mixture for all documents, whatever the words ask: patches in any order stay."""
    printed = Interweave(
        width=32,
        heads=2,
        dropout=0.0,
        binding="token_map",
        column_pooling="position",
        token_map_lengths=(6, 12),
        rescaled=False,
    )
    told, _ = learnt(printed, noise=0.0)
    assert 0.2 <= told <= 0.5


def test_learns_when_to_trust_the_image():
    """A third of the images are of other things; the words say then what they are."""
    told, odd = learnt(Interweave(width=32, heads=2, dropout=0.0), noise=1 / 3, steps=250)
    assert told >= 0.95 and odd >= 0.95
