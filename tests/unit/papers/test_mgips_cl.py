"""MGIPS-CL: the paper's page, its ablations and sweeps, and a small training end to end."""

from dataclasses import replace

import pytest
import torch

from openmie import diorama
from openmie.bench import published
from openmie.data.corpus import Corpus
from openmie.data.document import Image
from openmie.errors import RecipeError
from openmie.model.pretrained import Model, load
from openmie.nn.encode.dual import Vision
from openmie.papers import mgips_cl
from openmie.recipe import check, difference, dump, set_field
from openmie.recipe import load as read
from openmie.train import fit
from openmie.train.fit import _subsample
from openmie.train.optimizer import build_optimizer
from tests.fixtures import small


@pytest.fixture(scope="module")
def corpus():
    return diorama.corpus(diorama.Config(translation=False), train=48, dev=16, test=16)


@pytest.fixture(scope="module")
def full(corpus):
    return mgips_cl.recipe(corpus)


def test_recipes_are_sound_and_round_trip(corpus, full):
    for name, r in {"full": full, **mgips_cl.ablations(full)}.items():
        assert check(r) == r and read(dump(r)) == r, name
    for values in mgips_cl.sweeps(full).values():
        for r in values.values():
            assert check(r)


def test_an_ablation_is_its_change_alone(full):
    changed = {
        name: {path.split(".")[0] for path, _, _ in difference(dump(full), dump(r))} - {"name"}
        for name, r in mgips_cl.ablations(full).items()
    }
    assert changed["w/o IPS-CL"] == changed["w/o CL"] == changed["w/o alignment"] == {"align"}
    assert changed["w/o row-grained"] == changed["w/o column-grained"] == changed["w/o gate"] == {"fuse"}
    assert changed["w/o MGI"] == {"fuse"} and changed["w/o exchange"] == {"encode"}
    assert changed["as released"] == changed["text"] == {"align", "fuse", "encode"}
    assert all(len(v) for v in changed.values())


def test_paper_sizes():
    """Section 4.3: three crops of 128 pixels, rates 5e-5 and 3e-5, warm-up 0.06, weight decay 0.01, K = 3."""
    r = mgips_cl.recipe(Corpus("twitter2017", {}, declared=small.LABELS), flavour="improved")
    assert (r.encode.objects, r.encode.image_size, r.encode.vision.name) == (3, 128, "openai/clip-vit-base-patch32")
    rates = {g.match: g.lr for g in r.training.param_groups}
    assert rates["encode.text"] == 5e-5 and rates["encode.vision"] == 3e-5 and r.training.warmup_ratio == 0.06
    shapes = {"encode.vision_positions": (2, 2), "fuse.0.x": (2,)}
    named = [(name, torch.nn.Parameter(torch.zeros(*shape))) for name, shape in shapes.items()]
    assert build_optimizer(named, r.training.param_groups).param_groups[0]["lr"] == 3e-5
    assert r.align[0].loss.k == 3 and r.align[0].weight == 1.0


def test_other_tasks_are_refused(corpus):
    with pytest.raises(RecipeError, match="finds names"):
        mgips_cl.recipe(corpus, task="re")


def test_reported():
    """Counts and corners of the tables; table 3's full row is table 2's."""
    two, three = mgips_cl.REPORTED["table 2"], mgips_cl.REPORTED["table 3"]
    assert len(two) == 30 and len(three) == 5
    assert two["BiLSTM-CRF"]["T-15 PER"] == 76.77 and two["CoT (ChatGPT)"] == {"T-15": 76.53, "T-17": 87.79}
    assert two["MKGFormer"] == {"T-17 P": 86.98, "T-17 R": 88.01, "T-17": 87.49}
    assert all(two["MGIPS-CL"][k] == v for k, v in three["MGIPS-CL"].items())
    assert published.number("mgips_cl", "w/o MGI", "T-17", mgips_cl.SETTINGS["T-17"].columns["T-17"])[2] == 87.39
    full_columns = {c for s in mgips_cl.SETTINGS.values() for c in s.columns}
    assert all(set(row) <= full_columns for rows in mgips_cl.REPORTED.values() for row in rows.values())
    for rows in mgips_cl.REPORTED.values():  # F1 is the harmonic mean of what stands beside it, but for misprints
        for name, row in rows.items():
            for c in ("T-15", "T-17"):
                if f"{c} P" in row:
                    p, r = row[f"{c} P"], row[f"{c} R"]
                    assert row[c] == pytest.approx(2 * p * r / (p + r), abs=0.2), name


def test_trains_saves_and_answers(tmp_path, corpus, full):
    recipe = set_field(set_field(full, "training.epochs", "1"), "training.train_fraction", "0.5")
    events = list(fit(recipe, corpus.train, corpus.dev, out=tmp_path / "run", seed=0))
    start = next(e for e in events if e.kind == "start")
    assert start.values["examples"] == 24
    step = next(e for e in events if e.kind == "step")
    assert {"loss/ips-cl", "num_pairs/ips-cl"} <= set(step.values)
    model = load(tmp_path / "run")
    posts = list(corpus.test)
    mixed = [posts[0], posts[1].replace(images=()), posts[2].replace(images=[Image(path="gone.png")])]
    answers = model.predict(mixed)
    assert [a.id for a in answers] == [d.id for d in mixed]
    assert answers[2].errors and not answers[1].errors
    alone = model.predict([posts[1].replace(images=())])[0]
    assert alone == answers[1]


def test_gold_changes_no_prediction(corpus, full):
    model = Model.new(full)
    posts = list(corpus.test)[:6]
    bare = [d.replace(mentions=(), relations=(), chains=(), regions=(), source={}) for d in posts]
    found = model.predict(posts)
    assert any(d.mentions for d in found)
    for a, b in zip(found, model.predict(bare)):
        assert a.mentions == b.mentions and [m.score for m in a.mentions] == [m.score for m in b.mentions]


def test_runs_in_bfloat16(corpus, full):
    """The whole system under autocast, as `--precision bf16` trains it; words without an image pass the gate too."""
    for gate in ("vector", "scalar", "none"):
        model = Model.new(replace(full, fuse=(replace(full.fuse[0], gate=gate),)))
        posts = list(corpus.train)[:6]
        posts[1] = posts[1].replace(images=())
        batch = model.featurizer.collate(model.featurizer.featurize(posts, gold=True))
        with torch.autocast("cpu", torch.bfloat16):
            total = model.extractor(batch).total
        total.backward()
        assert total.isfinite() and all(p.grad is None or p.grad.isfinite().all() for p in model.extractor.parameters())


def test_a_share_is_part_of_a_larger_one(corpus, tmp_path):
    posts = list(corpus.train)
    ids = {s: [d.id for d in _subsample(posts, s, 3, tmp_path)] for s in (0.1, 0.5, 1.0)}
    assert set(ids[0.1]) < set(ids[0.5]) < set(ids[1.0]) and [len(v) for v in ids.values()] == [5, 24, 48]
    order = {d.id: i for i, d in enumerate(posts)}
    assert all(sorted(v, key=order.get) == v for v in ids.values())
    assert (
        ids[0.5] != [d.id for d in _subsample(posts, 0.5, 4, tmp_path)]
        and len([*_subsample(posts[:1], 0.1, 0, tmp_path)]) == 1
    )


def test_a_tower_that_does_not_fit_is_told(full):
    with pytest.raises(RecipeError, match="tiny-clip"):
        Model.new(replace(full, encode=replace(full.encode, vision=Vision(name="tiny"))))
