"""Two processes on one machine: contrastive losses see the rows of both, and training ends in one model."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from openmie.errors import TrainError
from openmie.model.pretrained import Model
from openmie.nn.align.infonce import InfoNCE
from openmie.train import fit
from openmie.train.feature_cache import Features, cache_frozen
from openmie.train.loop import prepare_machine
from tests.fixtures import small

# Started and supervised by torchrun's own agent, as forks, since importing is most of the time; one launch and one
# process group for all: each part writes what its test reads.
SCRIPT = """
import json, sys, torch, torch.distributed as dist
from pathlib import Path
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from openmie.nn.align.infonce import InfoNCE
from openmie.train import fit
from openmie.train.gather import across_processes
from tests.fixtures import small
from tests.unit.train.test_distributed import cached, curve
out, bert = Path(sys.argv[1]), sys.argv[2]

def train(name, recipe, documents, dev, **options):
    done = list(fit(recipe, documents, dev, out=out / name, **options))[-1]
    told = [dist.get_world_size(), done.kind, done.step, done.steps]
    (out / f"{name}-{dist.get_rank()}.json").write_text(json.dumps(told))

def work():
    recipe = small.recipe("ner", encode__text__name=bert, training__epochs="2", training__batch_size="16")
    train("model", recipe, small.documents(40), small.documents(8), seed=3)
    for event in fit(recipe, small.documents(40), small.documents(8), out=out / "again", seed=3, checkpoint_every=2):
        if event.step == 5:
            break                                                         # behind the checkpoint of step 4
    train("again", recipe, small.documents(40), small.documents(8), seed=3)
    events = fit(recipe, small.documents(40), small.documents(8), out=out / "stopped", seed=3, checkpoint_every=0)
    event, told = next(events), []
    while event is not None:
        told.append([event.kind, event.step])
        try:
            event = events.send(dist.get_rank() == 1 and event.step == 2)  # Ctrl-C that reached one of them alone
        except StopIteration:
            event = None
    (out / f"interrupted-{dist.get_rank()}.json").write_text(json.dumps(told))
    train("stopped", recipe, small.documents(40), small.documents(8), seed=3)
    bare = [d.replace(images=()) if i % 2 else d for i, d in enumerate(small.documents(11))]
    recipe = small.recipe("ner", encode__text__name=bert, training__epochs="4", training__batch_size="2")
    train("bare", recipe, bare, small.documents(2))
    computed = len(cached(out / "features.sqlite", out / "bert", dist.get_rank(), 2)[1])
    (out / f"computed-{dist.get_rank()}.json").write_text(json.dumps(computed))
    (out / f"curve-{dist.get_rank()}.json").write_text(json.dumps(curve(out / "curve", out / "bert")))

    torch.manual_seed(0)
    a, b, layer = torch.randn(6, 4), torch.randn(6, 4), torch.nn.Linear(4, 4)
    part = slice(0, 4) if dist.get_rank() == 0 else slice(4, 6)          # uneven on purpose
    loss = InfoNCE()(across_processes(layer(a[part])), across_processes(layer(b[part])))
    loss.backward()
    dist.all_reduce(layer.weight.grad)                                    # what DDP does: the mean over processes
    if dist.get_rank() == 0:
        (out / "gathered.json").write_text(json.dumps([loss.item(), (layer.weight.grad / 2).tolist()]))
    dist.destroy_process_group()

where = LaunchConfig(min_nodes=1, max_nodes=1, nproc_per_node=2, run_id="two", rdzv_backend="c10d",
                     rdzv_endpoint="localhost:0", max_restarts=0, start_method="fork")
elastic_launch(where, work)()
"""


def curve(out, bert):
    """Numbers of each step, with the last dev score, of a training without what is each process's own.

    That is dropout, and the statistics of batch normalisation, which a frozen vision encoder does not take.
    """
    vision = '{"kind": "Vision", "freeze": true}'
    recipe = small.recipe(
        "ner", encode__text__name=str(bert), fuse__dropout="0.0", heads__dropout="0.0", encode__vision=vision
    )
    found = []
    for event in fit(recipe, small.documents(43, every=5), small.documents(8), out=out, seed=3):
        if event.kind == "step":
            found.append({k: v for k, v in event.values.items() if k.startswith(("loss", "norm"))} | {"f1": 0.0})
        if event.kind == "dev":
            found[-1]["f1"] = event.values["f1"]
    return found


def cached(path, bert, process=0, processes=1):
    """Examples with keys of their frozen states, and the keys of those that this process computed."""
    frozen = {"encode__vision": '{"kind": "Vision", "freeze": true}', "encode__text__freeze": "true"}
    torch.manual_seed(0)
    model, put = Model.new(small.recipe("ner", encode__text__name=str(bert), **frozen)), []
    model.featurizer.cached_states = store = Features(path)
    write = store.put
    store.put = lambda states: (put.extend(states), write(states))
    documents = [d.replace(text=f"{d.text} {i}", words=()) for i, d in enumerate(small.documents(11))]
    examples = model.featurizer.featurize(documents)
    cache_frozen(model, examples, path, 2, process, processes)
    assert all(key in store for e in examples for key in (*e.cached["text"], *(k for _, k in e.cached["vision"])))
    return examples, put


@pytest.fixture(scope="module")
def folder(tmp_path_factory, bert, python):
    """What the two processes left."""
    out = tmp_path_factory.mktemp("distributed")
    shutil.copytree(bert, out / "bert")
    config = json.loads((out / "bert" / "config.json").read_text())
    config |= {"attention_probs_dropout_prob": 0.0, "hidden_dropout_prob": 0.0}
    (out / "bert" / "config.json").write_text(json.dumps(config))
    done = python.run(SCRIPT, out, bert, cwd=Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr[-3000:]
    return out


def told(folder, name):
    return [json.loads((folder / f"{name}-{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.slow
def test_gathered_loss_and_gradient_are_those_of_one_process(folder):
    loss, gradient = json.loads((folder / "gathered.json").read_text())
    torch.manual_seed(0)
    a, b, layer = torch.randn(6, 4), torch.randn(6, 4), torch.nn.Linear(4, 4)
    whole = InfoNCE()(layer(a), layer(b))
    whole.backward()
    assert abs(loss - whole.item()) < 1e-6
    torch.testing.assert_close(torch.tensor(gradient), layer.weight.grad, atol=1e-6, rtol=1e-5)


@pytest.mark.slow
def test_two_processes_train_one_model(folder):
    for processes, kind, step, steps in told(folder, "model"):
        assert (processes, kind) == (2, "done") and step == steps > 0
    assert load_file(folder / "model" / "model.safetensors")


@pytest.mark.slow
def test_two_processes_resume_to_the_same_bits(folder):
    """Each draws its own dropout, from a random state of its own."""
    for processes, kind, step, _ in told(folder, "again"):
        assert (processes, kind, step) == (2, "done", 6)
    for name in ("model.safetensors", "checkpoints/step-6-2-0-1/trainer.safetensors"):
        assert (folder / "again" / name).read_bytes() == (folder / "model" / name).read_bytes()
    states = load_file(folder / "model" / "checkpoints" / "step-6-2-0-1" / "trainer.safetensors")
    assert not torch.equal(states["rng.0.torch"], states["rng.1.torch"])


@pytest.mark.slow
def test_ctrl_c_in_one_process_saves_once_and_ends_both(folder):
    """The step that both have done is in one checkpoint, from which they go on to the same bits."""
    for events in told(folder, "interrupted"):
        assert events[-2:] == [["step", 2], ["interrupted", 2]]
    for processes, kind, step, _ in told(folder, "stopped"):
        assert (processes, kind, step) == (2, "done", 6)
    assert (folder / "stopped" / "model.safetensors").read_bytes() == (
        folder / "model" / "model.safetensors"
    ).read_bytes()


@pytest.mark.slow
def test_several_processes_are_one_run(folder):
    """Two processes share each batch, the short one too; a process may see no image in a step."""
    assert [t[:3] for t in told(folder, "bare")] == [[2, "done", 24]] * 2


@pytest.mark.slow
def test_loss_curves_of_two_processes_are_those_of_one(folder, tmp_path):
    """Of head and alignment, with texts of other lengths, documents without images and a last batch of three."""
    one, two = curve(tmp_path, folder / "bert"), told(folder, "curve")
    assert two[0] == two[1] and len(one) == len(two[0]) == 12
    assert one[-1]["loss/tags"] < 0.7 * one[0]["loss/tags"]
    for name in ("loss", "loss/tags", "loss/infonce(text,vision)", "norm", "f1"):
        torch.testing.assert_close(
            torch.tensor([e[name] for e in two[0]]), torch.tensor([e[name] for e in one]), atol=2e-4, rtol=2e-4
        )


@pytest.mark.slow
def test_frozen_states_are_computed_once_by_all_processes_together(folder, tmp_path):
    """Each reads its part of the documents, and knows the keys of all."""
    examples, put = cached(tmp_path / "one.sqlite", folder / "bert")
    shares = told(folder, "computed")
    assert sum(shares) == len(put) == len({*put}) and min(shares) >= len(put) // 3
    again, none = cached(folder / "features.sqlite", folder / "bert")
    assert not none and [e.cached for e in again] == [e.cached for e in examples]


def test_one_process_where_accelerate_was_asked_for_several_is_an_error(monkeypatch):
    """`accelerate launch --cpu --num_processes 2` starts one process, which has these variables of it."""
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    monkeypatch.setenv("MASTER_PORT", "29500")
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(TrainError, match=r"one process.*torchrun --nproc-per-node N.*--multi_gpu"):
        prepare_machine(0, "no")
