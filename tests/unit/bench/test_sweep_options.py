"""`--sweep`: names, values of one's own, fields by their path, and the captions that a corpus has."""

import itertools
import json

import pytest

from openmie import bench, corpora
from openmie import recipe as recipes
from openmie.bench import sweep_options, system
from openmie.errors import OpenMIEError
from openmie.papers import camim, m3d, mgips_cl, shap_ca
from openmie.papers._sweeps import FieldSweep, caption_generators
from tests.fixtures import small

POSTS = "diorama:train=8,dev=4,test=4,translation=false"
CLIPS = "diorama:documents=true,train=4,dev=2,test=2"


def rows(paper, *sweeps, spec=POSTS, task=""):
    return bench.grid(paper, [spec], rows=bench.Rows(sweep=sweeps), task=task)


def captioned(folder, generators):
    """A corpus whose documents have a caption of each generator."""
    told = {name: f"a picture by {name}" for name in generators}
    docs = [d.replace(images=(), captions=told) for d in small.documents(9)]
    for i, split in enumerate(("train", "dev", "test")):
        corpora.write(docs[3 * i : 3 * i + 3], folder / f"{split}.jsonl")
    return f"jsonl:{folder}"


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("alpha", "alpha", []),
        ("alpha=0.2,0.4", "alpha", ["0.2", "0.4"]),
        ("alpha=0.20, 2e-1,1.0,1e-5", "alpha", ["0.2", "1", "1e-05"]),
        ("levels=W&S,S", "levels", ["W&S", "S"]),
        ('align.0.first=["text"],["a","b"]', "align.0.first", ['["text"]', '["a","b"]']),
        ('encode.context="a,b",c', "encode.context", ['"a,b"', "c"]),
        ("context=LLaVA-1.5", "context", ["LLaVA-1.5"]),
        ("training.epochs=12345678", "training.epochs", ["12345678"]),
    ],
)
def test_a_sweep_is_a_name_and_its_values(text, name, values):
    assert sweep_options.parse(text) == (name, values)


def test_a_sweep_takes_values_of_ones_own():
    cells = rows("shap_ca", "alpha=0.25,0.4", "align.0.weight=0.25")
    assert [c.row for c in cells] == ["alpha=0.25", "alpha=0.4", "align.0.weight=0.25"]
    made = [c.recipe(corpora.load(POSTS)) for c in cells]
    assert [r.align[0].weight for r in made] == [0.25, 0.4, 0.25] and made[0].align[1].weight == shap_ca.BETA
    assert made[0] == made[2]
    assert [c.row for c in rows("mgips_cl", "k=2,adaptive")] == ["k=2", "k=adaptive"]
    assert [c.row for c in rows("baseline", "training.epochs=1,2")] == ["training.epochs=1", "training.epochs=2"]
    assert [c.row for c in rows("m3d", "prompt=5,6", spec=CLIPS)] == ["prompt=5", "prompt=6"]


@pytest.mark.parametrize(
    ("page", "spec", "task"), [(shap_ca, POSTS, "ner"), (mgips_cl, POSTS, ""), (camim, POSTS, "re"), (m3d, CLIPS, "")]
)
def test_every_field_sweep_gives_its_recipe_each_value_as_set_would(page, spec, task):
    full = page.recipe(corpora.load(spec), task=task)
    found = [s for s in page.sweeps(full).values() if isinstance(s, FieldSweep)]
    assert found
    for sweep, value in itertools.chain.from_iterable(((s, v) for v in s) for s in found):
        changed = system.change(sweep.recipe, [f"{f}={json.dumps(value)}" for f in sweep.fields if "context" in f])
        told = [f"{field}={value}" for field in sweep.fields if "context" not in field]
        assert sweep[value] == sweep.at(value) == system.change(changed, told)
        paths = [path for path, *_ in recipes.difference(recipes.dump(sweep.recipe), recipes.dump(sweep.at(value)))]
        assert {*paths} <= {*sweep.fields}


def test_a_sweep_over_contexts_takes_the_corpus_own_captions(tmp_path):
    """A generator may be called as a truth value or a number is."""
    spec = captioned(tmp_path, ("LLaVA-1.5", "true", "7"))
    cells = rows("shap_ca", "context", spec=spec)
    assert [c.value for c in cells] == ["7", "LLaVA-1.5", "true"]
    assert [c.recipe(corpora.load(spec)).encode.context for c in cells] == ["7", "LLaVA-1.5", "true"]
    assert [c.row for c in rows("camim", "context", "hvpnet context", task="re")] == [
        f"{name}={value}" for name in ("context", "hvpnet context") for value in ("noisy", "true")
    ]
    assert [c.value for c in rows("shap_ca", "context=7,*", spec=spec)] == ["7", "*"]
    with pytest.raises(OpenMIEError, match=r"caption generator.*'GPT-4'.*7, LLaVA-1.5, true"):
        rows("shap_ca", "context=GPT-4", spec=spec)


def test_a_corpus_without_captions_has_no_sweep_over_them(tmp_path):
    spec = captioned(tmp_path, ())
    assert caption_generators(corpora.load(spec)) == ()
    with pytest.raises(OpenMIEError, match=r"no captions.*captions=NAME"):
        rows("shap_ca", "context", spec=spec)
    assert "context" not in {c.sweep for c in rows("shap_ca", "all", spec=spec)}


def test_a_rare_generator_is_found_when_it_is_asked_for(tmp_path):
    spec = captioned(tmp_path, ("common",))
    docs = [d.replace(id=str(i), captions={"common": "x"}) for i, d in enumerate(small.documents(210))]
    docs[-1] = docs[-1].replace(captions={"rare": "x"})
    corpora.write([d.replace(images=()) for d in docs], tmp_path / "train.jsonl")
    assert [c.value for c in rows("shap_ca", "context", spec=spec)] == ["common"]
    assert [c.value for c in rows("shap_ca", "context=rare", spec=spec)] == ["rare"]


@pytest.mark.parametrize(
    ("sweep", "words"),
    [
        ("alhpa=1", ["sweep 'alhpa'", "Did you mean 'alpha'", "--sweep training.epochs=2,4"]),
        ("alpha=x", ["--sweep alpha=x, field align.0.weight", "'x'", "valid number"]),
        ("alpha=-1", ["--sweep alpha=-1", "at least 0"]),
        ("alpha=", ["--sweep alpha=", "no value empty"]),
        ("alpha=1,,2", ["--sweep alpha=1,,2", "no value empty"]),
        ("=1", ["--sweep =1", "NAME"]),
        ("all=1", ["--sweep all=1", "NAME"]),
        ("align.0.weight", ["No values", "align.0.weight=VALUE,VALUE"]),
        ("align.0.wieght=1", ["'wieght'", "Did you mean 'weight'"]),
        ("align.7.weight=1", ["'7' among 2 parts", "below 2"]),
        ("training.epochs=0", ["--sweep training.epochs=0", "at least 1"]),
        ("estimator=shapley", ["--sweep estimator=shapley", "'exact', 'cyclic'"]),
    ],
)
def test_an_ill_sweep_says_what_it_takes(sweep, words):
    with pytest.raises(OpenMIEError) as error:
        rows("shap_ca", sweep)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_a_sweep_of_named_variants_lists_them():
    assert [c.row for c in rows("camim", "levels=S", task="re")] == ["levels=S"]
    with pytest.raises(OpenMIEError, match=r"value of mi 'F&O'.*O&G"):
        rows("camim", "mi=F&O", task="re")
