"""Worker processes: the same documents for any number of them, and a post that ends its process is recorded alone."""

import pytest

from openmie.data.document import Document
from openmie.errors import ErrorRecord, ModelError, OpenMIEError
from openmie.inference import isolation
from openmie.inference.isolation import Isolation
from openmie.inference.post_lines import decode, encode
from openmie.inference.worker_pool import predict_in_workers
from openmie.inference.worker_process import PredictionFailed, PredictorSpec, WorkerEnded
from tests.fixtures.post_workers import FirstWord

STUB = "tests.fixtures.post_workers:first_word"
UNREAD = ErrorRecord(where="posts.jsonl:4", found="no JSON")


def posts(count, **changed):
    return [Document(id=f"p{i}", text=changed.get(f"p{i}", f"Ada{i} is here \u2028 都灵")) for i in range(count)]


class Crashing:
    """A worker that ends where one of the posts is poisoned, as a process does."""

    def __init__(self, poisoned, failing=(), lost=0):
        self.poisoned, self.failing, self.lost, self.asked = poisoned, failing, lost, []

    def predict(self, lines):
        ids = [decode(line).id for line in lines]
        self.asked.append(len(ids))
        if self.lost:
            self.lost -= 1
            raise WorkerEnded("signal SIGKILL")
        if {*ids} & {*self.poisoned}:
            raise WorkerEnded("signal SIGSEGV")
        if {*ids} & {*self.failing}:
            raise PredictionFailed("ValueError: no")
        return list(lines)


def isolated(worker, count=64):
    return [decode(line) for line in Isolation(worker).predict([encode(d) for d in posts(count)])]


def test_poisoned_posts_are_found_by_halving_and_all_others_are_predicted():
    worker = Crashing(["p5", "p40"], ["p41"])
    found = isolated(worker)
    assert [d.id for d in found] == [f"p{i}" for i in range(64)]
    told = {d.id: d.errors[0].found for d in found if d.errors}
    assert told == {
        "p5": "the process that read this post ended (signal SIGSEGV)",
        "p40": "the process that read this post ended (signal SIGSEGV)",
        "p41": "reading this post failed (ValueError: no)",
    }
    assert len(worker.asked) < 32  # of 64 posts


def test_a_process_that_is_killed_once_costs_no_halving():
    worker = Crashing([], lost=1)
    assert not any(d.errors for d in isolated(worker)) and worker.asked == [64, 64]


def test_where_every_post_ends_the_process_the_job_ends():
    worker = Crashing([f"p{i}" for i in range(64)])
    with pytest.raises(ModelError, match="16 posts one after the other"):
        isolated(worker)
    assert len(worker.asked) < 64 and isolation.PATIENCE == 16


def test_processes_predict_as_this_one_does_and_survive_their_end(tmp_path):
    """Two processes: one is killed once, one post crashes it; order, records and batches are those of one process."""
    items = posts(20, p3="poison", p9="once only")
    items[5] = UNREAD
    told, used = [], []
    spec = PredictorSpec(STUB, {"log": str(tmp_path)})
    found = list(predict_in_workers(spec, items, 2, 4, told.append, used.append))
    assert sum(u["read"] for u in used) == 20 - 1  # all but the post that crashes its process
    (tmp_path / "once").touch()
    whole = [FirstWord(str(tmp_path))(items[at : at + 4]) for at in range(4, 20, 4)]
    expected = [d for batch in whole for d in batch if d.id != "p9"]
    assert [d for d in found[4:] if d.id != "p9"] == expected and len(expected) == 15
    assert [d.id for d in found[:4]] == ["p0", "p1", "p2", "p3"] and [bool(d.errors) for d in found[:4]] == [0, 0, 0, 1]
    assert found[9].mentions[0].score == found[8].mentions[0].score, "a killed process's batch is tried as a whole"
    assert told == [{"says": "a stub", "reads_images": False}]


def test_an_error_of_the_model_ends_the_job():
    spec = PredictorSpec(STUB)
    with pytest.raises(OpenMIEError, match="a broken model"):
        list(predict_in_workers(spec, posts(3, p1="broken model"), 1, 4))
