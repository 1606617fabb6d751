"""A corpus of shards is read once, by one process of a machine, and trained on in an order that a seed decides."""

import json
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from openmie.corpora import load
from openmie.data.document_file import DocumentFile
from openmie.formats.registry import write
from openmie.model.pretrained import Model
from openmie.train import fit
from openmie.train.gather import Processes
from openmie.train.lazy_examples import CHUNK, LazyExamples
from openmie.train.length_buckets import Buckets
from openmie.train.shared_documents import documents_on_disk
from tests.fixtures import small


class Team:
    """Processes that are threads of this one."""

    def __init__(self, count):
        self.count, self._values, self._met = count, [None] * count, threading.Barrier(count, timeout=60)

    def run(self, work):
        """What `work` returns in each of them."""
        with ThreadPoolExecutor(self.count) as pool:
            return list(pool.map(lambda r: work(Member(r, self.count, r == 0, team=self)), range(self.count)))

    def exchange(self, index, value):
        self._values[index] = json.dumps(value)
        self._met.wait()
        found = [json.loads(v) for v in self._values]
        self._met.wait()
        return found


@dataclass(frozen=True)
class Member(Processes):
    team: Team = None

    def exchange(self, value):
        return self.team.exchange(self.index, value)


class Watched(list):
    """Documents that know which of them were asked for."""

    def __init__(self, documents):
        super().__init__(documents)
        self.asked = []

    def __getitem__(self, at):
        self.asked.append(at)
        return super().__getitem__(at)


def posts(n):
    """Without pixels in memory; some list no relation, and so nothing that a relation head could learn from."""
    found = [d.replace(images=()) for d in small.documents(n)]
    return [d.replace(relations=()) if i % 5 == 3 else d for i, d in enumerate(found)]


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """1,000 posts in five files."""
    folder = tmp_path_factory.mktemp("shards")
    whole = posts(200)
    for n in range(5):
        write([d.replace(id=f"{n}-{d.id}") for d in whole], folder / f"train-{n:05d}-of-00005.parquet")
    return load(f"parquet:{folder}")


def recipe(bert, task="ner", **changes):
    return small.recipe(task, "text", encode__text__name=bert, **changes)


@pytest.mark.parametrize("task", ["ner", "re"])
@pytest.mark.parametrize("processes", [2, 3])
def test_each_process_counts_a_share_and_all_know_the_whole(task, processes, bert):
    """The shares are disjoint and all documents together; the last chunk is short."""
    model, documents = Model.new(recipe(bert, task)), posts(3 * CHUNK + 9)
    one = LazyExamples(model.featurizer, documents)
    own = [Watched(documents) for _ in range(processes)]
    found = Team(processes).run(lambda member: LazyExamples(model.featurizer, own[member.index], member))
    assert all(o.asked for o in own) and sorted(i for o in own for i in o.asked) == list(range(len(documents)))
    some = range(len(one) - 60, len(one))
    for each in found:
        assert list(each.lengths) == list(one.lengths) and {*each.records} == {*one.records}
        assert [e.index for e in each.__getitems__(some)] == [e.index for e in one.__getitems__(some)]


@pytest.mark.parametrize("pixels", [False, True])
def test_one_process_of_a_machine_reads_and_the_others_open_its_file(pixels, tmp_path):
    """Unless pixels are in memory, which each has to read for itself. Nothing is left of the file."""
    documents, read = small.documents(5) if pixels else posts(5), []

    def work(member):
        facts = {"read": 0}

        def reading():
            for document in documents:
                read.append(member.index)
                facts["read"] += 1
                yield document

        return documents_on_disk(reading(), tmp_path, member, facts), facts

    found = Team(2).run(work)
    assert sorted(read) == ([0] * 5 + [1] * 5 if pixels else [0] * 5) and not list(tmp_path.iterdir())
    for packed, facts in found:
        assert list(packed) == documents and facts == {"read": 5} and packed.digest == found[0][0].digest


def test_an_epoch_is_a_permutation_of_all_shards(shards, bert, tmp_path):
    """Not of a buffer: the first batches have documents of all of them."""
    model = Model.new(recipe(bert))
    examples = LazyExamples(model.featurizer, DocumentFile(shards.train, tmp_path))
    batches = list(Buckets(examples.lengths, 64, seed=1))
    assert sorted(i for b in batches for i in b) == list(range(1000))
    assert {i // 200 for i in batches[0]} == {*range(5)}
    assert list(Buckets(examples.lengths, 64, seed=1)) == batches != list(Buckets(examples.lengths, 64, seed=2))


def test_training_holds_few_documents_of_the_shards_and_goes_on_to_the_same_losses(shards, bert, tmp_path):
    there, most = [], 0

    def watched():
        nonlocal there, most
        for document in shards.train:
            there = [*(one for one in there if one() is not None), weakref.ref(document)]
            most = max(most, len(there))
            yield document

    settings = {"training__epochs": "1", "training__batch_size": "64"}
    made, dev = recipe(bert, **settings), posts(4)
    losses = [e.values["loss"] for e in fit(made, watched(), dev, out=tmp_path / "a", seed=1) if e.kind == "step"]
    assert len(losses) == 16 and most <= 3
    for event in fit(made, shards.train, dev, out=tmp_path / "b", seed=1, checkpoint_every=2):
        if event.step == 5:
            break  # behind the checkpoint of step 4
    rest = list(fit(made, shards.train, dev, out=tmp_path / "b", seed=1))
    assert rest[0].kind == "resume" and rest[-1].kind == "done"
    again = [e.values["loss"] for e in rest if e.kind == "step"]
    assert again == losses[-len(again) :] and 11 <= len(again) <= 12
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == (tmp_path / "b" / "model.safetensors").read_bytes()
