"""Denoised (M3D's DFFM) against loops over documents, heads and words, and in pieces."""

import math
from dataclasses import replace

import pytest
import torch

from openmie.errors import RecipeError
from openmie.nn import ops
from openmie.nn.fuse.denoised import Denoised, kl
from openmie.nn.layers import FRAME_CODE, sinusoidal_positions
from openmie.nn.streams import Stream
from openmie.recipe import check_part

SMALL = Denoised(latent=8, heads=2, hidden=6, ffn_width=4, dropout=0.0)
AS_RELEASED = replace(SMALL, project=False, own_keys=True, sigmoid=True, mix="scalar", pool="sum", norm=False)
AS_RELEASED = replace(AS_RELEASED, residual_norm="released", word_ffn=True, frame_table=2)
AS_PRINTED = replace(SMALL, variational=True, kl_weight=0.0, norm=False, residual_norm="none", frame_table=7)
VARIANTS = [
    SMALL,
    replace(SMALL, sigmoid=True, pool="sum"),
    replace(SMALL, own_keys=True),
    AS_RELEASED,
    replace(SMALL, variational=True),
    replace(SMALL, levels=2),
    replace(SMALL, norm=False),
    AS_PRINTED,
    replace(SMALL, residual_norm="none"),
    replace(SMALL, residual_norm="released", word_ffn=True),
]
IDS = ["default", "sigmoid", "own keys", "as released", "variational", "two levels", "not normed"]
IDS += ["as printed", "no layer norms", "the release's layer norms"]
FRAMES = torch.tensor([0, 0, 0, 1, 1, 2])


def streams(config=SMALL, text=(4, 1, 3, 0), vision=(6, 4, 0, 3), widths=(6, 6), layered=True):
    g = torch.Generator().manual_seed(0)
    made = {}
    for role, lengths, n, width in zip(("text", "vision"), (text, vision), (4, 6), widths):
        mask = torch.arange(n) < torch.tensor(lengths)[:, None]
        states = torch.randn(1 + config.levels, *mask.shape, width, generator=g, dtype=torch.float64)
        groups = FRAMES.expand(len(lengths), -1) if role == "vision" else None
        made[role] = Stream(states[0], mask, groups, levels=states[1:] if layered else None)
    return made


def built(config, widths=(6, 6)):
    torch.manual_seed(1)
    module = config.build({"text": widths[0], "vision": widths[1]}).double().eval()
    with torch.no_grad():
        positions = module.to_frames.positions
        (positions.table if config.frame_table else positions.map.weight).normal_()
    return module


def standard(x, eps=1e-5):
    centred = x - x.mean()
    return centred / (centred.square().mean() + eps).sqrt()


def norm(x, layer):
    return standard(x, layer.eps) * layer.weight + layer.bias


def linear(x, layer):
    return layer.weight @ x + layer.bias


def feed_forward(x, ffn):
    return linear(linear(x, ffn.hidden).clamp_min(0), ffn.output)


def place(config, positions, f):
    """H^p of frame f."""
    if config.frame_table:
        return positions.table[min(f, config.frame_table - 1)]
    code = sinusoidal_positions(3, FRAME_CODE, positions.map.weight.device).double()[f]
    return positions.map(code)


def encoded(code, x, before):
    x = x if before is None else before.weight @ x
    z = code.encoder2(code.encoder1(x).relu())
    return z[: len(z) // 2] if code.variational else z.relu()


def slow_level(config, level, own, keys, own_keys):
    """Eq. 8-10, one word after another: own (N, D), keys (M, D') -> (N, D)."""
    q = [encoded(level.auto_encoder, x, None) for x in own]
    k = [encoded(level.auto_encoder, x, level.key) for x in keys] + (q if own_keys else [])
    v = [encoded(level.auto_encoder, x, level.value) for x in keys] + (q if own_keys else [])
    e = config.latent // config.heads

    def mapped(name, x, cut):
        return getattr(level.attention, name)(standard(x) if config.norm else x)[cut]

    out = []
    for x in q:
        parts = []
        for h in range(config.heads):
            cut = slice(h * e, (h + 1) * e)
            scores = torch.stack([mapped("query", x, cut) @ mapped("key", y, cut) / math.sqrt(e) for y in k])
            weights = scores.exp() / scores.exp().sum()
            parts.append(sum(w * mapped("value", y, cut) for w, y in zip(weights, v)))
        z = x + level.attention.output(torch.cat(parts))
        if config.residual_norm == "none":  # as eq. 9 and 10 are printed
            z = z + feed_forward(z, level.ffn)
        elif config.residual_norm == "released":
            z = norm(z, level.norms[0])
            z = norm(z + norm(z + feed_forward(z, level.ffn), level.ffn_norm), level.norms[1])
        else:
            z = norm(z, level.norms[0])
            z = norm(z + feed_forward(z, level.ffn), level.norms[1])
        up = level.auto_encoder.decoder2(level.auto_encoder.decoder1(z))
        out.append(up.sigmoid() if config.sigmoid else up)
    return torch.stack(out)


def slow_direction(config, direction, own, levels):
    """Eq. 11 of one document."""

    def mix(k, x):
        return x * direction.level_scales[k] if direction.level_maps is None else x @ direction.level_maps[k].weight.T

    total = mix(0, own)
    for k, level in enumerate(direction.levels):
        if len(levels[k]) or config.own_keys:
            total = total + mix(k + 1, slow_level(config, level, own, levels[k], config.own_keys))
    return total


@pytest.mark.parametrize("config", VARIANTS, ids=IDS)
def test_is_the_loop_over_documents_forward_and_backward(config):
    widths = (6, 6) if not config.project else (6, 5)
    s, module = streams(config, widths=widths), built(config, widths)
    made = module(s)[0]
    text, vision = s["text"], s["vision"]
    pairs = []
    for b in range(4):
        words, patches = text.mask[b], vision.mask[b]
        if words.any():
            want = slow_direction(config, module.to_text, text.tokens[b, words], vision.levels[:, b, patches])
            want = torch.stack([feed_forward(x, module.word_ffn) for x in want]) if config.word_ffn else want
            pairs.append((made["fused"].tokens[b, words], want))
        if patches.any():
            read = module.to_frames.read
            each = slow_direction(config, read, vision.tokens[b, patches], text.levels[:, b, words])
            for f in FRAMES[patches].unique().tolist():
                inside = each[FRAMES[patches] == f]
                frame = inside.mean(0) if config.pool == "mean" else norm(inside.sum(0), module.to_frames.norm)
                pairs.append((made["frames"].tokens[b, f], frame + place(config, module.to_frames.positions, f)))
    assert made["frames"].mask.tolist() == [[True] * 3, [True, True, False], [False] * 3, [True, False, False]]
    assert torch.equal(made["frames"].present, vision.present) and torch.equal(made["fused"].present, text.present)
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-8)
    sums = [sum((pair[i] ** 2).sum() for pair in pairs) for i in (0, 1)]
    ours, theirs = (torch.autograd.grad(x, list(module.parameters())) for x in sums)
    for a, b in zip(ours, theirs):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-8)


def test_what_only_the_release_has():
    torch.manual_seed(3)
    scales = torch.cat([AS_RELEASED.build({"text": 6, "vision": 6}).to_text.level_scales.detach() for _ in range(400)])
    assert abs(scales.mean()) < 0.1 and 0.9 < scales.std() < 1.1  # N(0, 1), of four scalars each time
    module = replace(AS_RELEASED, attention_dropout=0.5).build({"text": 6, "vision": 6}).double()
    made = [module(streams(AS_RELEASED))[0]["fused"].tokens for _ in range(2)]
    assert not torch.equal(*made)
    made = [module.eval()(streams(AS_RELEASED))[0]["fused"].tokens for _ in range(2)]
    assert torch.equal(*made)
    with pytest.raises(RecipeError, match="with time_decay"):
        check_part(replace(SMALL, attention_dropout=0.5, time_decay=True))


def test_in_pieces_it_is_the_same_forward_and_backward(monkeypatch):
    s, module = streams(), built(SMALL)
    results = []
    for scores in (2**25, 50):
        monkeypatch.setattr(ops, "MAX_ATTN_ELEMENTS", scores)
        made = module(s)[0]
        loss = (made["fused"].tokens ** 2).sum() + (made["frames"].tokens ** 2).sum()
        results.append([loss, *torch.autograd.grad(loss, list(module.parameters()))])
        with torch.no_grad():
            results[-1].append(module(s)[0]["fused"].tokens)
    for a, b in zip(*results):
        torch.testing.assert_close(a, b)


def test_without_levels_tokens_serve_all_three():
    s, module = streams(layered=False), built(SMALL)
    layered = {r: replace(x, levels=x.tokens.expand(3, -1, -1, -1)) for r, x in s.items()}
    a, b = module(s)[0], module(layered)[0]
    for role in ("fused", "frames"):
        assert torch.equal(a[role].tokens, b[role].tokens)


def test_words_without_any_frame_begin_as_they_are():
    s = streams()
    made = built(SMALL)(s)[0]
    torch.testing.assert_close(made["fused"].tokens[2, :3], s["text"].tokens[2, :3])  # W starts at the identity
    other = streams(vision=(6, 4, 0, 0))
    assert not torch.equal(made["fused"].tokens[0], s["text"].tokens[0])
    assert built(SMALL)(other)[0]["frames"].mask[3].any() == False  # noqa: E712


def test_frames_know_their_place_in_time_however_many_they_are():
    config = replace(SMALL, levels=3)
    module = built(config)
    n = 700
    one = torch.randn(1, 1, 6, dtype=torch.float64).expand(1, n, 6)
    vision = Stream(one, torch.ones(1, n, dtype=torch.bool), torch.arange(n)[None])
    text = Stream(torch.randn(1, 3, 6, dtype=torch.float64), torch.ones(1, 3, dtype=torch.bool))
    frames = module({"text": text, "vision": vision})[0]["frames"].tokens[0]
    assert torch.cdist(frames, frames).fill_diagonal_(9).min() > 1e-3  # the same picture, told apart by time alone
    with torch.no_grad():
        module.to_frames.positions.map.weight.zero_()  # as training begins
    frames = module({"text": text, "vision": vision})[0]["frames"].tokens[0]
    torch.testing.assert_close(frames, frames[:1].expand_as(frames))


def test_the_vae_samples_and_pays_and_the_mean_answers():
    mean, log_variance = torch.randn(3, 5, 4, dtype=torch.float64), torch.randn(3, 5, 4, dtype=torch.float64)
    mask = torch.arange(5) < torch.tensor([5, 2, 0])[:, None]
    normal = torch.distributions.Normal
    each = torch.distributions.kl_divergence(normal(mean, (log_variance / 2).exp()), normal(0.0, 1.0)).sum(-1)
    torch.testing.assert_close(kl(mean, log_variance, mask), each[mask].mean())
    config = replace(SMALL, variational=True, kl_weight=0.25)
    s, module = streams(config), built(config)
    a, b = module(s)[0]["fused"].tokens, module(s)[0]["fused"].tokens
    assert torch.equal(a, b) and not module(s)[1]
    module.train()
    a, b = module(s)[0]["fused"].tokens, module(s)[0]["fused"].tokens
    weight, loss = module(s)[1]["kl"]
    assert not torch.equal(a[0], b[0]) and weight == 0.25 and loss > 0
    auto_encoder, text = module.to_text.levels[0].auto_encoder, s["text"]
    draws = torch.stack([auto_encoder.encode(text.tokens, text.mask)[0] for _ in range(800)])
    module.eval()
    torch.testing.assert_close(draws.mean(0), auto_encoder.encode(text.tokens, text.mask)[0], rtol=0, atol=0.25)


def test_each_of_two_words_reads_its_own_side_of_a_frame():
    """Known answer: the class of the first word is the left patch's, that of the second one the right patch's."""
    torch.manual_seed(0)
    word, place, kind = torch.randn(2, 32), torch.randn(2, 32), torch.randn(3, 32)
    module = Denoised(latent=32, heads=4, hidden=64, frames=False, dropout=0.0).build({"text": 32, "vision": 32})
    classes, all_ = torch.nn.Linear(32, 3), torch.ones(32, 2, dtype=torch.bool)
    adam = torch.optim.AdamW([*module.parameters(), *classes.parameters()], 1e-3)
    right = []
    for _ in range(90):
        gold = torch.randint(0, 3, (32, 2))
        words, patches = word + torch.randn(32, 2, 32) / 2, place + kind[gold] + torch.randn(32, 2, 32) / 2
        made = module({"text": Stream(words, all_), "vision": Stream(patches, all_, torch.zeros_like(gold))})[0]
        logits = classes(made["fused"].tokens)
        adam.zero_grad()
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), gold.flatten()).backward()
        adam.step()
        right.append((logits.argmax(-1) == gold).double().mean().item())
    assert sum(right[-20:]) / 20 > 0.98  # a mean of both patches, which binds nothing, gets two thirds


def test_a_latent_that_heads_do_not_divide_says_so():
    with pytest.raises(RecipeError, match="heads"):
        check_part(Denoised(latent=10, heads=16))


def test_a_text_that_was_only_made_asks_nothing_and_is_read_by_frames():
    s = streams(text=(2, 4, 3, 0), vision=(6, 4, 0, 3))
    text = s["text"]
    made = replace(text, present=torch.tensor([True, False, False, False]))
    module = built(SMALL)
    a, b = module(s)[0], module({**s, "text": made})[0]
    assert b["fused"].mask.tolist() == [[True, True, False, False], *[[False] * 4] * 3]
    torch.testing.assert_close(a["fused"].tokens[0, :2], b["fused"].tokens[0, :2])
    assert not b["fused"].tokens[:, 2:].any()
    torch.testing.assert_close(a["frames"].tokens, b["frames"].tokens)


def test_half_precision_is_near_and_counts_beyond_256():
    module = built(SMALL).float()
    s = {
        "text": Stream(torch.randn(1, 3, 6), torch.ones(1, 3, dtype=torch.bool)),
        "vision": Stream(torch.randn(1, 700, 6) + 1, torch.ones(1, 700, dtype=torch.bool)),
    }
    want = module(s)[0]
    with torch.autocast("cpu", torch.bfloat16):
        got = module(s)[0]
    for role in ("fused", "frames"):
        torch.testing.assert_close(got[role].tokens.float(), want[role].tokens, rtol=0.05, atol=0.05)


def test_time_decay_makes_words_read_what_is_near_in_time():
    """A word spoken at 0 s reads the frame of 0 s as if the one of 100 s were not there, and not the other way."""
    torch.manual_seed(0)
    module = built(replace(SMALL, time_decay=True))
    with torch.no_grad():
        for level in module.to_text.levels:
            level.time_decay.fill_(2.0)
    both = torch.ones(1, 2, dtype=torch.bool)
    text = Stream(torch.randn(1, 1, 6).double(), both[:, :1], seconds=torch.zeros(1, 1).double())
    seconds = torch.tensor([[0.0, 100.0]]).double()
    vision = Stream(torch.randn(1, 2, 6).double(), both, torch.tensor([[0, 1]]), seconds=seconds)

    def fused(seen):
        return module({"text": text, "vision": replace(vision, mask=torch.tensor([seen]), present=None)})[0]["fused"]

    near, far, all_ = (fused(seen).tokens for seen in ([True, False], [False, True], [True, True]))
    assert (near - far).abs().max() > 1e-3
    torch.testing.assert_close(all_, near)
