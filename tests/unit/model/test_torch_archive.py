"""Old files of `torch.save`: the tensors are those that torch reads, nothing is run, damage is refused."""

import io
import pickle

import pytest
import torch
from torch import nn

from openmie.errors import ModelError
from openmie.model.torch_archive import read_state


def saved(module):
    stream = io.BytesIO()
    torch.save(module.state_dict(), stream, _use_new_zipfile_serialization=False)
    return stream.getvalue()


@pytest.fixture
def module():
    return nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Linear(5, 2))


def test_it_reads_what_torch_reads(module):
    data, state = saved(module), module.state_dict()
    found = read_state(data, {k: torch.empty_like(v) for k, v in state.items()}, "file")
    again = torch.load(io.BytesIO(data), weights_only=True)
    assert found.keys() == again.keys() and all(torch.equal(found[k], again[k]) for k in again)
    assert found["1.num_batches_tracked"].dtype == torch.int64


def test_axes_may_be_saved_in_another_order(module):
    """As of weights that came from TensorFlow: the numbers lie in the order of the strides."""
    state = {"a.weight": torch.rand(3, 3, 2, 4).permute(3, 2, 0, 1), "b.weight": torch.rand(5)}
    stream = io.BytesIO()
    torch.save(state, stream, _use_new_zipfile_serialization=False)
    wanted = {"a.weight": torch.empty(3, 3, 2, 4).permute(3, 2, 0, 1), "b.weight": torch.empty(5)}
    found = read_state(stream.getvalue(), wanted, "file")
    assert found["a.weight"].shape == (4, 2, 3, 3) and all(torch.equal(found[k], state[k]) for k in state)


def test_a_file_that_is_damaged_or_of_another_module_is_refused(module):
    data, state = saved(module), module.state_dict()
    for size in [*range(0, len(data), 37), len(data) - 1]:
        with pytest.raises(ModelError):
            read_state(data[:size], state, "file")
    with pytest.raises(ModelError, match=r"no tensor '3.weight'"):
        read_state(data, {**state, "3.weight": torch.empty(1)}, "file")
    with pytest.raises(ModelError, match=r"another length for '2.bias'"):
        read_state(data, {**state, "2.bias": torch.empty(3)}, "file")
    with pytest.raises(ModelError, match="a storage of no tensor"):
        read_state(data, {k: v for k, v in state.items() if k != "2.bias"}, "file")
    with pytest.raises(ModelError):
        read_state(data + b"x", state, "file")


def test_a_pickle_that_would_run_code_runs_none(module, tmp_path):
    class Ill:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    data = b"".join(pickle.dumps(x, 2) for x in (1, 2, {}, Ill(), []))
    with pytest.raises(ModelError):
        read_state(data, module.state_dict(), "file")
    assert not (tmp_path / "ran").exists()
