"""Ray Data on two nodes of one machine: the folder is that of one process, whatever is lost in between.

One cluster for the file: starting it and its workers takes about 9 CPU seconds. Without the extra `ray` the file is
skipped; `.ci/run` installs it.
"""

import errno
import json
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from openmie.errors import OpenMIEError
from openmie.formats import registry, sharded_output
from openmie.formats.sharded_output import open_output_folder
from openmie.inference import pipeline
from openmie.inference.worker_pool import predict_in_workers
from openmie.inference.worker_process import PredictorSpec

ray = pytest.importorskip("ray", reason="the extra ray is not installed: pip install '.[ray]'")
from openmie.inference.ray_engine import RayJob, predict_on_ray  # noqa: E402

ROOT = Path(__file__).parents[3]
STUB = "tests.fixtures.post_workers:first_word"
POSTS = 300
USED = Counter()
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    """A head that runs no actor, and a node that does; more are added by tests."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["PYTHONPATH"] = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
    small = {"object_store_memory": 80 << 20, "include_dashboard": False}
    made = Cluster(True, head_node_args={"num_cpus": 0, "_system_config": quick, **small})
    made.small = {"object_store_memory": 80 << 20}
    made.first = made.add_node(num_cpus=1, **made.small)
    ray.init(address=made.address, log_to_driver=False, logging_level="error")
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setattr(sharded_output, "SHARD_POSTS", 64)
    rows = [{"id": f"p{i}", "text": f"Ada{i} is here", "url": f"=u{i}"} for i in range(POSTS)]
    lines = [json.dumps(row) for row in rows]
    lines[3] = '{"txt": broken'
    lines[70] = json.dumps({"id": "p70", "text": "poison"})
    (tmp_path / "posts").mkdir()
    (tmp_path / "posts" / "a.jsonl").write_text("\n".join(lines[:200]) + "\n", encoding="utf8")
    (tmp_path / "posts" / "b.jsonl").write_text("\n".join(lines[200:]) + "\n", encoding="utf8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(folder, engine, *, workers=1, seconds=0.0, source="posts", stop=None, log=""):
    """The job, by Ray or in processes of this machine; `stop(number)` is called before each row."""
    spec = PredictorSpec(STUB, {"log": str(log), "seconds": seconds}, folder=os.getcwd())
    with open_output_folder(folder, {"--model": "stub"}, unit=16) as rows:
        if engine == "ray":
            job = RayJob(spec=spec, reading={"source": [source]}, workers=workers, batch=16)
            found = predict_on_ray(job, rows, used=lambda part: USED.update(part))
        else:
            found = predict_in_workers(spec, rows.pending(pipeline.read_posts([source])), workers, 16)
        for number, document in enumerate(found):
            if stop:
                stop(number)
            rows.add(document)
        rows.finish()
    return {p.name: p.read_bytes() for p in Path(folder).iterdir()}


@pytest.fixture
def whole(here):
    return run(here / "local", "local", workers=2)


def actors():
    """Process ids of the actors that predict."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                title = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if title.startswith(b"ray::MapWorker"):
                found.append(int(folder.name))
    return found


def test_ray_goes_on_where_a_job_stopped_and_writes_what_one_machine_writes(cluster, here, whole):
    """A full disk in the middle, then the rest: equal bytes, a poisoned post and a bad row included."""

    def full(number):
        if number == 150:
            raise OSError(errno.ENOSPC, "no space left on device")

    with pytest.raises(OSError, match="no space"):
        run(here / "ray", "ray", stop=full)
    assert len(list((here / "ray").glob("part-*"))) == 2
    log = here / "log"
    log.mkdir()
    assert run(here / "ray", "ray", log=log) == whole
    assert len(list(log.iterdir())) <= (POSTS - 128) // 16 + 8, "what was finished is not predicted again"
    assert USED["read"] >= POSTS - 1, "what workers use comes back with their batches"
    told = [d for d in registry.read(here / "ray" / "part-00002.jsonl") if d.errors]
    assert [(d.id, d.errors[0].found) for d in told] == [
        ("p70", "the process that read this post ended (signal SIGSEGV)")
    ]


def test_a_killed_actor_and_a_killed_node_cost_nothing(cluster, here, whole):
    """One of two actors is killed at row 20, one of two nodes at row 100; the other predicts what they had."""
    second = cluster.add_node(num_cpus=1, **cluster.small)
    killed = []

    def stop(number):
        if number == 20:
            os.kill(actors()[0], signal.SIGKILL)
            killed.append("actor")
        if number == 100:
            cluster.remove_node(second, allow_graceful=False)
            killed.append("node")

    assert run(here / "ray", "ray", workers=2, seconds=0.01, stop=stop) == whole
    assert killed == ["actor", "node"]


def test_an_error_of_the_model_or_the_reader_is_told_as_on_one_machine(cluster, here):
    (here / "broken.jsonl").write_text('{"text": "broken model"}\n', encoding="utf8")
    with pytest.raises(OpenMIEError, match="a broken model"):
        run(here / "out", "ray", source="broken.jsonl")
    with pytest.raises(OpenMIEError, match=r"nothing\.jsonl: no such file"):
        run(here / "other", "ray", source="nothing.jsonl")
