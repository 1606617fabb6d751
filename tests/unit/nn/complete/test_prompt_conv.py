"""PromptConv (M3D's MMCM) against loops over positions, and what it must leave alone."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from openmie.errors import RecipeError
from openmie.nn.align.align import Align
from openmie.nn.complete.blank import Blank
from openmie.nn.complete.prompt_conv import PromptConv
from openmie.nn.fuse.denoised import Denoised
from openmie.nn.streams import Stream, split_losses, words_only
from openmie.recipe import check_part

D, V = 5, 4  # widths of words and patches
FRAMES = torch.tensor([0, 0, 0, 1, 1, 1])


def streams(text=(4, 0, 2, 0), vision=(6, 3, 0, 0), layered=True, seed=0):
    """Documents that are complete, lack text, lack frames, lack both; float64."""
    g = torch.Generator().manual_seed(seed)
    made = {}
    for role, lengths, n, width in (("text", text, 4, D), ("vision", vision, 6, V)):
        mask = torch.arange(n) < torch.tensor(lengths)[:, None]
        states = torch.randn(4, *mask.shape, width, generator=g, dtype=torch.float64) * mask[..., None]
        groups = FRAMES.expand(len(lengths), -1) if role == "vision" else None
        made[role] = Stream(states[0], mask, groups, levels=states[1:] if layered else None)
    return made


def built(seed=1, **changes):
    torch.manual_seed(seed)
    return PromptConv(**{"prompt_length": 3, **changes}).build({"text": D, "vision": V}).double().eval()


def slow(maker, states, kernel):
    """Eq. 13 and 14 for one document: states (N, D) -> levels, each a list of positions."""
    half = kernel // 2

    def conv(layer, rows):
        out = []
        for i in range(len(rows)):
            value = layer.bias.clone()
            for o in range(-half, half + 1):
                if 0 <= i + o < len(rows):
                    value = value + layer.weight[:, :, o + half] @ rows[i + o]
            out.append(value.relu())
        return out

    read = conv(maker.input_conv, list(states))
    levels = zip(maker.prompt, maker.level_convs)
    return torch.stack([torch.stack(conv(layer, [*prompt, *read])) for prompt, layer in levels])


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("per_frame", [False, True])
def test_is_the_printed_convolution_forward_and_backward(kernel, per_frame):
    s, module = streams(), built(kernel=kernel, per_frame=per_frame)
    patches = s["vision"].tokens[1, :3]  # all in frame 0
    want = {
        "vision": slow(module.constructors["vision"], s["text"].tokens[2, :2], kernel),
        "text": slow(module.constructors["text"], patches.mean(0, keepdim=True) if per_frame else patches, kernel),
    }
    made = module(s)[0]
    for role, row in (("vision", 2), ("text", 1)):
        n = want[role].shape[1]
        assert made[role].mask[row].tolist() == [True] * n + [False] * (made[role].mask.shape[1] - n)
        torch.testing.assert_close(made[role].levels[:, row, :n], want[role])
        torch.testing.assert_close(made[role].tokens[row, :n], want[role].mean(0))
    assert made["vision"].groups[2, : want["vision"].shape[1]].unique().tolist() == [0]
    a = sum((made[r].levels[:, row] ** 2).sum() for r, row in (("vision", 2), ("text", 1)))
    b = sum((x**2).sum() for x in want.values())
    for ours, theirs in zip(*(torch.autograd.grad(x, list(module.parameters())) for x in (a, b))):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("layered", [True, False])
def test_real_sides_stay_to_the_bit_and_presence_tells_what_was_made(layered):
    s, module = streams(layered=layered), built()
    made = module(s)[0]
    for role in s:
        real = s[role].mask
        assert torch.equal(made[role].tokens[:, : real.shape[1]][real], s[role].tokens[real])
        assert torch.equal(made[role].present, s[role].present)
        assert (made[role].levels is not None) == layered
        if layered:
            assert torch.equal(made[role].levels[:, :, : real.shape[1]][:, real], s[role].levels[:, real])
    assert [made[r].mask.any(1).tolist() for r in s] == [[True, True, True, False]] * 2  # the last lacks both
    only = words_only(made["text"], 4)
    assert only.tokens.shape[1] == 4 and torch.equal(only.mask, s["text"].mask)


def test_one_level_is_filled_where_only_one_side_has_levels():
    s = streams()
    s["text"] = replace(s["text"], levels=None)
    made = built()(s)[0]
    assert made["text"].levels.shape[0] == made["vision"].levels.shape[0] == 3
    torch.testing.assert_close(made["text"].levels[1, 0, :4], s["text"].tokens[0])


def test_a_class_state_of_the_whole_is_made_too():
    s = streams()
    s["vision"] = replace(s["vision"], whole=torch.ones(4, V, dtype=torch.float64))
    made = built()(s)[0]["vision"]
    torch.testing.assert_close(made.pooled[2], made.tokens[2, :5].mean(0))
    torch.testing.assert_close(made.pooled[0], torch.ones(V, dtype=torch.float64))


def test_constructed_sides_take_no_part_in_alignments():
    s, module = streams(), built()
    align = Align(width=0, first=("text",), second=("text",)).build({"text": D, "vision": V}).double()
    assert align(module(s)[0]).num_pairs == 2  # the two documents with words of their own


def test_what_training_hides_is_drawn_by_document():
    n = 4000
    s = {r: Stream(torch.randn(n, 2, w), torch.ones(n, 2, dtype=torch.bool)) for r, w in (("text", D), ("vision", V))}
    module = built(modality_dropout=0.4).float().train()
    made = module(s)[0]
    gone = {r: ~x.present for r, x in made.items()}
    for role in gone:
        assert 0.17 < gone[role].float().mean() < 0.23
        assert made[role].mask.any(1).all()  # constructed in the place of what is hidden
    assert not (gone["text"] & gone["vision"]).any()
    torch.manual_seed(5)
    a = module(s)[0]
    row = (~a["text"].present).nonzero()[0, 0]
    changed = {r: Stream(x.tokens.clone(), x.mask) for r, x in s.items()}
    changed["text"].tokens[row] = 7.0  # what is hidden cannot be seen
    torch.manual_seed(5)
    b = module(changed)[0]
    assert all(torch.equal(a[r].tokens, b[r].tokens) for r in s)
    assert all(x.present.all() for x in module.eval()(s)[0].values())  # nothing is hidden where it counts


def test_reconstruction_is_the_distance_of_means():
    s, module = (
        streams(text=(4, 3, 2, 1), vision=(6, 3, 2, 0)),
        built(modality_dropout=1.0, reconstruction_weight=0.5).train(),
    )
    torch.manual_seed(0)
    made, losses = module(s)
    weight, loss = losses["reconstruction"]
    want = []
    for role in ("text", "vision"):
        rows = [b for b in range(4) if s[role].present[b] and not made[role].present[b]]
        each = [
            (made[role].levels[k, b][made[role].mask[b]].mean(0) - s[role].levels[k, b][s[role].mask[b]].mean(0)) ** 2
            for k in range(3)
            for b in rows
        ]
        want.append(torch.cat(each).mean() if each else torch.zeros(()))
    assert weight == 0.5
    torch.testing.assert_close(loss, sum(want))
    assert not module.eval()(s)[1]


@pytest.mark.parametrize("change", [{"kernel": 2}, {"modalities": ("text", "text")}, {"reconstruction_weight": 1.0}])
def test_what_cannot_be_built_says_so(change):
    with pytest.raises(RecipeError):
        check_part(PromptConv(**change))


def test_other_numbers_of_levels_say_so():
    with pytest.raises(RecipeError, match="3 levels"):
        built(levels=2)(streams())


def answered(complete, seed=0, steps=60):
    """Share of documents without frames whose class is read from frames alone; only a word tells it."""
    torch.manual_seed(seed)
    n, t, width, kinds = 48, 5, 12, 4
    signs = torch.randn(kinds, width)

    def batch(lacking):
        kind, at = torch.randint(kinds, (n,)), torch.randint(t, (n,))
        words = 0.3 * torch.randn(n, t, width)
        words[torch.arange(n), at] = signs[kind]
        seen = torch.ones(n, 6, dtype=torch.bool) & ~lacking[:, None]
        patches = (signs[kind][:, None] + 0.5 * torch.randn(n, 6, width)) * seen[..., None]
        return {"text": Stream(words, torch.ones(n, t, dtype=torch.bool)), "vision": Stream(patches, seen)}, kind

    widths = {"text": width, "vision": width}
    parts = nn.ModuleList([complete.build(widths), Denoised(latent=16, heads=4, hidden=24, dropout=0.0).build(widths)])
    head = nn.Linear(width, kinds)
    optimizer = torch.optim.Adam([*parts.parameters(), *head.parameters()], 6e-3)

    def scores(s):
        for part in parts:
            s, _ = split_losses(part(s))
        return head(s["frames"].pooled)

    for _ in range(steps):
        s, kind = batch(torch.rand(n) < 0.5)
        loss = F.cross_entropy(scores(s), kind)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    parts.eval()
    with torch.no_grad():
        s, kind = batch(torch.ones(n, dtype=torch.bool))
        return (scores(s).argmax(1) == kind).float().mean().item()


def test_a_document_of_words_alone_is_answered_through_constructed_frames():
    assert answered(PromptConv(prompt_length=2)) > 0.95
    assert answered(Blank()) < 0.5  # chance is 0.25: there is no frame to read
