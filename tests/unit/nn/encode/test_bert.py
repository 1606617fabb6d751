"""BERT in plain torch against the library transformers: states, gradients, names; layers in parts; packed words."""

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, XLMRobertaConfig, XLMRobertaModel

from openmie.errors import RecipeError
from openmie.model import packed_e5
from openmie.nn.encode.bert import Bert, BertSizes, build_loaded
from openmie.nn.encode.packed_embedding import PackedEmbedding

SIZES = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
}
KINDS = {
    "bert": (BertConfig, BertModel, {"layer_norm_eps": 1e-3}),
    "xlm-roberta": (XLMRobertaConfig, XLMRobertaModel, {"pad_token_id": 1, "type_vocab_size": 1}),
}


def pair(kind):
    """The library's encoder with random weights, norms included, and ours that loaded its state dict."""
    torch.manual_seed(0)
    make, cls, more = KINDS[kind]
    config = make(**SIZES, **more)
    theirs = cls(config, add_pooling_layer=False).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_(std=0.3)
    ours = Bert(BertSizes.of_config(config.to_dict()))
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return theirs, ours.eval()


def batch(rows=4, longest=38, pad=1):
    draw = torch.Generator().manual_seed(3)
    mask = torch.arange(longest)[None] < torch.tensor([longest, 1, 7, 20])[:rows, None]
    ids = torch.randint(4, 60, (rows, longest), generator=draw)
    return ids.masked_fill(~mask, pad), mask


@pytest.mark.parametrize("kind", KINDS)
def test_states_and_gradients_are_those_of_the_library(kind):
    theirs, ours = pair(kind)
    ids, mask = batch()
    expected = theirs(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    found = ours(ids, mask)
    assert (found - expected)[mask].abs().max() < 1e-5
    for states in (expected, found):
        states[mask].pow(3).sum().backward()
    names = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        other = names[name].grad
        gap = (parameter.grad - other).abs().max() / other.abs().max().clamp_min(1e-6)
        assert gap < 1e-3, name


@pytest.mark.parametrize("kind", KINDS)
def test_it_agrees_without_a_mask_and_up_to_its_longest_sequence(kind):
    theirs, ours = pair(kind)
    longest = ours.sizes.max_tokens
    assert longest == {"bert": 40, "xlm-roberta": 38}[kind]
    ids = torch.randint(4, 60, (2, longest), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.allclose(ours(ids), theirs(input_ids=ids).last_hidden_state, atol=1e-5)


def test_layers_run_in_parts_are_the_whole():
    _, ours = pair("bert")
    ids, mask = batch()
    with torch.no_grad():
        lower = ours.run_layers(ours.embed(ids), mask, 0, 2)
        assert torch.equal(ours.run_layers(lower, mask, 2), ours(ids, mask))
        assert torch.equal(ours.run_layers(lower, mask, 2, 2), lower)


def test_a_row_of_padding_is_finite_and_changes_no_other():
    _, ours = pair("bert")
    ids, mask = batch()
    empty = mask.clone()
    empty[1] = False
    states = ours(ids, empty)
    states.sum().backward()
    assert states.isfinite().all() and all(p.grad.isfinite().all() for p in ours.parameters())
    assert torch.allclose(states[[0, 2, 3]], ours(ids, mask)[[0, 2, 3]], atol=1e-6)


def test_dropout_is_of_training_alone():
    sizes = BertSizes(vocabulary=60, width=32, layers=2, heads=4, hidden=48, positions=40, dropout=0.5)
    model = Bert(sizes)
    ids, mask = batch()
    assert not torch.equal(model(ids, mask), model(ids, mask))
    assert torch.equal(model.eval()(ids, mask), model(ids, mask))


def packed(rows, width, seed=0):
    """Random blocks of 4 bits."""
    draw = np.random.default_rng(seed)
    scale = draw.normal(size=(rows, width // 32, 1)).astype("<f2").view("u1").reshape(rows, width // 32, 2)
    codes = draw.integers(0, 256, (rows, width // 32, 16), dtype=np.uint8)
    return torch.from_numpy(np.concatenate([scale, codes], 2))


def test_packed_rows_are_unpacked_as_a_loop_does():
    blocks = packed(20, 64)
    ids = torch.tensor([[3, 19, 0], [3, 7, 7]])
    found = PackedEmbedding(blocks)(ids)
    assert found.shape == (2, 3, 64) and found.dtype == torch.float32
    for row, id in zip(found.flatten(0, 1), ids.flatten().tolist()):
        for i in range(64):
            raw = blocks[id, i // 32].numpy().tobytes()
            byte = raw[2 + i % 16]
            code = byte % 16 if i % 32 < 16 else byte // 16
            assert row[i].item() == (code - 8) * float(np.frombuffer(raw, "<f2", 1)[0])


def test_packed_embeddings_take_the_place_of_the_table():
    _, full = pair("bert")
    words = PackedEmbedding(packed(60, 32))
    full.embeddings.word_embeddings.weight.data = words(torch.arange(60))
    state = {k: v for k, v in full.state_dict().items() if "word_embeddings" not in k}
    lean = build_loaded(full.sizes, state, words)
    ids, mask = batch()
    assert torch.equal(lean(ids, mask), full(ids, mask))
    assert not [n for n, _ in lean.named_parameters() if "word_embeddings" in n]


def test_weights_that_do_not_fit_are_refused():
    _, model = pair("bert")
    state = model.state_dict()
    lost = state.pop("encoder.layer.1.output.dense.bias")
    with pytest.raises(RecipeError, match=r"encoder\.layer\.1\.output\.dense\.bias"):
        build_loaded(model.sizes, state)
    with pytest.raises(RecipeError, match="do not fit"):
        build_loaded(model.sizes, {**state, "encoder.layer.1.output.dense.bias": lost[:-1]})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model_type": "gpt2"}, "gpt2"),
        ({"hidden_act": "relu"}, "relu"),
        ({"position_embedding_type": "relative_key"}, "relative_key"),
        ({"hidden_size": None}, "hidden_size"),
    ],
)
def test_other_networks_are_refused(change, words):
    with pytest.raises(RecipeError, match=words):
        BertSizes.of_config({**SIZES, **change})


def test_the_real_e5_agrees_with_the_library():
    real = packed_e5.load()
    theirs = BertModel.from_pretrained(
        None, config=BertConfig(**real.config), state_dict=real.tensors, add_pooling_layer=False
    ).eval()
    ours = build_loaded(BertSizes.of_config(real.config), real.tensors)
    mask = torch.arange(60)[None] < torch.tensor([60, 9, 33])[:, None]
    ids = torch.randint(4, 250_000, (3, 60), generator=torch.Generator().manual_seed(0)).masked_fill(~mask, 1)
    with torch.inference_mode():
        expected = theirs(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        assert (ours(ids, mask) - expected)[mask].abs().max() < 1e-5
