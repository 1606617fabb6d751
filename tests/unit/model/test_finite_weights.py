"""A model whose weights are no numbers is refused when it is loaded: it would predict nothing, and say nothing."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from openmie.base.adapter import adapt
from openmie.base.text_files import FILE, load_into, save
from openmie.errors import ModelError
from openmie.model.finite_weights import check_finite
from openmie.model.pretrained import Model, load
from tests.fixtures import small
from tests.unit.base.tiny import tiny_model


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_trained_model_with_odd_weights_is_refused(tmp_path, value):
    torch.manual_seed(0)
    Model.new(small.recipe("ner", "text")).save_pretrained(tmp_path)
    load(tmp_path)
    state = load_file(tmp_path / "model.safetensors")
    name = next(n for n in state if n.endswith("transitions"))
    state[name][0, 0] = value
    save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=f"NaN or infinity in 1 of {len(state)} tensors, such as {name}"):
        load(tmp_path)


def test_a_base_model_with_odd_weights_is_refused(tmp_path):
    model = tiny_model()
    adapt(model.upper, model.settings.rank)
    save(model, tmp_path)
    state = load_file(tmp_path / FILE)
    next(iter(state.values())).view(-1)[0] = float("nan")
    save_file(state, tmp_path / FILE)
    with pytest.raises(ModelError, match="NaN"):
        load_into(tiny_model(), tmp_path)


def test_whole_numbers_and_empty_tensors_are_finite(tmp_path):
    check_finite({"a": torch.arange(3), "b": torch.zeros(0), "c": torch.ones(2).half()}, tmp_path)
