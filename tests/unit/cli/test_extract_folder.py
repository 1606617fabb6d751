"""`extract --out FOLDER`: whatever stops it, the same command goes on, to the same bytes, and asks nothing twice."""

import contextlib
import json
import os
import resource
import signal
import sys
from collections import Counter

import pytest

from openmie.cli import application as cli
from openmie.cli import base_options
from openmie.cli.extract_predictor import make_worker_predictor
from openmie.data.document import Document, Mention
from openmie.data.folder_lock import hold_folder
from openmie.errors import ErrorRecord
from openmie.formats import parquet, sharded_output
from openmie.inference.post_lines import decode, encode
from openmie.vlm.backends import endpoint
from openmie.vlm.generate import Answer
from openmie.vlm.prompting import request as asked
from tests.fixtures.prompting_stub import Stub, fenced

POSTS = 45
SERVER = ("--system", "schema", "--endpoint", "http://localhost:9/v1", "--model", "m", "--label", "PER=a person")
LOST = ErrorRecord(found="no connection, 6 times", expected="an answer", remedy=endpoint._RUN_AGAIN)


class Server(Stub):
    """Finds the first word of each post. Before it answers request `number`, `stop(number)` may stop the process."""

    def __init__(self, log):
        super().__init__(self.answer)
        self.log, self.stop, self.lost = log, lambda number: None, set()

    def answer(self, request):
        number = len(self.asked) - 1
        self.stop(number)
        text = fenced(request.prompt)[0]
        if number in self.lost:
            return LOST
        with open(self.log, "a", encoding="utf8") as file:
            file.write(text + "\n")
        if "17" in text:  # cut off at its length: paid for all the same
            return Answer(text='{"mentions": [', finish="length")
        return {"mentions": [{"text": text.split()[0], "label": "PER"}]}

    def paid(self):
        return Counter(self.log.read_text(encoding="utf8").split("\n")[:-1])


class Batched:
    """A model whose scores depend on what is predicted together, as those of any network may in the last bits."""

    def __init__(self):
        self.predicted, self.stop = [], lambda number: None

    def identity(self):
        return {"name": "batched"}

    def predict(self, documents):
        documents = list(documents)
        for document in documents:
            self.stop(len(self.predicted))
            self.predicted.append(document.id)
        size = sum(len(d.text) for d in documents) / 1000
        found = Mention(id="m", start=0, end=3, label="PER", score=size)
        return [d.replace(mentions=(found,)) if d.text else d for d in documents]


class InProcess:
    """A worker without a process: what `make_worker_predictor` makes of the parameters predicts here."""

    def __init__(self, spec, model):
        arguments = json.loads(json.dumps(spec.arguments))
        self.made, self.facts = make_worker_predictor(**arguments), {"says": "", "reads_images": True}

    def predict(self, lines):
        return [encode(document) for document in self.made([decode(line) for line in lines])]

    def close(self):
        pass


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setattr(sharded_output, "SHARD_POSTS", 20)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1796000000")
    monkeypatch.chdir(tmp_path)
    rows = [{"id": f"p{i}", "text": f"Ada{i} is here", "url": f"=u{i}"} for i in range(POSTS)]
    lines = [json.dumps(row) for row in rows]
    lines[3] = '{"txt": broken'
    (tmp_path / "posts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf8")
    return tmp_path


@pytest.fixture
def server(here, monkeypatch):
    monkeypatch.setenv("OPENMIE_ANSWERS", str(here / "answers"))
    made = Server(here / "paid.log")
    monkeypatch.setattr(asked, "connect", lambda *_, **__: made)
    return made


@pytest.fixture
def batched(here, monkeypatch):
    made = Batched()
    monkeypatch.setattr(base_options, "load_models", lambda *_, **__: [made])
    monkeypatch.setattr("openmie.inference.pipeline.PREDICTED_TOGETHER", 5)
    monkeypatch.setattr("openmie.inference.pipeline.predict_each.__defaults__", (5,))
    return made


@pytest.fixture
def extract(here, monkeypatch, capfd):
    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["openmie", "extract", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        errors = capfd.readouterr().err
        assert "Traceback" not in errors
        return ended.value.code or 0, errors

    return run


def files(folder):
    """What a job leaves, without the summary, which has its times and costs."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "summary.json"}


def interrupt(at):
    def stop(number):
        if number == at:
            raise KeyboardInterrupt

    return stop


def killed(run):
    """Run in a process that ends itself by kill -9."""
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            run()
        os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


def kill(at):
    def stop(number):
        if number == at:
            os.kill(os.getpid(), signal.SIGKILL)

    return stop


@contextlib.contextmanager
def small_disk(size):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_server_is_asked_once_whatever_stops_the_job(extract, server, here):
    command = ("posts.jsonl", *SERVER, "--out", "found")
    assert extract("posts.jsonl", *SERVER, "--out", "whole")[0] == 3
    whole, server.asked = files(here / "whole"), []
    server.log.unlink()
    (here / "answers").unlink()
    assert set(whole) == {"manifest.json", *(f"part-0000{i}.jsonl" for i in (1, 2, 3))}
    for stop in (interrupt(0), interrupt(9), interrupt(12)):
        server.stop, server.asked = stop, []
        code, errors = extract(*command)
        assert code == 130 and "Interrupted" in errors
    assert "22 posts are finished and kept in found. To go on, run: openmie extract posts.jsonl --system" in errors
    for at in (1, 8):
        server.stop, server.asked = kill(at), []
        killed(lambda: extract(*command))
    server.stop = lambda number: None
    assert extract(*command)[0] == 3
    assert files(here / "found") == whole
    assert set(server.paid().values()) == {1} and len(server.paid()) == POSTS - 1
    server.asked = []
    assert extract(*command)[0] == 3 and not server.asked  # finished: nothing is asked, what failed is told
    assert extract(*command, "--restart")[0] == 3 and not server.asked  # the answers are kept
    assert files(here / "found") == whole


def test_a_lost_network_ends_the_job_and_the_same_command_goes_on(extract, server, here):
    assert extract("posts.jsonl", *SERVER, "--out", "whole")[0] == 3
    server.log.unlink()
    (here / "answers").unlink()
    server.asked, server.lost = [], {2, *range(25, 100)}
    code, errors = extract("posts.jsonl", *SERVER, "--out", "found")
    assert code == 2 and len(server.asked) < POSTS - 1
    assert "16 requests one after the other have no answer (no connection, 6 times)" in errors
    assert "25 posts are finished and kept in found. To go on, run: openmie extract" in errors
    server.asked, server.lost = [], {5}
    code, errors = extract("posts.jsonl", *SERVER, "--out", "found")
    assert code == 3 and "1 posts could not be asked about. To ask again, run: openmie extract" in errors
    server.asked, server.lost = [], set()
    assert extract("posts.jsonl", *SERVER, "--out", "found")[0] == 3 and len(server.asked) == 1
    assert files(here / "found") == files(here / "whole") and set(server.paid().values()) == {1}


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet", "table"])
def test_a_model_predicts_the_same_batches_wherever_it_was_stopped(format, extract, batched, here):
    command = ("posts.jsonl", "--format", format, "--out")
    code, errors = extract(*command, "whole")
    assert code == 3 and "45 posts, 44 mentions, 1 failed, in whole" in errors
    for at in (0, 23, 3):
        batched.stop, batched.predicted = interrupt(at), []
        assert extract(*command, "found")[0] == 130
    if format != "parquet":  # whose library does not work in a forked process
        batched.stop, batched.predicted = kill(7), []
        killed(lambda: extract(*command, "found"))
    batched.stop = lambda number: None
    assert extract(*command, "found")[0] == 3
    assert files(here / "found") == files(here / "whole")
    batched.predicted = []
    assert extract(*command, "found")[0] == 3 and not batched.predicted


def test_a_full_disk_costs_nothing_that_was_finished(extract, batched, here):
    assert extract("posts.jsonl", "--out", "whole")[0] == 3
    for size in (2000, 4000):
        with small_disk(size):
            code, errors = extract("posts.jsonl", "--out", "found")
        assert code == 2 and "file too large" in errors and "To go on, run: openmie extract posts.jsonl" in errors
    assert "are finished and kept in found" in errors and " 0 posts" not in errors
    assert extract("posts.jsonl", "--out", "found")[0] == 3
    assert files(here / "found") == files(here / "whole")


def test_another_job_is_refused_and_says_what_differs(extract, batched, here):
    command = ("posts.jsonl", "--out", "found")
    assert extract(*command)[0] == 3
    before = files(here / "found")
    code, errors = extract(*command, "--threshold", "0.5")
    assert code == 2 and '--threshold ["0.5"], where it was begun with none' in errors and "--restart" in errors
    (here / "more.jsonl").write_bytes((here / "posts.jsonl").read_bytes() + b'{"text": "Bo"}\n')
    code, errors = extract("more.jsonl", "--out", "found")
    assert code == 2 and "posts with contents" in errors
    os.makedirs("model")
    (here / "model" / "weights.safetensors").write_bytes(b"a")
    assert "--model" in extract(*command, "--model", "model")[1] and files(here / "found") == before
    with hold_folder("found"):
        assert "another process is at it" in extract(*command)[1]
    (here / "found" / "part-00002.jsonl").write_bytes(b"")
    assert "part-00002.jsonl has other contents" in extract(*command)[1]
    assert extract(*command, "--restart")[0] == 3 and files(here / "found") == before
    (here / "other").mkdir()
    (here / "other" / "mine.txt").write_text("x")
    assert "something is there already (mine.txt)" in extract("posts.jsonl", "--out", "other", "--restart")[1]
    assert os.listdir(here / "other") == ["mine.txt"]


def test_an_option_may_be_corrected_while_nothing_is_finished(extract, batched, here):
    batched.stop = interrupt(0)
    assert extract("posts.jsonl", "--out", "found")[0] == 130
    batched.stop = lambda number: None
    assert extract("posts.jsonl", "--out", "found", "--threshold", "0.5")[0] == 3


@pytest.mark.parametrize("name", ["a/b/found.jsonl", "found.csv", "found.parquet"])
def test_a_file_keeps_what_was_finished(name, extract, batched, here):
    partial = here / f"{name.removesuffix('.jsonl')}.partial.jsonl"
    for at, finished in ((23, 20), (12, 10), (33, 30)):
        batched.stop, batched.predicted = interrupt(at), []
        code, errors = extract("posts.jsonl", "--out", name)
        assert code == 130 and f"{finished} finished posts are kept in" in errors
        assert len(partial.read_bytes().splitlines()) == finished and os.listdir(partial.parent).count(name) == 0
    batched.stop, batched.predicted = kill(8), []
    for _ in range(2):
        killed(lambda: extract("posts.jsonl", "--out", name))
    assert [p.name for p in partial.parent.iterdir() if p.name.startswith("found")] == [partial.name]
    batched.stop = lambda number: None
    with small_disk(2000):
        code, errors = extract("posts.jsonl", "--out", name)
    assert code == 2 and "finished posts are kept in" in errors and partial.exists()
    assert extract("posts.jsonl", "--out", name)[0] == 3
    left = {p.name for p in partial.parent.iterdir()} - {"posts.jsonl"}
    assert left == {os.path.basename(name)}
    if name.endswith(".parquet"):
        assert len(list(parquet.read(here / name))) == POSTS


def test_csv_has_each_post_with_its_text_and_its_own_columns(extract, batched, here):
    import csv

    assert extract("posts.jsonl", "--out", "found.csv")[0] == 3
    with open("found.csv", encoding="utf8", newline="") as file:
        rows = list(csv.DictReader(file))
    posts = [row for row in rows if row["kind"] == "post"]
    assert [row["text"] for row in posts] == ["" if i == 3 else f"Ada{i} is here" for i in range(POSTS)]
    assert [row["url"] for row in posts] == ["" if i == 3 else f"'=u{i}" for i in range(POSTS)]


def test_output_is_checked_before_a_model_is_loaded(extract, here, monkeypatch):
    monkeypatch.setattr(sharded_output, "SHARD_POSTS", 64)
    monkeypatch.setattr(base_options, "load_models", lambda *_, **__: pytest.fail("a model was loaded"))
    (here / "node").mkdir()
    os.mkfifo(here / "pipe")
    for out, told in (("posts.jsonl/found.jsonl", "a file"), ("pipe/found", "a pipe"), ("found.csv", "unknown")):
        code, errors = extract("posts.jsonl", "--out", out, *(("--format", "cvs") if out == "found.csv" else ()))
        assert code == 2 and told in errors.lower()
    code, errors = extract("posts.jsonl", "--out", "found.jsonl", "--restart")
    assert code == 2 and "--restart with the file" in errors


def test_documents_that_cannot_be_written_do_not_end_the_job(extract, batched, here):
    def spoil(documents):
        return [d.model_copy(update={"source": {"x": float("nan")}}) for d in documents]

    batched.predict = spoil
    code, errors = extract("posts.jsonl", "--out", "found")
    assert code == 3 and "45 failed, in found" in errors
    rows = [Document.from_json(line) for line in (here / "found" / "part-00001.jsonl").read_bytes().splitlines()]
    assert [d.id for d in rows] == ["unread-4" if i == 3 else f"p{i}" for i in range(20)]
    assert all(d.errors for d in rows)


@pytest.mark.parametrize("out", ["found.parquet", "found"])
def test_paths_of_images_are_those_of_the_posts(out, extract, batched, here):
    (here / "a.png").write_bytes(b"a")
    (here / "posts.jsonl").write_text('{"text": "Ada", "image": "a.png"}\n', encoding="utf8")
    assert extract("posts.jsonl", "--out", out, "--format", "parquet")[0] == 0
    written = here / out if out.endswith("parquet") else here / out / "part-00001.parquet"
    (document,) = parquet.read(written, images=here)
    assert os.path.samefile(document.images[0].path, here / "a.png") and not document.errors


@pytest.mark.parametrize(
    "options, told",
    [
        (("--engine", "spark"), "local, ray"),
        (("--engine", "ray", "--out", "o.jsonl"), "--out FOLDER"),
        (("--engine", "ray", "--out", "o", "-"), "files that each node"),
        (("--workers", "-1", "--out", "o"), "0 or more"),
        (("--address", "auto", "--out", "o"), "--engine ray"),
    ],
)
def test_engines_that_cannot_work_are_told_before_a_model_is_loaded(batched, extract, options, told):
    source = () if options[-1] == "-" else ("posts.jsonl",)
    code, errors = extract(*source, *options)
    assert code == 2 and told in errors and not batched.predicted


def test_a_folder_that_one_engine_began_another_finishes(here, batched, extract, monkeypatch):
    """Workers, and Ray's actor without a cluster, write the bytes that one process writes."""
    from openmie.inference import post_batches, ray_engine

    assert extract("posts.jsonl", "--out", "whole")[0] == 3
    whole = files(here / "whole")
    monkeypatch.setattr("openmie.inference.worker_process.WorkerProcess", lambda spec, used: InProcess(spec, batched))
    monkeypatch.setattr("openmie.inference.worker_pool.WorkerProcess", lambda spec, used: InProcess(spec, batched))
    monkeypatch.setattr(ray_engine, "WorkerProcess", lambda spec, used: InProcess(spec, batched))

    def batches(job, finished, used):
        actor = ray_engine._PredictingActor(job.spec)
        for block in ray_engine._read_blocks(job, finished):
            (row,) = actor(block).to_pylist()
            yield post_batches.PostBatch.of_columns(row["hashed"], row["lines"]), json.loads(row["told"])

    monkeypatch.setattr(ray_engine, "_batches", batches)
    monkeypatch.setattr(ray_engine.RayJob, "batch", 5, raising=False)
    batched.stop = interrupt(len(batched.predicted) + 23)
    assert extract("posts.jsonl", "--out", "o", "--workers", "2")[0] == 130
    batched.stop = lambda number: None
    code, errors = extract("posts.jsonl", "--out", "o", "--engine", "ray", "--workers", "3")
    assert code == 3 and files(here / "o") == whole, errors
    assert extract("posts.jsonl", "--out", "o", "--engine", "ray")[0] == 3
