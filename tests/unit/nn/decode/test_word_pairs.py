"""The word-pair head against a double loop over words, the printed equations, and the codec that it answers to."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from openmie.data.document import Document, Mention, Relation
from openmie.model.codec.word_pairs import encode_batch
from openmie.model.codec.word_pairs_classes import class_names, facts, stack_cells
from openmie.model.codec.word_pairs_decoding import decode_batch
from openmie.nn.decode import word_pairs
from openmie.nn.decode.channels import Channels
from openmie.nn.decode.word_pairs import WordPairs, contrasted
from openmie.nn.streams import Stream

LABELS, MENTIONS = ("None", "peer", "contain"), ("loc", "per")
CONTRASTS = ("literal", "log", None)
D = 12


def make(joint: bool = True, seed: int = 0, **changes: Any) -> tuple[WordPairs, Any]:
    config = WordPairs(
        **{
            "labels": LABELS,
            "mentions": MENTIONS if joint else (),
            "width": 8,
            "dropout": 0.0,
            "channels": Channels(width=6),
            **changes,
        }
    )
    torch.manual_seed(seed)
    return config, config.build({"fused": D}).double()


def data(lengths: list[int], joint: bool = True, seed: int = 1) -> tuple[Any, Any, Any]:
    """Streams of these lengths, given and targets, with padding."""
    g = torch.Generator().manual_seed(seed)
    b, t = len(lengths), max([*lengths, 1])
    mask = torch.arange(t) < torch.tensor(lengths).reshape(-1, 1)
    streams = {"fused": Stream(torch.randn(b, t, D, generator=g, dtype=torch.float64), mask)}
    given = {"pos": torch.randint(18, (b, t), generator=g)}
    if joint:
        return streams, given, {"cells": torch.randint(-1, 5, (b, t, t), generator=g)}
    rows = [[(0, 0, n - 1, n - 1), (max(n - 3, 0), n - 1, 0, n // 2), (0, n - 1, 0, 0)] for n in lengths]
    given["pairs"] = torch.tensor([[(0, 0, 0, 0)] * 3 if n == 0 else r for n, r in zip(lengths, rows)]).reshape(b, 3, 4)
    given["pairs_mask"] = torch.tensor([[n > 0, n > 0, n > 3] for n in lengths]).reshape(b, 3)
    return streams, given, {"relations": torch.randint(3, (b, 3), generator=g)}


def oracle(config: WordPairs, head: Any, streams: Any, given: Any, row: int, i: int, j: int) -> Tensor:
    """log P_final (C,) of one pair of words, eq. 14 to 17 as they are printed."""
    stream = streams["fused"]
    beside = head.channels(stream.mask, given)
    features = []
    for states, mlp in ((stream.tokens, head.text), (beside["pos"], head.pos), (beside["positions"], head.place)):
        a, b = states[row, i].double(), states[row, j].double()
        features.append(F.gelu(F.linear(torch.cat([a, b, a - b]), mlp.first.weight, mlp.first.bias)))  # eq. 14
    hidden = F.linear(torch.cat(features), torch.cat([m.weight for m in head.hidden], 1), head.hidden[0].bias)
    enhanced = torch.softmax(head.enhanced(F.gelu(hidden)), -1)  # eq. 16
    if config.contrast is None:
        return enhanced.log()
    plain = torch.softmax(head.plain(features[0]), -1)  # eq. 15
    if config.contrast == "literal":
        return torch.softmax(enhanced + config.scale * torch.log(enhanced / plain), -1).log()
    return torch.softmax(enhanced.log() + config.scale * (enhanced.log() - plain.log()), -1).log()


def gradients(head: Any, value: Tensor) -> list[Tensor]:
    return torch.autograd.grad(value, list(head.parameters()))


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize("scheme", ["exact", "as_released"])
@pytest.mark.parametrize("none_weight", [1.0, 0.25])
def test_joint_is_the_double_loop(contrast: str | None, scheme: str, none_weight: float) -> None:
    config, head = make(contrast=contrast, scheme=scheme, none_weight=none_weight, scale=0.7)
    lengths = [4, 1, 3, 0]
    streams, given, targets = data(lengths)
    total = torch.zeros(()).double()
    found = head.predict(streams, given)
    for row, n in enumerate(lengths):
        for i in range(n):
            for j in range(n):
                if scheme == "as_released" and j < i:
                    continue
                said, label = oracle(config, head, streams, given, row, i, j), int(targets["cells"][row, i, j])
                assert found["cells"][row, i, j] == said.argmax()
                assert found["cell_scores"][row, i, j].item() == pytest.approx(said.max().exp().item(), rel=1e-6)
                if label >= 0:
                    share = none_weight if label == 0 else 1.0
                    total = total - share * said[label]
    loss = head.loss(streams, given, targets)
    slow = total / sum(lengths)  # eq. 18 is a sum; ours is that sum by the words of the batch
    torch.testing.assert_close(loss, slow, rtol=1e-7, atol=0)
    for ours, theirs in zip(gradients(head, loss), gradients(head, slow)):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_given_pairs_are_the_double_loop(contrast: str | None) -> None:
    config, head = make(joint=False, contrast=contrast)
    streams, given, targets = data([5, 2, 0, 7], joint=False)
    losses = []
    found = head.predict(streams, given)
    for row in range(4):
        for p in range(3):
            if not given["pairs_mask"][row, p]:
                assert found["relations"][row, p] == 0 and found["relation_scores"][row, p] == 0
                continue
            a, b, c, d = given["pairs"][row, p].tolist()
            block = torch.stack(
                [oracle(config, head, streams, given, row, i, j) for i in range(a, b + 1) for j in range(c, d + 1)]
            ).mean(0)
            losses.append(-block[targets["relations"][row, p]])
            assert found["relations"][row, p] == block.argmax()
            assert found["relation_scores"][row, p].item() == pytest.approx(block.softmax(0).max().item(), rel=1e-6)
    loss, slow = head.loss(streams, given, targets), torch.stack(losses).mean()
    torch.testing.assert_close(loss, slow, rtol=1e-7, atol=0)
    for ours, theirs in zip(gradients(head, loss), gradients(head, slow)):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-9)


def test_the_two_contrasts_are_as_printed() -> None:
    g = torch.Generator().manual_seed(0)
    p, q = (torch.rand(7, 5, generator=g, dtype=torch.float64).softmax(-1) for _ in range(2))
    for scale in (0.0, 0.5, 1.0, 3.0):
        power = p.exp() * (p / q) ** scale  # the literal form is proportional to e^P (P / P_t)^lambda
        torch.testing.assert_close(contrasted(p.log(), q.log(), "literal", scale).exp(), power / power.sum(-1, True))
        power = p * (p / q) ** scale
        torch.testing.assert_close(contrasted(p.log(), q.log(), "log", scale).exp(), power / power.sum(-1, True))


def test_without_scale_only_the_log_form_is_the_enhanced_distribution() -> None:
    """Eq. 17 takes the softmax of a probability: with lambda = 0 it flattens P."""
    outputs = {}
    streams, given, _ = data([4, 3])
    for contrast in CONTRASTS:
        _, head = make(contrast=contrast, scale=0.0)
        if contrast is None:
            assert head.plain is None
        missing = head.load_state_dict(make()[1].state_dict(), strict=False).unexpected_keys
        assert all(key.startswith("plain.") for key in missing) and bool(missing) == (contrast is None)
        outputs[contrast] = head.predict(streams, given)["cell_scores"]
    torch.testing.assert_close(outputs["log"], outputs[None])
    assert (outputs[None] - outputs["literal"])[0].abs().min() > 1e-3


@pytest.mark.parametrize("contrast", ["literal", "log"])
def test_extreme_logits_stay_finite(contrast: str) -> None:
    _, head = make(contrast=contrast, scale=2.0)
    head = head.float()
    with torch.no_grad():
        for p in head.parameters():
            p.mul_(300)
    streams, given, targets = data([5, 2])
    streams = {"fused": Stream(streams["fused"].tokens.float() * 10, streams["fused"].mask)}
    loss = head.loss(streams, given, targets)
    assert loss.isfinite() and all(g.isfinite().all() for g in gradients(head, loss))
    assert head.predict(streams, given)["cell_scores"].isfinite().all()


@pytest.mark.parametrize("joint", [True, False])
def test_half_precision_is_near(joint: bool) -> None:
    """Under autocast the products are rough, the distributions float32."""
    _, head = make(joint)
    streams, given, targets = data([5, 2], joint)
    head, streams = head.float(), {"fused": Stream(streams["fused"].tokens.float(), streams["fused"].mask)}
    want, score = head.loss(streams, given, targets), "cell_scores" if joint else "relation_scores"
    with torch.autocast("cpu", torch.bfloat16):
        loss, found = head.loss(streams, given, targets), head.predict(streams, given)
    assert loss.dtype == found[score].dtype == torch.float32
    torch.testing.assert_close(loss, want, rtol=0.02, atol=0.02)
    torch.testing.assert_close(found[score], head.predict(streams, given)[score], rtol=0.05, atol=0.05)


@pytest.mark.parametrize("joint", [True, False])
def test_padding_and_order_change_nothing(joint: bool) -> None:
    _, head = make(joint)
    lengths = [5, 2, 0, 4]
    streams, given, targets = data(lengths, joint)
    base = {"loss": head.loss(streams, given, targets), **head.predict(streams, given)}
    old = streams["fused"]
    tokens, mask = F.pad(old.tokens, (0, 0, 0, 3), value=99.0), F.pad(old.mask, (0, 3))
    wide = {"fused": Stream(torch.where(mask[..., None], tokens, float("nan")), mask)}
    more = {**given, "pos": F.pad(given["pos"], (0, 3), value=77)}
    goal = dict(targets)
    if joint:
        goal = {"cells": F.pad(targets["cells"], (0, 3, 0, 3), value=3)}
    padded = {"loss": head.loss(wide, more, goal), **head.predict(wide, more)}
    for key, want in base.items():
        got = padded[key][:, :5, :5] if joint and key != "loss" else padded[key]
        torch.testing.assert_close(got, want)
    if joint:
        assert not padded["cells"][:, 5:].any() and not padded["cell_scores"][:, :, 5:].any()
    order = torch.tensor([2, 0, 3, 1])
    turned = {"fused": Stream(old.tokens[order], old.mask[order])}
    again = head.predict(turned, {k: v[order] for k, v in given.items()})
    for key, value in again.items():
        torch.testing.assert_close(value, base[key][order])


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize("joint", [True, False])
def test_gradient_reaches_every_parameter(joint: bool, contrast: str | None) -> None:
    _, head = make(joint, contrast=contrast)
    streams, given, targets = data([5, 3], joint)
    tokens = streams["fused"].tokens.requires_grad_()
    head.loss(streams, given, targets).backward()
    for name, p in head.named_parameters():
        assert p.grad is not None and p.grad.abs().sum() > 0, name
    assert tokens.grad.abs().sum() > 0
    assert ("plain.0.weight" in dict(head.named_parameters())) == (contrast is not None)


@pytest.mark.parametrize("joint", [True, False])
def test_nothing_to_learn_is_zero_with_a_gradient(joint: bool) -> None:
    _, head = make(joint)
    for lengths in ([0, 0], [3, 2]):
        streams, given, targets = data(lengths, joint)
        if joint:
            targets = {"cells": torch.full_like(targets["cells"], -1)}
        else:
            given["pairs_mask"] = torch.zeros_like(given["pairs_mask"])
        loss = head.loss(streams, given, targets)
        assert loss.item() == 0.0
        assert all(not g.any() and g.isfinite().all() for g in gradients(head, loss))
        for value in head.predict(streams, given).values():
            assert joint or not value.any()
    streams, given, targets = data([3], False)
    given |= {"pairs": torch.zeros(1, 0, 4, dtype=torch.long), "pairs_mask": torch.zeros(1, 0, dtype=torch.bool)}
    if not joint:
        assert head.loss(streams, given, {"relations": torch.zeros(1, 0, dtype=torch.long)}) == 0
        assert head.predict(streams, given)["relations"].shape == (1, 0)


@pytest.mark.parametrize("scale", [0.0, 0.1, 2.0])
def test_the_scale_of_the_channels_reaches_both(scale: float) -> None:
    """As the oracle, which joins what `ChannelEmbedding` gives; without a voice, equal words are alike anywhere."""
    config, head = make(channels=Channels(width=6, init_scale=scale))
    streams, given, _ = data([4, 4])
    streams["fused"] = Stream(streams["fused"].tokens[:, :1].expand(-1, 4, -1), streams["fused"].mask)
    at = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 2]), torch.tensor([3, 2, 2])
    found = head.eval().log_final(head.words(streams, given), *at)
    want = [oracle(config, head, streams, given, *cell) for cell in zip(*(x.tolist() for x in at))]
    torch.testing.assert_close(found, torch.stack(want), rtol=1e-9, atol=1e-9)
    assert torch.equal(found[0], found[1]) == (scale == 0)


def test_without_parts_of_speech_all_words_have_tag_0() -> None:
    _, head = make()
    streams, given, targets = data([4, 2])
    none = {"pos": torch.zeros_like(given["pos"])}
    assert head.loss(streams, {}, targets) == head.loss(streams, none, targets)
    assert head.loss(streams, {}, targets) != head.loss(streams, given, targets)


@pytest.mark.parametrize("scheme", ["exact", "as_released"])
@pytest.mark.parametrize("joint", [True, False])
def test_in_chunks_or_whole(joint: bool, scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long texts are scored some rows at a time and made again on the way back: same numbers, dropout too."""
    _, head = make(joint, scheme=scheme)
    streams, given, targets = data([9, 3, 7], joint)

    def run() -> list[Tensor]:
        torch.manual_seed(3)
        loss = head.loss(streams, given, targets)
        return [loss, *gradients(head, loss), *head.predict(streams, given).values()]

    head.dropout.p = 0.3
    head.train()
    whole, sizes, inner = run(), [], head.log_final

    def watched(words: Any, *at: Tensor) -> Tensor:
        sizes.append(len(at[0]))
        return inner(words, *at)

    monkeypatch.setattr(head, "log_final", watched)
    for cells in (1, 11, 40):
        monkeypatch.setattr(word_pairs, "CELLS_PER_CHUNK", cells)
        monkeypatch.setattr(word_pairs, "MAX_STORED_CELLS", cells)  # and so what lies between is made again
        sizes.clear()
        for ours, theirs in zip(run(), whole):
            torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)
        assert len(sizes) > 3 and max(sizes) <= max(cells, 3 * 9 if joint else 1)  # one row of every document at least


def test_what_it_needs_and_makes() -> None:
    assert WordPairs().needs() == {"fused"} and WordPairs(input_stream="text").needs() == {"text"}
    assert WordPairs().makes() == {"relations"} and WordPairs(mentions=("a",)).makes() == {"cells"}
    assert make()[1].classes == len(class_names(MENTIONS, LABELS)) == 5
    assert make(labels=("peer",))[1].classes == 4 and make(joint=False)[1].classes == 3


# --- with the codec


def posts() -> list[Document]:
    """Small posts whose tokens below are random: neighbours, a direction, a symmetric relation, a lone mention."""
    plans = [
        (6, [(0, 1, "per"), (2, 2, "per"), (4, 5, "loc")], [(0, 1, "peer"), (0, 2, "contain")]),
        (4, [(0, 0, "loc"), (1, 3, "per")], [(1, 0, "contain")]),
        (1, [(0, 0, "per")], []),
        (5, [], []),
        (5, [(1, 1, "per"), (3, 4, "per")], [(0, 1, "contain"), (1, 0, "contain")]),
    ]
    out = []
    for k, (n, mentions, relations) in enumerate(plans):
        d = Document.from_words(f"d{k}", [f"w{i}" for i in range(n)])
        out.append(
            d.replace(
                mentions=[
                    Mention(id=f"e{m}", start=d.words[a].start, end=d.words[b].end, label=label)
                    for m, (a, b, label) in enumerate(mentions)
                ],
                relations=[Relation(head=f"e{a}", tail=f"e{b}", label=label) for a, b, label in relations],
            )
        )
    return out


@pytest.mark.parametrize(
    ("scheme", "contrast"), [("exact", "literal"), ("exact", "log"), ("exact", None), ("as_released", "literal")]
)
def test_learns_a_handful_of_posts_by_heart(scheme: Any, contrast: str | None) -> None:
    """Through cells, training, answers and back: the documents as the scheme holds them, without one error."""
    documents, symmetric = posts(), ("peer",)
    config = WordPairs(
        labels=LABELS,
        mentions=MENTIONS,
        symmetric=symmetric,
        scheme=scheme,
        contrast=contrast,
        width=24,
        channels=Channels(width=10),
        dropout=0.0,
    )
    torch.manual_seed(0)
    head: Any = config.build({"fused": D})
    encoded = encode_batch(documents, MENTIONS, LABELS, scheme=scheme, symmetric=symmetric)
    cells = torch.from_numpy(stack_cells(encoded.cells))
    mask = torch.arange(6) < torch.tensor([len(d.words) for d in documents])[:, None]
    streams = {"fused": Stream(torch.randn(5, 6, D), mask)}
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        head.loss(streams, {}, {"cells": cells}).backward()
        optimizer.step()
    with torch.no_grad():
        found = head.predict(streams, {})
    read = decode_batch(
        found["cells"].numpy(),
        documents,
        MENTIONS,
        LABELS,
        scores=found["cell_scores"].numpy(),
        scheme=scheme,
        symmetric=symmetric,
    )
    if scheme == "exact":
        want = [facts(d.mentions, d.relations, symmetric) for d in documents]
    else:
        gold = decode_batch(encoded.cells, documents, MENTIONS, LABELS, scheme=scheme, symmetric=symmetric)
        want = [facts(*x, symmetric) for x in gold]
    assert [facts(*x, symmetric) for x in read] == want and any(x[1] for x in want)


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_learns_given_pairs_by_heart(contrast: str | None) -> None:
    _, head = make(joint=False, contrast=contrast, width=16)
    streams, given, targets = data([5, 2, 7, 6, 4], joint=False)
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        head.loss(streams, given, targets).backward()
        optimizer.step()
    real = given["pairs_mask"]
    assert (head.predict(streams, given)["relations"][real] == targets["relations"][real]).all()
