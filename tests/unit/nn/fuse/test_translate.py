"""Translate (TMR in CAMIM, 3.3) against a reference in plain loops, and on problems whose answer is known."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from openmie.errors import RecipeError
from openmie.nn.align.align import Align
from openmie.nn.align.infonce import InfoNCE
from openmie.nn.decode.tags import Crf
from openmie.nn.encode.dual import Dual, Vision
from openmie.nn.fuse.translate import Translate
from openmie.nn.streams import Stream, empty
from openmie.recipe import Recipe, check, check_part

FULL = Translate(dropout=0.0)
VARIANTS = {
    "full": FULL,
    "sum": replace(FULL, pool="sum"),
    "objects ask words": replace(FULL, object_words="text", expansion=1),
    "no translation": replace(FULL, translated=()),
    "no objects": replace(FULL, original=("vision",), translated=("generated",)),
    "objects of one": replace(FULL, translated=("generated",)),
    "objects of the other": replace(FULL, original=("vision",), pool="sum"),
    "one image": replace(FULL, original=("vision",), translated=()),
}
EACH = pytest.mark.parametrize("part", VARIANTS.values(), ids=VARIANTS)
WIDTHS = {"text": 6, "phrases": 6, "vision": 7, "objects": 7, "generated": 7, "generated_objects": 7}
MIXED = {**WIDTHS, "vision": 5, "objects": 6}
IMAGES = ("vision", "generated")
WIDE = {r: 16 if w == 6 else 12 for r, w in WIDTHS.items()}
OBJECTS = ("objects", "generated_objects")
V = 2  # tokens that the batch keeps for an object

ALL = {"text": 4, "vision": 5, "objects": (2, 1, 2), "generated": 3, "generated_objects": (0, 2), "phrases": 3}
DOCUMENTS = [  # how many tokens each has, for objects those of each object
    ALL,
    ALL | {"text": 1, "vision": 0, "phrases": 1},
    ALL | {"objects": (), "vision": 1},
    ALL | {"generated": 0, "generated_objects": ()},
    ALL | {"phrases": 0, "objects": (1,)},
    {"text": 3},
    ALL | {"text": 0, "phrases": 0},
    ALL | {"vision": 0, "objects": (), "generated": 0},
]


def streams(documents=DOCUMENTS, widths=WIDTHS, seed=0, noise=0.0, extra=0):
    """Random tokens in float64; `noise` stands where there is padding, `extra` pads by so many tokens or objects."""
    g = torch.Generator().manual_seed(seed)
    made = {}
    for role, width in widths.items():
        counts = [d.get(role, 0) for d in documents]
        if role in OBJECTS:
            o = max([1, *(len(c or ()) for c in counts)]) + extra
            sizes = torch.tensor([[*(c or ()), *[0] * (o - len(c or ()))] for c in counts])
            mask = (torch.arange(V) < sizes[..., None]).flatten(1)
            groups = torch.arange(o).repeat_interleave(V).expand(len(documents), -1)
            groups = torch.where(mask, groups, 99 if noise else 0)
        else:
            mask, groups = torch.arange(max(1, *counts) + extra) < torch.tensor(counts)[:, None], None
        tokens = torch.full((*mask.shape, width), noise, dtype=torch.float64)
        tokens[mask] = torch.randn(int(mask.sum()), width, generator=g, dtype=torch.float64)
        made[role] = Stream(tokens, mask, groups)
    return made


def related(s, **given):
    """With the relevance of these roles."""
    return {**s, **{r: replace(s[r], relevance=torch.tensor(x, dtype=torch.float64)) for r, x in given.items()}}


def pick(s, order):
    order = torch.as_tensor(order)

    def of(x):
        return None if x is None else x[order]

    return {
        r: Stream(x.tokens[order], x.mask[order], of(x.groups), of(x.present), relevance=of(x.relevance))
        for r, x in s.items()
    }


def built(part, widths=WIDTHS):
    torch.manual_seed(1)
    return part.build(dict(widths)).double().eval()


# -- the reference: lists of floats, one document at a time


def linear(x, layer):
    bias = [0.0] * len(layer.weight) if layer.bias is None else layer.bias.tolist()
    return [sum(w * v for w, v in zip(row, x)) + b for row, b in zip(layer.weight.tolist(), bias)]


def layer_norm(x, layer):
    mean = sum(x) / len(x)
    spread = math.sqrt(sum((v - mean) ** 2 for v in x) / len(x) + layer.eps)
    return [(v - mean) / spread * w + b for v, w, b in zip(x, layer.weight.tolist(), layer.bias.tolist())]


def total(rows, d):
    return [sum(r[i] for r in rows) for i in range(d)]


def mean(rows, d):
    return [v / max(1, len(rows)) for v in total(rows, d)]


def ask(layer, rows, words, d, kind):
    """pool tanh(A(rows, words)) + tanh(pool rows); for objects the second is a mean."""
    pool = {"mean": mean, "sum": total}[kind[0]]
    heard = []
    for x in rows:
        q, sums, out = linear(x, layer.attention.query), 0.0, [0.0] * d
        for w in words:
            pair = linear(w, layer.attention.key_value)
            e = math.exp(sum(a * b for a, b in zip(q, pair[:d])) / math.sqrt(d))
            sums, out = sums + e, [o + e * v for o, v in zip(out, pair[d:])]
        heard.append([math.tanh(v / (sums or 1.0)) for v in out])
    rest = {"mean": mean, "sum": total}[kind[1]](rows, d)
    return [a + math.tanh(b) for a, b in zip(pool(heard, d), rest)]


def as_wide(module, rows, d):
    return [r if len(r) == d else linear(r, module.input_projection[str(len(r))]) for r in rows]


def weights(document, roles):
    """The shares of the roles that the document has: by relevance if that of each is known and any is above zero."""
    there = [r for r in roles if document[r]]
    given = [document.get(f"{r} relevance") for r in there]
    known = all(v is not None and math.isfinite(v) and v >= 0 for v in given) and sum(given) > 0
    raw = dict(zip(there, given)) if known else dict.fromkeys(there, 1.0)
    return [raw.get(r, 0.0) / sum(raw.values()) for r in roles]


def branch(module, part, document, roles, d):
    """O_final of one document, or None."""
    if not any(document[r] for r in roles):
        return None
    words = document["text"]
    rows = as_wide(module, document[roles[0]], d)
    state = ask(module.image_pool, rows, words, d, (part.pool, part.pool))
    shares = weights(document, roles)
    state = [shares[0] * v for v in state]
    if len(roles) > 1:
        one = [mean(as_wide(module, tokens, d), d) for tokens in document[roles[1]]]
        asked = document["phrases"] or words if part.object_words == "phrases" else words
        term = ask(module.object_pool, one, asked, d, (part.pool, "mean"))
        state = [a + shares[1] * b for a, b in zip(state, term)]
    return [math.tanh(v) for v in linear(state, module.branch_output)]


def reference(module, part, document):
    """One document {role: rows, for objects rows of each} -> fused rows, O_final, G_final (None where it has none)."""
    d = module.branch_output.out_features
    finals = [branch(module, part, document, roles, d) for roles in (part.original, part.translated) if roles]
    read = [f or [0.0] * d for f in finals]
    if part.object_words == "phrases" and (len(part.original) > 1 or len(part.translated) > 1):
        read = [(total if part.pool == "sum" else mean)(document["phrases"], d), *read]
    if part.final == "concat":
        return [[*w, *(v for r in read for v in r)] for w in document["text"]], *finals
    fused = []
    for w in document["text"]:
        states = linear([v for r in read for v in r], module.document_hidden)
        first = [a + b for a, b in zip(linear(w, module.word_hidden), states)]
        inner = [v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in first]
        fused.append(layer_norm([a + b for a, b in zip(w, linear(inner, module.output))], module.norm))
    return fused, *finals


def document(s, b):
    out = {}
    for role, x in s.items():
        rows, mask = x.tokens[b].tolist(), x.mask[b].tolist()
        out[role] = [r for r, m in zip(rows, mask) if m]
        if x.groups is not None:
            real = [g for g, m in zip(x.groups[b].tolist(), mask) if m]
            out[role] = [[r for r, g in zip(out[role], real) if g == o] for o in sorted(set(real))]
        elif role in OBJECTS:
            out[role] = [[r] for r in out[role]]
        out[f"{role} relevance"] = None if x.relevance is None else x.relevance[b].item()
    return out


def agrees(part, s, widths=WIDTHS):
    module = built(part, widths)
    made = module(s)
    for b in range(len(s["text"].mask)):
        rows, *finals = reference(module, part, document(s, b))
        got = made["fused"].tokens[b][made["fused"].mask[b]].tolist()
        assert len(got) == len(rows)
        for x, y in zip(got, rows):
            assert x == pytest.approx(y, abs=1e-9)
        for role, final in zip(("original", "generated"), finals):
            x = made[role]
            assert x.mask[b].tolist() == [final is not None] and x.present[b].item() == (final is not None)
            assert x.tokens[b, 0].tolist() == pytest.approx(final or [0.0] * 6, abs=1e-9)


@EACH
@pytest.mark.parametrize("widths", [WIDTHS, MIXED, dict.fromkeys(WIDTHS, 6)], ids=["one inlet", "mixed", "as wide"])
def test_equals_the_reference_in_loops(part, widths):
    """Documents that lack this or that, in one batch, with rubbish in the padding."""
    agrees(part, streams(widths=widths, noise=5.0), widths)


@EACH
def test_equals_the_reference_with_relevance(part):
    none = math.nan
    agrees(
        part,
        related(
            streams(noise=5.0),
            vision=[0.2, 0.5, none, 1.0, 3.0, 0.1, 0.0, none],
            objects=[-1.0, 0.4, 0.2, none, 0.9, 0.1, 2.0, 0.3],
            generated_objects=[none] * 8,
        ),
    )


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "objects ask words"])
def test_mlp_final_in_the_head_leaves_what_it_reads(name):
    """`fused` is [w ; P ; O_final ; G_final], by the same loops."""
    agrees(replace(VARIANTS[name], final="concat"), streams(noise=5.0))


def test_objects_of_one_token_need_no_groups():
    """As after a part that aligns each object: the same as its tokens, averaged by hand."""
    s, module = streams(noise=5.0), built(FULL)
    made, one = module(s), dict(s)
    for role in OBJECTS:
        rows = [[torch.tensor(o).mean(0) for o in document(s, b)[role]] for b in range(len(DOCUMENTS))]
        mask = torch.arange(3) < torch.tensor([len(r) for r in rows])[:, None]
        tokens = torch.full((len(rows), 3, 7), 4.0, dtype=torch.float64)
        tokens[mask] = torch.stack([o for r in rows for o in r]).double()
        one[role] = Stream(tokens, mask)
    agrees(FULL, one)
    for role in ("fused", "original", "generated"):
        torch.testing.assert_close(module(one)[role].tokens, made[role].tokens, atol=1e-6, rtol=1e-6)


@EACH
def test_does_not_see_padding(part):
    module = part.build(dict(WIDTHS)).eval()

    def made(s):
        return module({r: replace(x, tokens=x.tokens.float()) for r, x in s.items()})

    a, b = made(streams()), made(streams(extra=3, noise=9.0))
    for role in ("fused", *part.makes() - {"fused"}):
        assert torch.equal(a[role].present, b[role].present)
        x, y = (z[role].tokens[z[role].mask] for z in (a, b))
        torch.testing.assert_close(x, y, atol=1e-5, rtol=1e-5)


@EACH
def test_the_order_of_documents_does_not_matter(part):
    s = related(streams(), vision=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], generated=[math.nan, *[0.5] * 7])
    order, module = [3, 6, 0, 7, 1, 5, 2, 4], built(part)
    a, b = module(s), module(pick(s, order))
    for role in part.makes():
        for field in ("tokens", "mask", "present"):
            torch.testing.assert_close(getattr(a[role], field)[order], getattr(b[role], field))


@EACH
@pytest.mark.parametrize(
    "gone",
    [
        IMAGES,
        OBJECTS,
        ("vision", "objects"),
        ("generated", "generated_objects"),
        ("phrases",),
        (*IMAGES, *OBJECTS, "phrases"),
    ],
    ids="+".join,
)
def test_what_no_document_has_is_as_if_each_lacked_it(part, gone):
    """The one masked token that an encoder gives for it; finite forward and backward."""
    s = streams([{**d, **{r: () if r in OBJECTS else 0 for r in gone}} for d in DOCUMENTS])
    module = built(part).train()
    made = module({**s, **{r: empty(s["text"], WIDTHS[r]) for r in gone}})
    for role in part.makes():
        torch.testing.assert_close(made[role].tokens, module(s)[role].tokens)
    sum(made[r].tokens.sum() for r in part.makes()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in module.parameters())
    if set(part.original) <= set(gone):
        assert not made["original"].mask.any() and not made["original"].present.any()
        assert not made["original"].tokens.any()


@EACH
def test_every_parameter_learns_from_the_words_alone(part):
    s, module = streams(widths=MIXED), built(part, MIXED).train()
    (module(s)["fused"].tokens[s["text"].mask] ** 3).sum().backward()
    for name, p in module.named_parameters():
        assert p.grad is not None and p.grad.isfinite().all() and p.grad.abs().sum() > 1e-9, name


def test_gradient_is_that_of_differences():
    s, module = streams(DOCUMENTS[:3]), built(FULL)

    def f(text, vision, objects, phrases):
        given = {"text": text, "vision": vision, "objects": objects, "phrases": phrases}
        made = module({**s, **{r: replace(s[r], tokens=x) for r, x in given.items()}})
        return made["fused"].tokens[s["text"].mask], made["original"].tokens, made["generated"].tokens

    torch.autograd.gradcheck(
        f, [s[r].tokens.clone().requires_grad_() for r in ("text", *IMAGES[:1], "objects", "phrases")]
    )


@EACH
def test_needs_and_makes_follow_the_branches(part):
    s, module = streams(), built(part)
    made = module({r: s[r] for r in part.needs()})
    assert set(made) == part.needs() | part.makes() and set(module.widths) == part.makes()
    assert part.makes() == {"fused", "original"} | ({"generated"} if part.translated else set())
    for role, width in module.widths.items():
        assert made[role].tokens.shape == (8, 4 if role == "fused" else 1, width)
    for role in part.needs() - part.makes():
        assert made[role] is s[role]


def test_phrases_are_needed_where_objects_ask_them():
    assert "phrases" in FULL.needs() and "phrases" in replace(FULL, original=("vision",)).needs()
    for change in ({"object_words": "text"}, {"original": ("vision",), "translated": ("generated",)}):
        assert "phrases" not in replace(FULL, **change).needs()


@pytest.mark.parametrize(
    "change",
    [
        {"original": ()},
        {"original": ("vision", "objects", "generated")},
        {"translated": ("generated", "generated_objects", "vision")},
    ],
)
def test_too_many_or_too_few_roles_are_an_error(change):
    with pytest.raises(RecipeError, match="whole image"):
        check_part(replace(FULL, **change))


@pytest.mark.parametrize("change", [{"pool": "first"}, {"object_words": "context"}, {"expansion": 0}])
def test_what_a_recipe_may_not_say(change):
    part = Translate(**{"original": ("vision",), "translated": (), **change})
    with pytest.raises(RecipeError, match=next(iter(change))):
        check(Recipe(name="x", encode=Dual(vision=Vision()), fuse=(part,), heads=(Crf(labels=("A",)),)))


def test_one_inlet_for_all_images_of_one_width():
    assert set(built(FULL).input_projection) == {"7"}
    assert set(built(FULL, MIXED).input_projection) == {"5", "7"}
    assert not built(FULL, dict.fromkeys(WIDTHS, 6)).input_projection


def test_what_is_told_of_a_document_is_computed_once():
    module, shapes = built(FULL), []
    module.document_hidden.register_forward_hook(lambda _, given, out: shapes.append((given[0].shape, out.shape)))
    module(streams())
    assert shapes == [((8, 18), (8, 12))]


def test_takes_an_empty_batch_and_narrow_types():
    s, module = streams(), built(FULL)
    made = module(pick(s, torch.tensor([], dtype=torch.long)))
    assert made["fused"].tokens.shape == (0, 4, 6) and made["original"].tokens.shape == (0, 1, 6)
    for dtype in (torch.float32, torch.bfloat16):
        narrow = {r: replace(x, tokens=x.tokens.to(dtype), relevance=torch.ones(8)) for r, x in s.items()}
        made = module.to(dtype)(narrow)["fused"].tokens
        assert made.dtype == dtype and made.isfinite().all()


# -- relevance


def before_tanh(part, s, **relevance):
    """Linear(a whole + b objects) of the first document, O and G."""
    made = built(part)(related(s, **{r: [x] * 8 for r, x in relevance.items()}))
    return [made[r].tokens[0, 0].atanh() for r in ("original", "generated")]


@pytest.mark.parametrize("roles, at", [(("vision", "objects"), 0), (("generated", "generated_objects"), 1)])
def test_relevance_shares_a_branch_between_an_image_and_its_objects(roles, at):
    s = streams()
    plain = before_tanh(FULL, s)
    whole, parts = ({**s, role: empty(s["text"], 7)} for role in reversed(roles))
    alone = [before_tanh(FULL, x)[at] for x in (whole, parts)]
    torch.testing.assert_close(plain[at], (alone[0] + alone[1]) / 2)

    def mixed(a, b):
        return before_tanh(FULL, s, **dict(zip(roles, (a, b))))

    for a, b in ((1.0, 3.0), (0.25, 0.75), (2.0, 0.0)):
        torch.testing.assert_close(mixed(a, b)[at], (a * alone[0] + b * alone[1]) / (a + b))
        torch.testing.assert_close(mixed(a, b)[1 - at], plain[1 - at])
    for odd in (math.nan, math.inf, -1.0):  # unknown, and so the other says nothing either
        torch.testing.assert_close(mixed(odd, 0.2)[at], plain[at])
    torch.testing.assert_close(mixed(0.0, 0.0)[at], plain[at])
    assert (alone[0] - alone[1]).abs().max() > 1e-3
    for x, role in ((whole, roles[0]), (parts, roles[1])):  # one side alone has all of the branch
        torch.testing.assert_close(before_tanh(FULL, x, **{role: 1e-4})[at], before_tanh(FULL, x)[at])


# -- mutual information, eq. 20-22


def test_an_alignment_of_the_finals_is_the_papers_loss():
    """G predicts O among the O of the batch; documents that lack either are left out."""
    s, module = streams([*DOCUMENTS, ALL]), built(FULL)
    align = Align(
        first=("generated",), second=("original",), stage="fused", width=0, loss=InfoNCE(tau=1.0, symmetric=False)
    ).build(module.widths)
    made = module(s)
    aligned = align(made)
    ((_, loss),) = aligned.losses.values()
    finals = {
        r: [x for x, m in zip(made[r].tokens[:, 0].tolist(), made[r].mask[:, 0].tolist())]
        for r in ("original", "generated")
    }
    both = [b for b in range(9) if any(finals["original"][b]) and any(finals["generated"][b])]
    assert both == [0, 1, 2, 4, 6, 8] and aligned.num_pairs == len(both)

    def unit(x):
        norm = math.sqrt(sum(v * v for v in x))
        return [v / norm for v in x]

    terms = []
    for i in both:
        g = unit(finals["generated"][i])
        scores = {j: math.exp(sum(a * b for a, b in zip(g, unit(finals["original"][j])))) for j in both}
        terms.append(-math.log(scores[i] / sum(scores.values())))
    assert loss.item() == pytest.approx(sum(terms) / len(terms), abs=1e-9)
    loss.backward()
    assert module.image_pool.attention.query.weight.grad.abs().sum() > 0


def test_a_trained_stand_in_for_a_missing_image_is_read_but_not_aligned():
    s = streams([ALL, ALL])
    for role in ("vision", "objects"):
        s[role] = replace(s[role], present=torch.tensor([True, False]))
    made = built(FULL)(s)["original"]
    assert made.mask.all() and made.present.tolist() == [True, False] and made.tokens[1].any()


# -- a label that only both images together tell: whether they show the same


def problem(n, sides, g):
    """Each image, or one object of it among others, shows +c or -c; the words tell nothing."""
    shown = 2 * torch.randint(0, 2, (n, 2), generator=g) - 1
    s = {}
    for role, width in WIDE.items():
        tokens = 0.3 * torch.randn(n, 4, width, generator=g)
        if role in sides:
            at = torch.randint(0, 4, (n,), generator=g)
            tokens[torch.arange(n), at, :3] += 2.0 * shown[:, sides.index(role), None]
        s[role] = Stream(tokens, torch.ones(n, 4, dtype=torch.bool))
    return s, (shown[:, 0] == shown[:, 1]).long()


def learnt(part, sides, steps=150):
    torch.manual_seed(0)
    g = torch.Generator().manual_seed(0)
    fuse, head = part.build(dict(WIDE)), nn.Linear(16, 2)
    optimizer = torch.optim.Adam([*fuse.parameters(), *head.parameters()], 1e-2)
    for _ in range(steps):
        s, label = problem(64, sides, g)
        loss = F.cross_entropy(head(fuse(s)["fused"].tokens).flatten(0, 1), label.repeat_interleave(4))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        s, label = problem(1000, sides, g)
        found = head(fuse.eval()(s)["fused"].tokens).argmax(-1)
    return (found == label[:, None]).float().mean().item()


@pytest.mark.parametrize(
    "pool, sides", [("mean", IMAGES), ("mean", OBJECTS), ("mean", ("vision", "generated_objects")), ("sum", IMAGES)]
)
def test_every_word_learns_whether_both_images_show_the_same(pool, sides):
    """Chance is 50%; without the translation it stays there."""
    assert learnt(Translate(dropout=0.0, pool=pool), sides) >= 0.95


def test_one_branch_alone_cannot():
    assert learnt(Translate(dropout=0.0, translated=()), IMAGES) <= 0.6
