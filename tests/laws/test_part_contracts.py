"""The table of parts x laws: every part of floor 2 obeys every law. A new part adds one row."""

import json
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from openmie import recipe as recipes
from openmie.model.backbones import load_text, load_vision
from openmie.nn.align.align import Align
from openmie.nn.align.infonce import InfoNCE
from openmie.nn.align.shapley import Shapley
from openmie.nn.align.topk import TopK
from openmie.nn.complete.blank import Blank
from openmie.nn.complete.prompt_conv import PromptConv
from openmie.nn.decode.chain_relations import ChainRelations
from openmie.nn.decode.chains import Chains
from openmie.nn.decode.channels import Channels
from openmie.nn.decode.regions import Regions
from openmie.nn.decode.relation import EntityMarkers
from openmie.nn.decode.tags import Crf, Softmax
from openmie.nn.decode.word_pairs import WordPairs
from openmie.nn.encode.dual import Dual, Vision
from openmie.nn.encode.hierarchical import Hierarchical
from openmie.nn.encode.mutual import Mutual
from openmie.nn.encode.prefix import Prefix
from openmie.nn.fuse.adaptive import Adaptive
from openmie.nn.fuse.caption import Caption
from openmie.nn.fuse.cross import Cross
from openmie.nn.fuse.denoised import Denoised
from openmie.nn.fuse.frames import Frames
from openmie.nn.fuse.interweave import Interweave
from openmie.nn.fuse.one_stream import OneStream
from openmie.nn.fuse.translate import Translate
from openmie.nn.fuse.two_stream import TwoStream
from openmie.nn.streams import Stream, split_losses

PICTURES = {"vision": 6, "objects": 3, "generated": 4, "generated_objects": 2, "frames": 2}  # tokens of each
FRAMES = torch.tensor([0, 1, 1, 1, 1, 1])  # of the six patches: one alone, and a square after a class token
WIDTHS = {"text": 16, "vision": 12, "context": 16, "fused": 16, "objects": 12, "generated": 12, "generated_objects": 12}
WIDTHS |= {"phrases": 16, "frames": 12}
FUSIONS = [Cross(), Cross(modalities=("vision", "context"), layers=1), Cross(input_stream="fused", heads=2)]
FUSIONS += [Adaptive(width=16, block="attention"), Adaptive(width=8, heads=2, gates="none")]
FUSIONS += [Adaptive(width=16), Adaptive(width=8, heads=2, layers=2, gates="sigmoid", bridge_pooling="mean")]
FUSIONS += [Interweave(width=8, heads=2), Interweave(width=8, heads=2, layers=2, column=False, gate="scalar")]
FUSIONS += [Interweave(width=8, heads=2, binding="token_map", token_map_lengths=(12, 16), rescaled=False)]
FUSIONS += [Translate(), Translate(translated=(), pool="sum", object_words="text", input_stream="fused")]
FUSIONS += [Translate(original=("vision",), translated=("generated",), expansion=1)]
CAPTIONED = [Caption(), Caption(heads=2, sentence=False), Caption(word=False), Caption(keep="image")]
FUSIONS += [*CAPTIONED, Caption(objects=("vision",)), Caption(pairs=(("vision", "context"), ("context", "text")))]
FUSIONS += [Denoised(latent=8, heads=2, hidden=6), Denoised(latent=4, heads=4, frames=False, variational=True)]
RELEASED = {"project": False, "own_keys": True, "sigmoid": True, "mix": "scalar", "pool": "sum", "norm": False}
RELEASED |= {"residual_norm": "released", "word_ffn": True, "frame_table": 3}
FUSIONS += [Denoised(latent=8, heads=1, hidden=6, **RELEASED), Denoised(latent=8, heads=2, hidden=6, time_decay=True)]
FUSIONS += [Denoised(latent=8, heads=2, hidden=6, residual_norm="none", norm=False), Frames(frame_table=2)]
FUSIONS += [Frames(), OneStream(width=8, heads=2, layers=1), TwoStream(width=8, heads=2)]
COMPLETIONS = [Blank(), Blank(learned=True), PromptConv(prompt_length=2, modality_dropout=1.0)]
COMPLETIONS += [PromptConv(prompt_length=3, kernel=1, per_frame=True, modality_dropout=1.0, reconstruction_weight=1.0)]
ALIGNS = [
    Align(),
    Align(loss=InfoNCE(symmetric=False), first=("text", "context")),
    Align(second=("context",), stage="fused"),
    Align(loss=Shapley(), first=("context",), width=0),
    Align(loss=Shapley(negatives="sum"), first=("context",), second=("vision",), width=0),
    Align(loss=TopK(), first=("fused",), stage="fused", learned_pooling=True, width=0),
    Align(loss=TopK(k="adaptive", anchor="image"), learned_pooling=True, width=8),
]
HEADS = [
    Crf(labels=("A", "B")),
    Softmax(labels=("A", "B")),
    EntityMarkers(labels=("None", "x", "y")),
    EntityMarkers(labels=("None", "x"), markers=False),
    Crf(labels=("A", "B"), channels=Channels(width=4), hidden=6),
    WordPairs(labels=("None", "x"), mentions=("A", "B"), channels=Channels(width=4), width=6),
    WordPairs(labels=("None", "x"), mentions=("A",), channels=Channels(width=4), width=6, contrast="log"),
    WordPairs(labels=("None", "x", "y"), channels=Channels(width=4), width=6, contrast=None),
    WordPairs(labels=("None", "x"), mentions=("A", "B"), channels=None, width=6, loss_per="document"),
    Chains(labels=("A", "B")),
    Chains(labels=("A", "B"), link="best", typed=True, rank=3),
    ChainRelations(labels=("x", "A-B_y"), mentions=("A", "B"), symmetric=("x",)),
    ChainRelations(labels=("x", "None"), mentions=("A", "B"), decide="one", rank=3),
    ChainRelations(
        labels=("x", "y"), mentions=("A", "B"), allowed=(("x", "A", "B"), ("x", "A", "A")), aggregation="vote"
    ),
    Regions(labels=("A", "B"), num_slots=3, width=8, heads=2),
    Regions(labels=("A", "B"), num_slots=2, slots="frame", match="order", giou_weight=0.0, no_object_weight=1.0),
    Regions(labels=("A", "B"), num_slots=3, width=8, heads=2, links=False),
    Regions(labels=("A", "B"), num_slots=2, slots="frame", match="order", giou_weight=0.0, box_loss="every"),
]
LAYERED = (Denoised, PromptConv, Regions, Frames, OneStream, TwoStream)  # read levels, or which frame a patch is of
PARTS = [*FUSIONS, *COMPLETIONS, *ALIGNS, *HEADS]
NAMES = [f"{type(p).__name__}{i}" for i, p in enumerate(PARTS)]


def streams(b=4, missing=(), seed=0, part=None):
    """Random streams of unequal lengths; documents in `missing` have no image of any kind.

    With a part that looks at them, text and vision have levels, and the patches frames.
    """
    g = torch.Generator().manual_seed(seed)
    out = {}
    for role, width in WIDTHS.items():
        lengths = torch.full((b,), PICTURES[role]) if role in PICTURES else torch.tensor([5, 3, 4, 5][:b])
        if role in PICTURES:
            lengths[list(missing)] = 0
        n = int(lengths.max().clamp_min(1))
        mask = torch.arange(n) < lengths[:, None]
        out[role] = Stream(torch.randn(b, n, width, generator=g) * mask[..., None], mask)
    for role in ("text", "vision") if isinstance(part, LAYERED) else ():
        s = out[role]
        levels = torch.randn(3, *s.tokens.shape, generator=g) * s.mask[..., None]
        groups = FRAMES[: s.mask.shape[1]].expand(b, -1) if role == "vision" else None
        seconds = torch.arange(s.mask.shape[1]).float().expand(b, -1)
        out[role] = replace(s, levels=levels, groups=groups, seconds=seconds)
    return out


def gold(b=4):
    pairs = torch.tensor([[[0, 0, 1, 2], [1, 2, 0, 0]]]).repeat(b, 1, 1)
    mask = torch.tensor([[True, True], [True, False], [True, True], [False, False]])[:b]
    pos = torch.tensor([[1, 2, 3, 4, 5], [6, 7, 8, 0, 0], [1, 1, 2, 2, 0], [9, 17, 3, 5, 1]])[:b]
    given = {"pairs": pairs, "pairs_mask": mask, "pos": pos}
    spans = torch.tensor([[[0, 1], [2, 2], [3, 4]], [[0, 0], [1, 2], [0, 0]], [[1, 1], [2, 3], [0, 0]], [[0, 0]] * 3])
    kinds = torch.tensor([[0, 1, 0], [0, 0, 0], [0, 1, 1], [1, 0, 0]])[:b]
    chains = torch.tensor([[0, 1, 0], [0, 1, -1], [1, 0, 2], [-1, -1, -1]])[:b]
    given |= {"spans": spans[:b], "spans_mask": chains >= 0, "span_labels": kinds, "chain_of": chains}
    targets = {
        "tags": torch.tensor([[1, 2, 0, 3, 4], [0, 3, 0, 0, 0], [1, 0, 1, 2, 0], [0, 0, 0, 0, 1]])[:b],
        "relations": torch.tensor([[1, 0], [1, 0], [0, 1], [0, 0]])[:b],
        "cells": (torch.arange(100) % 3).view(4, 5, 5)[:b] % 2,
        "chain_of": chains,
        "links": (torch.arange(4 * 3 * 3 * 2) % 5 == 0).view(4, 3, 3, 2)[:b],
        "boxes": torch.linspace(0.1, 0.9, 4 * 2 * 2 * 4).view(4, 2, 2, 4)[:b],
        "box_labels": torch.tensor([[[0, 1], [1, -1]], [[-1, -1], [0, -1]], [[1, 0], [1, 1]], [[0, -1], [0, 0]]])[:b],
        "box_of": torch.tensor([[[0, 1], [-1, -1]], [[-1, -1], [1, -1]], [[2, 0], [-1, 1]], [[-1, -1]] * 2])[:b],
    }
    return given, targets


def built(part):
    torch.manual_seed(0)
    return part.build(dict(WIDTHS)).eval()


def outcome(part, module, s, given=None, targets=None):
    """What the part makes of the streams, as a dictionary of tensors."""
    if given is None:
        given, targets = gold(len(s["text"].mask))
    if part in HEADS:
        predicted = module.predict(s, given)
        compared = {k: v for k, v in predicted.items() if k.endswith(("s", "_of"))}
        return {"loss": module.loss(s, given, targets), **compared}
    if part in ALIGNS:
        out = module(s)
        return {"loss": out.losses[module.name][1], "num_pairs": out.num_pairs}
    made = split_losses(module(s))[0]
    fields = {f"{role}.{f}": getattr(made[role], f) for role in made for f in ("tokens", "mask", "present", "levels")}
    return {name: value for name, value in fields.items() if value is not None}


def padded(s, extra=3, noise=9.0):
    """The same streams with more padding, and rubbish in it."""

    def more(x):
        mask = F.pad(x.mask, (0, extra))
        tokens, levels = (
            None if v is None else torch.where(mask[..., None], F.pad(v, (0, 0, 0, extra)), noise)
            for v in (x.tokens, x.levels)
        )
        groups = None if x.groups is None else F.pad(x.groups, (0, extra), value=7)
        seconds = None if x.seconds is None else F.pad(x.seconds, (0, extra), value=3.0)
        return Stream(tokens, mask, groups, x.present, levels, seconds=seconds)

    return {role: more(x) for role, x in s.items()}


def same(a, b, close=1e-5):
    assert a.keys() == b.keys()
    for key in a:
        x, y = a[key], b[key]
        role, _, field = key.partition(".")
        if field == "tokens":  # the real ones in their order, wherever the padding stands
            x, y = x[a[f"{role}.mask"]], y[b[f"{role}.mask"]]
        elif field == "levels":
            x, y = x[:, a[f"{role}.mask"]], y[:, b[f"{role}.mask"]]
        elif field == "mask" and x.shape != y.shape:
            x, y = x.sum(1), y.sum(1)
        elif x.dim() >= 2 and x.shape[1] != y.shape[1]:
            y = y[tuple(slice(n) for n in x.shape)]
        torch.testing.assert_close(x, y, atol=close, rtol=close)


@pytest.mark.parametrize("part", PARTS, ids=NAMES)
def test_round_trips_as_json(part):
    assert recipes.load(recipes.dump(part)) == part


@pytest.mark.parametrize("part", PARTS, ids=NAMES)
@pytest.mark.parametrize("missing", [(), (1,), (0, 1, 2, 3)], ids=["all", "one missing", "all missing"])
def test_is_invariant_to_padding(part, missing):
    s, module = streams(missing=missing, part=part), built(part)
    given, targets = gold()
    longer = {
        **targets,
        "tags": F.pad(targets["tags"], (0, 3)),
        "cells": F.pad(targets["cells"], (0, 3, 0, 3), value=-1),
    }
    wider = {**given, "pos": F.pad(given["pos"], (0, 3))}
    with torch.no_grad():
        same(outcome(part, module, s, given, targets), outcome(part, module, padded(s), wider, longer))


@pytest.mark.parametrize("part", PARTS, ids=NAMES)
def test_is_equivariant_to_batch_order(part):
    s, module, order = streams(missing=(2,), part=part), built(part), torch.tensor([2, 0, 3, 1])
    given, targets = gold()
    turned = {
        r: replace(
            x,
            tokens=x.tokens[order],
            mask=x.mask[order],
            present=x.present[order],
            groups=None if x.groups is None else x.groups[order],
            levels=None if x.levels is None else x.levels[:, order],
            seconds=None if x.seconds is None else x.seconds[order],
        )
        for r, x in s.items()
    }
    with torch.no_grad():
        a = outcome(part, module, s, given, targets)
        b = outcome(part, module, turned, *({k: v[order] for k, v in d.items()} for d in (given, targets)))
    same({k: v[:, order] if k.endswith("levels") else v[order] if v.dim() else v for k, v in a.items()}, b)


@pytest.mark.parametrize("part", PARTS, ids=NAMES)
@pytest.mark.parametrize("missing", [(), (1,)], ids=["all", "one missing"])
def test_gradient_reaches_every_parameter_and_is_finite(part, missing):
    s, module = streams(missing=missing, part=part), built(part).train()
    torch.manual_seed(0)  # of what PromptConv hides: the text of some documents and the images of others
    made = outcome(part, module, s)
    loss = made["loss"] if "loss" in made else sum((v**2).sum() for v in made.values() if v.is_floating_point())
    parameters = dict(module.named_parameters())
    if not parameters:
        return
    loss.backward()
    for name, p in parameters.items():
        used = p.grad is not None and p.grad.abs().sum() > 0
        assert p.grad is None or p.grad.isfinite().all(), name
        assert used or (part == Blank(learned=True) and (not missing or "vision" not in name)), name


@pytest.mark.parametrize("part", PARTS, ids=NAMES)
def test_survives_a_batch_without_any_image(part):
    """No NaN forward or backward; what a fusion makes is the same as for documents that never had one."""
    s, module = streams(missing=(0, 1, 2, 3), part=part), built(part)
    made = outcome(part, module, s)
    assert all(v.isfinite().all() for v in made.values())
    total = sum(v.sum() for v in made.values() if v.is_floating_point() and v.requires_grad)
    if torch.is_tensor(total):
        total.backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in module.parameters())


@pytest.mark.parametrize("part", FUSIONS, ids=NAMES[: len(FUSIONS)])
def test_one_documents_image_does_not_reach_another(part):
    s, module = streams(missing=(1,), part=part), built(part)
    other = dict(s, vision=Stream(s["vision"].tokens.flip(0), s["vision"].mask))
    a, b = (split_losses(module(x))[0] for x in (s, other))
    for role in part.makes():
        torch.testing.assert_close(a[role].tokens[1][a[role].mask[1]], b[role].tokens[1][b[role].mask[1]])


def test_passes_on_roles_that_it_does_not_know():
    s = {**streams(), "another": streams()["text"]}
    for part in (*FUSIONS, *COMPLETIONS):
        assert set(s) <= set(split_losses(built(part)(s))[0]), part


def informed(part):
    """Streams that say all that a stream can: groups, seconds and relevance of every modality."""
    out = {}
    for n, (role, x) in enumerate(streams(missing=(1,), part=part).items()):
        b, length = x.mask.shape
        groups = torch.zeros(b, length, dtype=torch.long) if x.groups is None else x.groups
        seconds = torch.arange(length).float().expand(b, -1) + n if x.seconds is None else x.seconds
        relevance = torch.linspace(0.1, 0.9, b) + n
        out[role] = replace(x, groups=groups, seconds=seconds, relevance=relevance)
    return out


@pytest.mark.parametrize("part", [*FUSIONS, *COMPLETIONS], ids=NAMES[: len(FUSIONS) + len(COMPLETIONS)])
def test_drops_nothing_that_it_does_not_change(part):
    """Roles, `seconds` and `relevance` are passed on; what a part makes anew is of one length in all its fields."""
    s, module = informed(part), built(part)
    made = split_losses(module(s))[0]
    assert s.keys() <= made.keys()
    for role, stream in made.items():
        b, n = stream.mask.shape
        assert stream.tokens.shape[:2] == (b, n), role
        for field in (stream.groups, stream.seconds):
            assert field is None or field.shape == (b, n), role
        if role in s and role not in part.makes():  # a completion may fill it, and says nothing else of it
            assert torch.equal(stream.relevance, s[role].relevance), role
            kept = s[role].mask & s[role].present[:, None]
            assert torch.equal(stream.seconds[:, : kept.shape[1]][kept], s[role].seconds[kept]), role
    for role, source in (("fused", getattr(part, "input_stream", "text")), ("frames", "vision")):
        if role in part.makes():
            assert torch.equal(made[role].relevance, s[source].relevance) and made[role].seconds is not None, role
    if "fused" in part.makes():
        source = s[getattr(part, "input_stream", "text")]
        assert torch.equal(made["fused"].seconds[made["fused"].mask], source.seconds[made["fused"].mask])


# -- encoders: the table that a new one gets a row in

ENCODERS = [
    Dual(vision=Vision(), context="c", objects=1),
    Mutual(objects=1, context="c"),
    Prefix(objects=1, context="c", hidden=8),
    Hierarchical(vision=Vision(), conv_width=3),
]


@pytest.mark.parametrize("encode", ENCODERS, ids=lambda e: type(e).__name__)
def test_an_encoder_is_json_and_back(encode):
    assert recipes.load(json.loads(json.dumps(recipes.dump(encode)))) == encode


@pytest.mark.parametrize("encode", ENCODERS, ids=lambda e: type(e).__name__)
def test_a_frozen_text_backbone_is_not_trained(encode):
    frozen = replace(encode, text=replace(encode.text, freeze=True))
    text, inputs = load_text(frozen.text), frozen.inputs
    vision = load_vision(frozen.vision, frozen.text, inputs.image_size) if inputs.reads_images else None
    frozen.build(text.model, vision.model if vision else None)
    assert not any(p.requires_grad for p in text.model.parameters())
