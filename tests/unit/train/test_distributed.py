"""Two processes on one machine: contrastive losses see the rows of both, and training ends in one model."""

import json
import subprocess
import sys
from pathlib import Path

import torch

from openmie.nn.align.infonce import InfoNCE

GATHER = """
import json, sys, torch, torch.distributed as dist
from openmie.nn.align.infonce import InfoNCE
from openmie.train.gather import across_processes
dist.init_process_group("gloo")
torch.manual_seed(0)
a, b, layer = torch.randn(6, 4), torch.randn(6, 4), torch.nn.Linear(4, 4)
part = slice(0, 4) if dist.get_rank() == 0 else slice(4, 6)          # uneven on purpose
loss = InfoNCE()(across_processes(layer(a[part])), across_processes(layer(b[part])))
loss.backward()
dist.all_reduce(layer.weight.grad)                                    # what DDP does: the mean over processes
if dist.get_rank() == 0:
    json.dump([loss.item(), (layer.weight.grad / 2).tolist()], open(sys.argv[1], "w"))
dist.destroy_process_group()
"""

TRAIN = """
import hashlib, os, sys
from tests.fixtures import small
from openmie.train import fit
events = list(fit(small.recipe("ner", encode__text__name=sys.argv[2], training__epochs="2"), small.documents(40),
                  small.documents(8), out=sys.argv[1], seed=3))
assert events[-1].kind == "done" and events[-1].step == events[-1].steps, events[-1]
"""


def launch(tmp_path, code, *arguments):
    (tmp_path / "run.py").write_text(code)
    command = [
        str(Path(sys.executable).parent / "torchrun"),
        "--nproc_per_node",
        "2",
        "--master_port",
        "0",
        "--standalone",
        str(tmp_path / "run.py"),
        *map(str, arguments),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        env={**__import__("os").environ, "PYTHONPATH": str(Path(__file__).parents[3]), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_gathered_loss_and_gradient_are_those_of_one_process(tmp_path):
    launch(tmp_path, GATHER, tmp_path / "out.json")
    loss, gradient = json.loads((tmp_path / "out.json").read_text())
    torch.manual_seed(0)
    a, b, layer = torch.randn(6, 4), torch.randn(6, 4), torch.nn.Linear(4, 4)
    whole = InfoNCE()(layer(a), layer(b))
    whole.backward()
    assert abs(loss - whole.item()) < 1e-6
    torch.testing.assert_close(torch.tensor(gradient), layer.weight.grad, atol=1e-6, rtol=1e-5)


def test_two_processes_train_one_model(tmp_path, bert):
    launch(tmp_path, TRAIN, tmp_path / "model", bert)
    assert (tmp_path / "model" / "model.safetensors").exists()
