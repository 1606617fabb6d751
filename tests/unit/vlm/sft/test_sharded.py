"""FSDP2 by two processes: checkpoint, kill, resume; and the folder is that of one process."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

from safetensors.torch import load_file  # noqa: E402

from openmie.errors import TrainError  # noqa: E402
from openmie.vlm.backends.model_loading import load_model_and_processor  # noqa: E402
from tests.fixtures import sharded_training, vlm_small  # noqa: E402

ROOT = Path(__file__).parents[4]
PROCESS = """
import sys
from tests.fixtures import sharded_training
sharded_training.cpus_are_accelerators()
sharded_training.main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
"""


def two_processes(python, base, out, killed_at, expected):
    """What torchrun starts, without the third process that it is, and importing once."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    both = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    envs = [{**both, "RANK": rank, "LOCAL_RANK": rank} for rank in "01"]
    done = python.run_together(PROCESS, base, out, killed_at, cwd=ROOT, envs=envs, timeout=500)
    assert [p.returncode for p in done] == [expected] * 2, "\n".join((p.stdout + p.stderr)[-3000:] for p in done)


@pytest.mark.slow
def test_two_processes_killed_and_resumed_give_the_folder_of_one(tmp_path, python):
    """Tolerance: 1e-5 where weights move by 2e-3; sums of gradients in another order gave 4e-7.

    With TRL's own loss under FSDP2 the last layer is off by 4e-3: see `Trainer.compute_loss`.
    """
    base, one, two = tmp_path / "base", tmp_path / "one", tmp_path / "two"
    vlm_small.qwen25(base)
    sharded_training.main(str(base), str(one), 0)
    two_processes(python, base, two, 4, expected=-9)  # in the second epoch, after one checkpoint
    (left,) = (two / "checkpoints").iterdir()
    assert left.name == "checkpoint-2" and {p.suffix for p in left.iterdir()} == {".safetensors", ".json", ""}
    halves = [load_file(left / f"learnt-{k}.safetensors") for k in (0, 1)]
    whole = load_file(one / "model.safetensors")
    assert sum(t.numel() for half in halves for t in half.values()) == sum(t.numel() for t in whole.values())
    with pytest.raises(TrainError, match="of another number of processes"):
        sharded_training.main(str(base), str(two), 0)
    two_processes(python, base, two, 0, expected=0)
    facts = [json.loads((folder / "training.json").read_text(encoding="utf8")) for folder in (one, two)]
    assert [(f["sharded"], f["processes"], f["steps"]) for f in facts] == [(False, 1, 4), (True, 2, 4)]
    assert [[x["loss"] for x in f["curve"]] for f in facts][1] == pytest.approx([x["loss"] for x in facts[0]["curve"]])
    assert sorted(p.name for p in one.iterdir()) == sorted(p.name for p in two.iterdir())
    other, before = load_file(two / "model.safetensors"), load_file(base / "model.safetensors")
    assert whole.keys() == other.keys()
    for name, weight in whole.items():
        assert torch.allclose(weight, other[name], rtol=0, atol=1e-5), name
        assert (weight - before[name]).abs().max() > 5e-4, name
    model, _ = load_model_and_processor(str(two), "", "cpu", "float32")
    assert type(model).__name__ == "Qwen2_5_VLForConditionalGeneration"
