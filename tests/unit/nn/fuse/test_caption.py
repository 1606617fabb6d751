"""Caption (CAMIM, 3.2) against a reference in plain loops, and on problems whose answer is known."""

import json
import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from openmie.errors import RecipeError
from openmie.nn.fuse.caption import Caption
from openmie.nn.fuse.cross import Cross
from openmie.nn.ops import masked_mean
from openmie.nn.streams import Stream, by_group
from openmie.recipe import check, check_part, dump, load
from tests.fixtures.small import documents, recipe

PAIRS = (("vision", "context"), ("objects", "context"), ("generated", "text"))
SMALL = Caption(pairs=PAIRS, dropout=0.0)
VARIANTS = [
    SMALL,
    replace(SMALL, heads=2),
    replace(SMALL, sentence=False),
    replace(SMALL, word=False),
    replace(SMALL, keep="image"),
    replace(SMALL, keep="image", sentence=False, heads=3),
]
IDS = ["full", "h=2", "W", "S", "side", "W side h=3"]
WIDTHS = {"text": 6, "context": 6, "vision": 5, "objects": 5, "generated": 7}
LENGTHS = {  # of five documents: one without image, one without words, one with neither
    "text": (4, 1, 3, 0, 0),
    "context": (3, 5, 2, 0, 0),
    "vision": (4, 2, 0, 3, 0),
    "generated": (1, 3, 0, 2, 0),
}
OBJECTS = ([0, 0, 0, 2, 2, 2], [1, 1], [], [0, 1, 2, 2], [])  # the object of each token


def streams(noise=0.0, ahead=0, behind=0, seed=0):
    """Random streams in float64; `noise` stands in the padding, of which there may be more `ahead` and `behind`."""
    g = torch.Generator().manual_seed(seed)
    made = {}
    for role, width in WIDTHS.items():
        lengths = LENGTHS.get(role) or [len(x) for x in OBJECTS]
        mask = F.pad(torch.arange(max(lengths)) < torch.tensor(lengths)[:, None], (ahead, behind))
        tokens = torch.full((*mask.shape, width), noise, dtype=torch.float64)
        tokens[mask] = torch.randn(int(mask.sum()), width, generator=g, dtype=torch.float64)
        groups = torch.full(mask.shape, 9 if noise else 0)
        groups[mask] = torch.tensor([o for each in OBJECTS for o in each]) if role == "objects" else 0
        relevance = torch.tensor([0.1, 0.2, float("nan"), 0.4, 0.5])
        made[role] = Stream(tokens, mask, groups if role != "text" else None, relevance=relevance)
    return made


def built(part, widths=WIDTHS):
    torch.manual_seed(1)
    return part.build(dict(widths)).double().eval()


def real(stream):
    return [t[m].tolist() for t, m in zip(stream.tokens, stream.mask)]


# -- the reference: lists of floats, one document, one object, one token at a time


def linear(x, weight, bias=None):
    bias = [0.0] * len(weight) if bias is None else bias.tolist()
    return [sum(w * v for w, v in zip(row, x)) + b for row, b in zip(weight.tolist(), bias)]


def dense(x, layer):
    return linear(x, layer.weight, layer.bias)


def mlp(x, layers):
    return dense([math.tanh(v) for v in dense(x, layers.hidden)], layers.output)


def add(a, b):
    return [x + y for x, y in zip(a, b)]


def norm(x):
    mean = sum(x) / len(x)
    spread = math.sqrt(sum((v - mean) ** 2 for v in x) / len(x) + 1e-5)
    return [(v - mean) / spread for v in x]


def average(rows):
    return [sum(column) / len(rows) for column in zip(*rows)]


def hears(asks, tells, layer, heads):
    """softmax(q k / sqrt(d)) v of the rows `asks` over the rows `tells`; zero where nobody tells."""
    d = len(layer.weight) // 3
    weights, biases = layer.weight.split(d), layer.bias.split(d)
    q = [linear(x, weights[0], biases[0]) for x in asks]
    k, v = ([linear(x, weights[i], biases[i]) for x in tells] for i in (1, 2))
    size, heard = d // heads, []
    for asked in q:
        row = []
        for h in range(heads):
            at = range(h * size, (h + 1) * size)
            raised = [math.exp(sum(asked[i] * known[i] for i in at) / math.sqrt(size)) for known in k]
            row += [sum(r * told[i] for r, told in zip(raised, v)) / sum(raised) if raised else 0.0 for i in at]
        heard.append(row)
    return heard


def enter(module, x):
    layer = module.input_projection[str(len(x))]
    return x if isinstance(layer, nn.Identity) else dense(x, layer)


def aligned(module, part, regions, words):
    """Eq. 5-11 of one image and its words, lists of rows -> rows of O_F."""
    d = module.output[0].weight.shape[0]
    x, c = [enter(module, v) for v in regions], [enter(module, w) for w in words]
    if part.sentence:
        s = average(c) if c else [0.0] * d
        joint = torch.cat([module.sentence.region.weight, module.sentence.sentence.weight], 1)  # Linear([v ; S])
        x = [linear(v + s, joint, module.sentence.region.bias) for v in x]
    x = [mlp(v, module.region_mlp) for v in x]
    if part.word:
        c, att, h = [mlp(w, module.word_mlp) for w in c], module.attention, part.heads
        inner, cross = att.self_attention.query_key_value, att.cross_attention.query_key_value
        own, other = (
            [add(a, b) for a, b in zip(hears(p, p, inner, h), hears(p, q, cross, h))] for p, q in ((x, c), (c, x))
        )
    else:
        own, other = x, []
    outs = [[dense(norm(row), module.output[0]) for row in half] for half in (own, other)]
    regions, words = ([[v if v > 0 else math.expm1(v) for v in row] for row in half] for half in outs)
    return [*regions, *(words if part.keep == "both" else [])]


@pytest.mark.parametrize("part", VARIANTS, ids=IDS)
def test_equals_the_reference_in_loops(part):
    """Documents of unequal lengths, without image, without words and without either, in one batch."""
    s = streams(noise=50.0)
    module = built(part)
    made = module(s)
    for side, role in PAIRS:
        for b, (rows, words) in enumerate(zip(real(s[side]), real(s[role]))):
            got = made[side].tokens[b][made[side].mask[b]].tolist()
            if side == "objects":
                each = {o: [r for r, g in zip(rows, OBJECTS[b]) if g == o] for o in sorted(set(OBJECTS[b]))}
                expected = [average(aligned(module, part, rows, words)) for rows in each.values()]
                assert made[side].mask[b].nonzero().flatten().tolist() == list(each)
            else:
                expected = aligned(module, part, rows, words)
            assert len(got) == len(expected)
            for x, y in zip(got, expected):
                assert x == pytest.approx(y, abs=1e-9)


@pytest.mark.parametrize("part", VARIANTS, ids=IDS)
@pytest.mark.parametrize(("ahead", "behind"), [(0, 3), (2, 1)])
def test_does_not_see_padding(part, ahead, behind):
    a, b = built(part)(streams()), built(part)(streams(7.0, ahead, behind))
    for side, _ in PAIRS:
        assert torch.equal(a[side].mask.sum(1), b[side].mask.sum(1))
        torch.testing.assert_close(a[side].tokens[a[side].mask], b[side].tokens[b[side].mask])


@pytest.mark.parametrize("part", VARIANTS, ids=IDS)
def test_a_document_does_not_depend_on_its_neighbours(part):
    s, module, order = streams(), built(part), torch.tensor([3, 1, 4, 0, 2])
    turned = {r: replace(x, **{k: getattr(x, k)[order] for k in ("tokens", "mask", "present")}) for r, x in s.items()}
    turned["objects"] = replace(turned["objects"], groups=s["objects"].groups[order])
    made, other = module(s), module(turned)
    for side, _ in PAIRS:
        alone = [other[side].tokens[b][other[side].mask[b]] for b in order.argsort()]
        for b, expected in enumerate(alone):
            torch.testing.assert_close(made[side].tokens[b][made[side].mask[b]], expected)


@pytest.mark.parametrize("part", VARIANTS, ids=IDS)
def test_objects_are_aligned_as_an_image_of_their_own(part):
    """Each object equals the mean of what `vision` would become, were the object the whole image."""
    s, module = streams(), built(part)
    one = built(replace(part, pairs=(("objects", "context"),), objects=()), WIDTHS)
    one.load_state_dict(module.state_dict(), strict=False)
    made = module(s)["objects"]
    assert made.groups.tolist() == [[0, 1, 2]] * 5 and made.mask.tolist() == [
        [True, False, True],
        [False, True, False],
        [False] * 3,
        [True] * 3,
        [False] * 3,
    ]
    for o in range(3):
        only = replace(s["objects"], mask=s["objects"].mask & (s["objects"].groups == o))
        whole = one({**s, "objects": only})["objects"]
        there = only.mask.any(1)
        torch.testing.assert_close(made.tokens[there, o], masked_mean(whole.tokens, whole.mask)[there])


def test_a_role_is_taken_object_by_object_only_where_it_is_told():
    s = streams()
    module = built(replace(SMALL, objects=("generated",)))
    made = module(s)
    assert made["objects"].tokens.shape == (5, 6 + 5, 6) and made["generated"].tokens.shape == (5, 1, 6)
    s["generated"] = replace(s["generated"], groups=None)  # as where no document of a batch has it: one object
    torch.testing.assert_close(module(s)["generated"].tokens, made["generated"].tokens)


def test_what_stands_in_the_streams():
    s, module = streams(), built(SMALL)
    s["vision"] = replace(s["vision"], whole=torch.ones(5, 5), levels=torch.ones(3, 5, 4, 5))
    made = module(s)
    assert made["text"] is s["text"] and made["context"] is s["context"] and set(made) == set(s)
    assert module.widths == {"vision": 6, "objects": 6, "generated": 6}
    assert SMALL.needs() == set(WIDTHS) and SMALL.makes() == {"vision", "objects", "generated"}
    vision = made["vision"]
    assert vision.whole is None and vision.levels is None and vision.groups is None
    assert vision.mask.tolist() == torch.cat([s["vision"].mask, s["context"].mask], 1).tolist()
    for side in module.widths:  # a document has an image or not, whatever the words say
        assert torch.equal(made[side].present, s[side].present)
        assert made[side].relevance is s[side].relevance
    side = built(replace(SMALL, keep="image"))(s)["vision"]
    assert torch.equal(side.mask, s["vision"].mask) and side.groups is s["vision"].groups


def test_without_image_the_words_stay_and_without_words_the_regions():
    s, module = streams(), built(SMALL)
    vision = module(s)["vision"]
    assert [int(m.sum()) for m in vision.mask] == [4 + 3, 2 + 5, 0 + 2, 3 + 0, 0]
    odd = {
        **s,
        "vision": replace(s["vision"], tokens=s["vision"].tokens * torch.tensor([1, 1, 5, 1, 5])[:, None, None]),
    }
    torch.testing.assert_close(module(odd)["vision"].tokens[2][4:6], vision.tokens[2][4:6])
    loud = {**s, "context": replace(s["context"], tokens=s["context"].tokens + 3.0 * ~s["context"].mask[..., None])}
    torch.testing.assert_close(module(loud)["vision"].tokens[3][:3], vision.tokens[3][:3])


@pytest.mark.parametrize("b", [0, 2])
@pytest.mark.parametrize("part", VARIANTS, ids=IDS)
def test_an_empty_batch_and_one_without_anything(part, b):
    module = built(part).train()
    mask = torch.zeros(b, 1, dtype=torch.bool)
    none = {r: Stream(torch.zeros(b, 1, w, dtype=torch.float64), mask) for r, w in WIDTHS.items()}
    made = module(none)
    assert all(not made[side].mask.any() and made[side].tokens.isfinite().all() for side, _ in PAIRS)
    sum(made[side].tokens.sum() for side, _ in PAIRS).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in module.parameters())


@pytest.mark.parametrize("part", VARIANTS, ids=IDS)
@pytest.mark.parametrize("side", [*WIDTHS][2:])
def test_every_parameter_learns_from_each_pair_and_none_is_idle(part, side):
    """Only the inlet of another width gets nothing; what an ablation leaves out is not built."""
    s, module = streams(), built(part)
    made = module(s)[side]
    (made.tokens[made.mask] ** 2).sum().backward()
    for name, p in module.named_parameters():
        if name.startswith("input_projection") and f".{WIDTHS[side]}." not in name:
            assert p.grad is None, name
        else:
            assert p.grad is not None and p.grad.abs().sum() > 1e-9, name
    parts = {name for name, child in module.named_children() if child is not None and [*child.parameters()]}
    expected = {"input_projection", "region_mlp", "output"} | ({"sentence"} if part.sentence else set())
    assert parts == expected | ({"word_mlp", "attention"} if part.word else set())


def test_pairs_share_all_weights():
    def size(**change):
        return sum(p.numel() for p in built(replace(SMALL, **change), dict.fromkeys(WIDTHS, 6)).parameters())

    assert size() == size(pairs=PAIRS[:1]) and size() > size(word=False) and size() > size(sentence=False)
    # as the release counts at a width of D: Linear(2 D, D), two MLPs, six q, k, v, and the last linear layer
    assert size() == (12 * 6 + 6) + 2 * (6 * 12 + 12 + 12 * 6 + 6) + 6 * (36 + 6) + (36 + 6)
    roles = {f"{k}.{p}" for k in ("5", "7") for p in ("weight", "bias")}
    assert {n for n, _ in built(SMALL).input_projection.named_parameters()} == roles


@pytest.mark.slow
def test_gradient_is_that_of_differences():
    s = streams()
    module = built(SMALL)

    def f(*tokens):
        made = module({r: replace(x, tokens=t) for (r, x), t in zip(s.items(), tokens)})
        return tuple(made[side].tokens[made[side].mask] for side, _ in PAIRS)

    torch.autograd.gradcheck(f, [x.tokens.clone().requires_grad_() for x in s.values()])


def test_dropout_is_that_of_training():
    s, module = streams(), built(replace(SMALL, dropout=0.3))
    torch.testing.assert_close(module(s)["vision"].tokens, built(SMALL)(s)["vision"].tokens)
    module.train()
    made = module(s)["vision"]
    assert 0.2 < (made.tokens[made.mask] == 0).double().mean() < 0.4  # ELU(0) = 0
    assert not torch.equal(made.tokens, module(s)["vision"].tokens)


def test_groups_in_any_order():
    tokens = torch.arange(12.0).view(2, 6, 1)
    groups = torch.tensor([[2, 0, 2, 0, 0, 7], [1, 7, 1, 7, 7, 7]])
    each, mask = by_group(Stream(tokens, groups < 7, groups))
    assert mask.tolist() == [[[1, 1, 1], [0, 0, 0], [1, 1, 0]], [[0, 0, 0], [1, 1, 0], [0, 0, 0]]]
    assert each[mask].flatten().tolist() == [1, 3, 4, 0, 2, 6, 8]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sentence": False, "word": False}, "word=False"),
        ({"pairs": ()}, "pairs"),
        ({"pairs": (("vision", "context"), ("vision", "text"))}, "each modality in one"),
        ({"heads": 4}, "4 heads in a width of 6"),
    ],
)
def test_what_cannot_be_built_is_an_error(change, words):
    with pytest.raises(RecipeError, match=words):
        check_part(replace(SMALL, **change)).build(dict(WIDTHS))


# -- in a recipe


def captioned(*fuse, **changes):
    return replace(recipe("ner", "", encode__context="c", encode__objects="2", **changes), fuse=fuse)


def test_stands_in_a_recipe_before_another_fusion():
    from openmie.model.pretrained import Model

    sides = (("vision", "context"), ("objects", "context"))
    full = captioned(Caption(pairs=sides, keep="image"), Cross(modalities=("vision", "objects")))
    assert load(json.dumps(dump(full))) == full and check(full) is full
    torch.manual_seed(0)
    model = Model.new(full)
    batch = model.featurizer.collate(model.featurizer.featurize(documents(4, every=3), gold=True))
    output = model.extractor(batch)
    output.total.backward()
    for name, p in model.extractor.fuse.named_parameters():
        assert p.grad is not None and p.grad.isfinite().all(), name
    b, width = 4, output.streams["text"].width
    assert output.streams["vision"].tokens.shape[::2] == (b, width)
    assert output.streams["fused"].tokens.shape == output.streams["text"].tokens.shape


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (Caption(pairs=(("generated", "text"),)), "generated"),
        (Caption(pairs=(("vision", "phrases"),)), "phrases"),
        (Caption(keep="words"), "fuse.0.keep"),
        (Caption(heads=0), "fuse.0.heads"),
        (Caption(dropout=1.5), "fuse.0.dropout"),
    ],
)
def test_a_recipe_is_refused(part, words):
    with pytest.raises(RecipeError, match=words):
        check(captioned(part, Cross()))


# -- which region matters is told by the words alone: what may be learnt from them is known

CODES, WIDTH = 4, 16


class Told:
    """Images of four things, each with another of four codes; asked is the code of the thing that the caption is about.

    `told`: `mention`: the caption is that thing's name alone. `mark`: it names all four, and one name bears a mark, so
    that a mean of the words says nothing. `whole`: it is noise, and only its encoder's state of the whole has the name.
    """

    def __init__(self, told):
        self.draw, self.told = torch.Generator().manual_seed(0), told
        self.names = 8 * torch.eye(CODES, 12)

    def _order(self, n):
        return torch.rand(n, CODES, generator=self.draw).argsort(1)

    def __call__(self, n):
        things, codes, order = self._order(n), self._order(n), self._order(n)
        asked, row = torch.randint(0, CODES, (n,), generator=self.draw), torch.arange(n)
        name = F.pad(self.names[things[row, asked]], (0, WIDTH - 12))
        words, whole = name[:, None], None
        if self.told == "mark":
            mark = 8 * F.one_hot(asked, CODES)[..., None].expand(-1, -1, WIDTH - 12)
            words = torch.cat([self.names[things], mark], -1)[row[:, None], order]
        if self.told == "whole":
            words, whole = torch.randn(n, 2, WIDTH, generator=self.draw), name
        regions = torch.cat([self.names[things], 8 * F.one_hot(codes, CODES)], -1)
        made = {"vision": Stream(regions, torch.ones(n, CODES, dtype=torch.bool))}
        made["context"] = Stream(words, torch.ones(words.shape[:2], dtype=torch.bool), whole=whole)
        return made, codes[row, asked]


def without(stream):
    return Stream(stream.tokens, torch.zeros_like(stream.mask))


def learnt(part, told, steps, silent=False):
    """Accuracy on fresh images, read linearly off the mean of the stream."""
    torch.manual_seed(0)
    problem = Told(told)
    fuse, head = part.build({"vision": 16, "context": WIDTH}), nn.Linear(WIDTH, CODES)
    optimizer = torch.optim.Adam([*fuse.parameters(), *head.parameters()], 3e-3)

    def answers(n):
        s, codes = problem(n)
        made = fuse({**s, "context": without(s["context"])} if silent else s)
        return head(made["vision"].pooled), codes

    for _ in range(steps):
        loss = F.cross_entropy(*answers(64))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    fuse.eval()
    with torch.no_grad():
        found, codes = answers(1000)
    return (found.argmax(-1) == codes).float().mean().item()


LEVELS = {
    "full": Caption(dropout=0.0),
    "W": Caption(dropout=0.0, sentence=False),
    "S": Caption(dropout=0.0, word=False),
}


@pytest.mark.parametrize("level", LEVELS)
def test_learns_which_region_the_caption_is_about(level):
    """Chance is 25%."""
    assert learnt(LEVELS[level], "mention", steps=300) >= 0.9


@pytest.mark.parametrize(("level", "told"), [("full", "mark"), ("W", "mark"), ("full", "whole"), ("S", "whole")])
def test_learns_what_its_level_is_told(level, told):
    assert learnt(LEVELS[level], told, steps=700 if told == "mark" else 250) >= 0.9


@pytest.mark.parametrize(
    ("level", "told", "silent"),
    [("full", "mention", True), ("full", "mark", True), ("S", "mark", False), ("W", "whole", False)],
)
def test_what_it_is_not_told_stays_at_chance(level, told, silent):
    """Without captions, without the word level where the mean says nothing, without the sentence where words do."""
    assert 0.2 <= learnt(LEVELS[level], told, steps=250, silent=silent) <= 0.3


@pytest.mark.parametrize("pool", ["sum", "none"])
@pytest.mark.parametrize("keep", ["both", "image"])
def test_an_object_keeps_its_tokens_or_their_sum(pool, keep):
    """Object by object, as a module of `image` tokens alone gives them."""
    torch.manual_seed(0)
    b, o, v, c, d = 2, 3, 4, 5, 8
    mask = torch.ones(b, o * v, dtype=torch.bool)
    mask[1, v:] = False  # one object alone
    groups = torch.arange(o).repeat_interleave(v).expand(b, -1)
    objects = Stream(torch.randn(b, o * v, d), mask, groups)
    words = Stream(torch.randn(b, c, d), torch.ones(b, c, dtype=torch.bool))
    config = {"pairs": (("objects", "context"),), "keep": keep, "dropout": 0.0}
    module = Caption(**config, object_pool=pool).build({"objects": d, "context": d})
    out = module({"objects": objects, "context": words})["objects"]
    single = Caption(**config, objects=()).build({"objects": d, "context": d})
    single.load_state_dict(module.state_dict())
    n = v + (c if keep == "both" else 0)
    for row in range(b):
        for k in range(o if row == 0 else 1):
            one = Stream(objects.tokens[row : row + 1, k * v : (k + 1) * v], torch.ones(1, v, dtype=torch.bool))
            each = Stream(words.tokens[row : row + 1], words.mask[row : row + 1])
            slow = single({"objects": one, "context": each})["objects"].tokens[0]  # (N, D)
            fast = out.tokens[row, k * n : (k + 1) * n] if pool == "none" else out.tokens[row, k]
            assert torch.allclose(fast, slow if pool == "none" else slow.sum(0), atol=1e-6)
    assert out.mask.sum(1).tolist() == ([o * n, n] if pool == "none" else [o, 1])
