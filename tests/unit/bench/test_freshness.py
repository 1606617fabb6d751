"""Whatever the bench writes, its reader finds fresh: all variants of all systems, on all of their tasks."""

import json
from dataclasses import replace
from functools import cache, partial

import pytest

from openmie import bench, corpora
from openmie import recipe as recipes
from openmie.bench import execution, freshness, system
from openmie.bench.run_spec import RunSpec
from openmie.train.fit import with_vocabulary
from openmie.train.system import Result

POSTS, PAIRS = "diorama:train=4,dev=2,test=2", "diorama:train=4,dev=2,test=2,paired=true"
DOCUMENTS = "diorama:documents=true,train=4,dev=2,test=2,language={}"
GRIDS = [
    *(("baseline", POSTS, task) for task in ("ner", "re", "joint")),
    *(("shap_ca", PAIRS, task) for task in ("ner", "re", "joint")),
    ("camim", PAIRS, ""),
    ("mgips_cl", POSTS, ""),
    ("m3d", DOCUMENTS.format("en"), ""),
    ("m3d", DOCUMENTS.format("zh"), ""),
    ("pfa", POSTS, ""),
]


class Trained:
    """A system whose training takes no time, and leaves the recipe as `fit` leaves it in a model folder."""

    def __init__(self, recipe):
        self.recipe, self.is_generative = recipe, recipe.is_generative

    def data(self, corpus):
        return corpus

    def fit(self, train, dev, out, **options):
        documents = list(train)
        done = self.recipe if self.is_generative else with_vocabulary(self.recipe, documents)
        out.mkdir(parents=True, exist_ok=True)
        (out / "recipe.json").write_text(json.dumps(recipes.dump(done)))
        (out / "model.safetensors").touch()
        return {"dev": {"f1": 0.0, "epoch": 0}, "examples": len(documents), "parameters": 0, "skipped": {}}

    def scores(self, folder, gold, **options):
        recipe = json.loads((folder / "recipe.json").read_text())
        scores = {"any": {"f1": 0.0}}
        return Result({"scores": scores, "documents": len(gold), "date": "2026-11-30", "recipe": recipe}, list(gold))


LOAD = corpora.load


@cache
def generated_once(spec):
    """The corpus of a spec, which every run reads twice; no part of this test looks at a picture."""
    corpus = LOAD(spec)
    documents = {split: tuple(corpus.split(split)) for split in corpus.sources}
    return replace(corpus, sources={split: partial(iter, some) for split, some in documents.items()})


@pytest.mark.parametrize(("paper", "spec", "task"), GRIDS)
def test_every_run_that_is_written_is_found_fresh(paper, spec, task, tmp_path, monkeypatch):
    """The record has the recipe that training completed, as with the characters of Chinese; that is no change."""
    monkeypatch.setattr(system, "of", Trained)
    monkeypatch.setattr(corpora, "load", generated_once)
    monkeypatch.setattr(execution, "against_ceilings", lambda *a: {})
    monkeypatch.setattr(execution, "generative_ceilings", lambda *a: {})
    every = bench.Rows(ablate=("all",), sweep=("all",))
    cells = bench.grid(paper, [spec], rows=every, task=task)
    for flavour in system.load_paper_module(paper).FLAVOURS:
        for cell in cells if flavour == system.FLAVOUR else cells[:1]:
            execution.execute(replace(cell, flavour=flavour), tmp_path)
    written = [c for c in bench.found(tmp_path, paper) if c.record(tmp_path)]
    assert len(written) >= len(cells)
    found = bench.table(written, tmp_path)
    assert not [e.row for e in found.entries.values() if e.stale] and "†" not in bench.markdown(found)
    for path in tmp_path.glob("*/train.json"):  # nor is it found by the record alone, which may be copied elsewhere
        path.unlink()
    assert not [e.row for e in bench.table(written, tmp_path).entries.values() if e.stale]


def test_a_training_copied_from_an_equal_one_is_not_stale():
    """`levels=W&S` of CAMIM is HVPNeT + CAM + MI: its record has that recipe, under that name."""
    swept = RunSpec(paper="camim", corpus=PAIRS, task="re", sweep="levels", value="W&S")
    row = replace(swept, sweep="", value="", ablation="HVPNeT + CAM + MI")
    trained = recipes.dump(row.recipe(corpora.load(PAIRS)))
    assert trained["name"] != swept.recipe(corpora.load(PAIRS)).name
    assert not freshness.differs(swept, trained) and not freshness.differs(row, trained)
    assert freshness.differs(replace(swept, value="W"), trained)


def test_a_changed_recipe_is_stale_in_either_kind():
    for paper, spec, field in (("m3d", DOCUMENTS.format("zh"), "epochs"), ("pfa", POSTS, "epochs")):
        cell = bench.grid(paper, [spec])[0]
        asked = json.loads(json.dumps(recipes.dump(cell.recipe(corpora.load(spec)))))
        assert not freshness.differs(cell, asked)
        assert freshness.differs(cell, {**asked, "training": {**asked["training"], field: 99}})
