"""Training: optimiser groups, schedules, batches, checkpoints that resume to the same bits, frozen towers run once."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from openmie.errors import RecipeError, TrainError
from openmie.model.pretrained import Model, load
from openmie.recipe import Group, Training
from openmie.train import checkpoint, fit
from openmie.train.feature_cache import Features, cache_frozen
from openmie.train.length_buckets import Buckets
from openmie.train.optimizer import build_optimizer, build_schedule
from tests.fixtures import small


def test_every_parameter_has_a_group_or_is_named():
    model = torch.nn.ModuleDict({"encode": torch.nn.Linear(2, 3), "heads": torch.nn.Linear(3, 1)})
    groups = (Group(match="encode", lr=0.1, weight_decay=0.5), Group(match="", lr=0.2))
    found = {
        (g["lr"], g["weight_decay"], len(g["params"]))
        for g in build_optimizer(model.named_parameters(), groups).param_groups
    }
    assert found == {(0.1, 0.5, 1), (0.1, 0.0, 1), (0.2, 0.01, 1), (0.2, 0.0, 1)}
    with pytest.raises(RecipeError, match=r"heads\.weight"):
        build_optimizer(model.named_parameters(), groups[:1])


@pytest.mark.parametrize(("schedule", "middle"), [("linear", 0.5), ("cosine", 0.5), ("constant", 1.0)])
def test_schedules_by_hand(schedule, middle):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    factor = build_schedule(optimizer, Training(lr_schedule=schedule, warmup_ratio=0.2), 100).lr_lambdas[0]
    assert factor(0) == 0.05 and factor(9) == 0.5 and factor(20) == 1.0
    assert factor(60) == pytest.approx(middle) and factor(100) == pytest.approx(1.0 if schedule == "constant" else 0.0)
    with pytest.raises(RecipeError, match="linear"):
        build_schedule(optimizer, Training(lr_schedule="steps"), 10)


def test_buckets_cover_all_and_depend_on_seed_and_epoch_alone():
    lengths = np.random.default_rng(0).integers(1, 60, 203)
    buckets = Buckets(lengths, 8, seed=3)
    batches = list(buckets)
    assert sorted(i for b in batches for i in b) == list(range(203)) and len(batches) == len(buckets) == 26
    assert list(Buckets(lengths, 8, seed=3)) == batches != list(Buckets(lengths, 8, seed=4))
    buckets.skip = 5
    assert list(buckets) == batches[5:]
    buckets.epoch, buckets.skip = 1, 0
    assert list(buckets) != batches
    waste = sum(len(b) * lengths[b].max() for b in batches) / lengths.sum()
    assert waste < 1.25  # padded to the longest of each batch; unsorted batches waste about 0.7 more


@pytest.mark.parametrize("examples", [1, 2, 7, 8, 16, 40, 43])
@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_the_batches_of_one(examples, processes):
    """Together they hold each batch of one process, in any epoch and after a resume; none has an empty share."""
    lengths = [1 + i % 5 for i in range(examples)]
    shares = [Buckets(lengths, 8, seed=3, process=r, processes=processes) for r in range(processes)]
    for epoch, skip in ((0, 0), (1, 0), (1, 1)):
        one = Buckets(lengths, 8, seed=3)
        for each in (one, *shares):
            each.epoch, each.skip = epoch, skip
        whole, dealt = list(one), list(zip(*map(list, shares), strict=True))
        assert len(whole) == len(dealt) == len(one) - skip
        for batch, parts in zip(whole, dealt):
            together = sorted(i for part in parts for i in part)
            assert all(parts) and set(together) == set(batch)
            assert together == sorted(batch) or len(batch) < processes


def test_training_learns_and_selects_on_dev(tmp_path, bert):
    """Names and places are known words: eight epochs tell them apart. The saved model is the best epoch's."""
    train, dev = small.documents(48), small.documents(12)
    recipe = small.recipe("ner", encode__text__name=bert, training__epochs="8")
    events = list(fit(recipe, train, dev, out=tmp_path, seed=1, corpus="diorama:"))
    kinds = [e.kind for e in events]
    assert kinds[0] == "start" and kinds[-1] == "done" and kinds.count("dev") == 8 and kinds.count("step") == 48
    scores = [e.values["f1"] for e in events if e.kind == "dev"]
    assert max(scores) > 95
    model = load(tmp_path)
    from openmie import metrics

    assert metrics.spans(dev, model.predict(dev)).f1 == pytest.approx(max(scores))
    assert "seed 1" in model.card and "corpus: diorama:; 48 training documents" in model.card
    assert "Diorama, the generated corpus" in model.card


@pytest.mark.parametrize("saved", [False, True])
def test_no_dev_score_is_lost_where_a_training_is_killed_at_an_epochs_end(tmp_path, bert, monkeypatch, saved):
    """Killed before or after the first epoch's checkpoint: told before it, and again if it was not written."""
    recipe = small.recipe("ner", encode__text__name=bert, training__epochs="2")
    train, dev, save = small.documents(8), small.documents(4), checkpoint.save

    def killed(*arguments):
        if saved:
            save(*arguments)
        raise MemoryError

    def told(events, to):
        to.extend(e.epoch for e in events if e.kind == "dev")

    first, second = [], []
    monkeypatch.setattr(checkpoint, "save", killed)
    with pytest.raises(MemoryError):
        told(fit(recipe, train, dev, out=tmp_path), first)
    monkeypatch.undo()
    told(fit(recipe, train, dev, out=tmp_path), second)
    assert first == [0] and second == ([1] if saved else [0, 1])


def test_a_training_that_is_left_at_a_dev_score_has_its_checkpoint(tmp_path, bert):
    recipe = small.recipe("ner", encode__text__name=bert, training__epochs="2")
    events = fit(recipe, small.documents(8), small.documents(4), out=tmp_path)
    assert any(e.kind == "dev" for e in events)
    events.close()
    assert checkpoint.latest(tmp_path / "checkpoints").name == "step-1-1-0-0"


def test_early_stopping(tmp_path, bert):
    recipe = small.recipe(
        "ner", encode__text__name=bert, training__epochs="9", training__patience="2", training__param_groups="[]"
    )
    recipe = replace(recipe, training=replace(recipe.training, param_groups=(Group(lr=0.0),)))
    kinds = [e.kind for e in fit(recipe, small.documents(8), small.documents(4), out=tmp_path)]
    assert kinds.count("dev") == 3 and "stop" in kinds


def test_clear_errors(tmp_path, bert):
    recipe = small.recipe("re", encode__text__name=bert)
    bare = [d.replace(relations=()) for d in small.documents(3)]
    with pytest.raises(TrainError, match="0 examples"):
        list(fit(recipe, bare, small.documents(2), out=tmp_path))
    hot = small.recipe("ner", encode__text__name=bert, training__max_grad_norm="0.0", training__warmup_ratio="0.0")
    hot = replace(hot, training=replace(hot.training, param_groups=(Group(lr=1e30),)))
    with pytest.raises(TrainError, match=r"tags nan.*finite"):
        list(fit(hot, small.documents(24), small.documents(2), out=tmp_path))


def test_a_checkpoint_of_another_run_is_refused(tmp_path, bert):
    list(
        fit(
            small.recipe("ner", encode__text__name=bert, training__epochs="1"),
            small.documents(8),
            small.documents(4),
            out=tmp_path,
            seed=1,
        )
    )
    with pytest.raises(TrainError, match="another"):
        list(
            fit(
                small.recipe("ner", encode__text__name=bert, training__epochs="1"),
                small.documents(8),
                small.documents(4),
                out=tmp_path,
                seed=2,
            )
        )
    list(
        fit(
            small.recipe("ner", encode__text__name=bert, training__epochs="1"),
            small.documents(8),
            small.documents(4),
            out=tmp_path,
            seed=2,
            resume=False,
        )
    )


SCRIPT = """
import os, signal, sys
from tests.fixtures import small
from openmie.train import fit
kill = int(sys.argv[2])
recipe = small.recipe("joint", encode__text__name=sys.argv[3], training__epochs="3")
for event in fit(recipe, small.documents(44, every=5), small.documents(9),
                 out=sys.argv[1], seed=7, checkpoint_every=3):
    if event.kind == "step" and event.step == kill:
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_killed_five_times_ends_in_the_same_bits(tmp_path, bert, python):
    """SIGKILL at five points of one run, at and between checkpoints and epochs: the weights of a whole run.

    The whole run has a Python of its own, so that the order of a set of strings is another there.
    """
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "whole"), "-1", bert]
    subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, cwd=root, check=True)
    killed = tmp_path / "killed"
    for step in sorted(np.random.default_rng().choice(np.arange(1, 18), 5, replace=False).tolist()):
        assert python.run(SCRIPT, killed, step, bert, cwd=root).returncode == -signal.SIGKILL, step
    assert python.run(SCRIPT, killed, -1, bert, cwd=root).returncode == 0
    for name in (
        "model.safetensors",
        f"checkpoints/{checkpoint.latest(tmp_path / 'whole' / 'checkpoints').name}/model.safetensors",
    ):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes()


def test_a_half_written_checkpoint_is_passed_by(tmp_path, bert):
    """Killed while a checkpoint is written: the pointer still names the one before."""
    recipe = small.recipe("ner", encode__text__name=bert, training__epochs="1")
    list(fit(recipe, small.documents(8), small.documents(4), out=tmp_path))
    folder = tmp_path / "checkpoints"
    whole = checkpoint.latest(folder)
    (folder / "step-99.tmp").mkdir()
    (folder / "step-99.tmp" / "model.safetensors").write_bytes(b"half")
    assert checkpoint.latest(folder) == whole
    assert [e.kind for e in fit(recipe, small.documents(8), small.documents(4), out=tmp_path)] == [
        "resume",
        "start",
        "done",
    ]


def test_a_checkpoint_holds_no_pickle(tmp_path, bert):
    list(
        fit(
            small.recipe("ner", encode__text__name=bert, training__epochs="1"),
            small.documents(8),
            small.documents(4),
            out=tmp_path,
        )
    )
    kinds = {p.suffix for p in tmp_path.rglob("*") if p.is_file()}
    assert kinds <= {".safetensors", ".json", ".md", ".txt", ".sqlite", ""}, kinds
    state = json.loads((checkpoint.latest(tmp_path / "checkpoints") / "trainer.json").read_text())
    assert state["progress"]["finished"] is True


def test_frozen_towers_run_once(tmp_path, bert):
    """Work counted, not timed: a frozen tower is never called after the cache is full, and the states are the same."""
    torch.manual_seed(0)
    recipe = small.recipe(
        "ner",
        encode__vision='{"kind": "Vision", "freeze": true}',
        encode__text=f'{{"kind": "Text", "name": "{bert}", "freeze": true}}',
    )
    model = Model.new(recipe)
    docs = small.documents(10, every=4)
    plain = model.predict(docs)
    calls = {"text": 0, "vision": 0}
    for name in calls:
        getattr(model.extractor.encode, name).register_forward_hook(
            lambda *_, n=name: calls.__setitem__(n, calls[n] + 1)
        )
    examples = model.featurizer.featurize(docs)
    assert cache_frozen(model, examples, tmp_path / "f.sqlite", batch_size=4) > 0
    once = dict(calls)
    assert model.predict_encoded(examples)["predicted"] == plain
    scores = [
        [m.score for d in found for m in d.mentions] for found in (model.predict_encoded(examples)["predicted"], plain)
    ]
    assert scores[0] == pytest.approx(scores[1], abs=1e-5)
    assert calls == once  # nothing was run again
    again = model.featurizer.featurize(docs)
    assert cache_frozen(model, again, tmp_path / "f.sqlite", batch_size=4) == 0 and calls == once
    with torch.no_grad():
        next(model.extractor.encode.vision.parameters()).add_(1.0)
    assert cache_frozen(model, model.featurizer.featurize(docs), tmp_path / "f.sqlite") > 0  # other weights, other key


def test_frozen_towers_do_not_change_in_training(tmp_path, bert):
    recipe = small.recipe(
        "ner", encode__vision='{"kind": "Vision", "freeze": true}', encode__text__name=bert, training__epochs="1"
    )
    torch.manual_seed(0)
    list(fit(recipe, small.documents(16), small.documents(4), out=tmp_path, seed=5))
    from accelerate.utils import set_seed

    set_seed(5)
    fresh = Model.new(recipe).extractor.state_dict()
    trained = load_file(tmp_path / "model.safetensors")
    vision = [k for k in trained if k.startswith("encode.vision")]
    assert vision and all(torch.equal(fresh[k], trained[k]) for k in vision)
    assert not torch.equal(fresh["heads.0.emit.score.1.weight"], trained["heads.0.emit.score.1.weight"])


def test_feature_store_is_a_mapping(tmp_path):
    store = Features(tmp_path / "x" / "f.sqlite")
    store.put({"a": torch.ones(2, 3)})
    assert "a" in store and "b" not in store and len(store) == 1 and list(store) == ["a"]
    assert torch.equal(Features(tmp_path / "x" / "f.sqlite")["a"], torch.ones(2, 3))
    with pytest.raises(KeyError):
        store["b"]


def test_train_does_not_open_the_test_split(tmp_path, bert, opened):
    """A file-open audit over `fit` on a corpus folder."""
    from openmie import corpora

    def block(i: int) -> str:
        return f"IMGID:{i}\nAda\tB-PER\nlikes\tO\nRome\tB-LOC\n\n"

    for name in ("train", "valid", "test"):
        (tmp_path / f"{name}.txt").write_text("".join(block(i) for i in range(8)))
    opened.clear()  # the lines above opened them to write
    corpus = corpora.load(f"twitter:{tmp_path}")
    from openmie.papers import baseline

    recipe = baseline.ablations(baseline.recipe(corpus, text=bert))["text"]
    recipe = replace(recipe, training=replace(recipe.training, epochs=1))
    list(fit(recipe, corpus.train, corpus.dev, out=tmp_path / "out"))
    names = {Path(f).name for f in opened if Path(f).parent == tmp_path and Path(f).is_file()}
    assert names == {"train.txt", "valid.txt"}
