"""Recipes: JSON round trips, errors that help, one-field changes."""

import json
from dataclasses import dataclass, fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openmie import recipe as recipes
from openmie.data.corpus import Corpus, Labels
from openmie.errors import RecipeError
from openmie.nn.align.align import Align
from openmie.nn.decode.channels import Channels
from openmie.nn.decode.tags import Crf
from openmie.nn.decode.word_pairs import WordPairs
from openmie.nn.encode.dual import Dual, Vision
from openmie.nn.encode.mutual import Mutual
from openmie.nn.fuse.cross import Cross
from openmie.nn.fuse.interweave import Interweave
from openmie.papers import baseline
from openmie.recipe import Group, Recipe, Training, check, difference, dump, load, set_field
from openmie.recipe.renamed import RENAMED

CORPUS = Corpus("diorama", {}, declared=Labels(mentions=("LOC", "PER"), relations=("None", "couple")))
TASKS = ("ner", "re", "joint")


@pytest.mark.parametrize("task", TASKS)
def test_every_variant_checks_and_round_trips(task):
    full = baseline.recipe(CORPUS, task=task)
    for name, variant in {"cross": full, **baseline.ablations(full)}.items():
        assert check(variant) is variant
        assert load(dump(variant)) == variant, name
        assert variant.task == task


@settings(max_examples=50, deadline=None)
@given(
    st.builds(
        lambda heads, layers, lr, epochs, labels: Recipe(
            name="r",
            encode=Dual(vision=Vision()),
            fuse=(Cross(heads=heads, layers=layers),),
            heads=(Crf(labels=tuple(sorted(labels))),),
            training=Training(epochs=epochs, param_groups=(Group(match="encode", lr=lr), Group(lr=lr))),
        ),
        st.integers(1, 8),
        st.integers(1, 4),
        st.floats(1e-6, 1.0),
        st.integers(1, 99),
        st.sets(st.text(min_size=1, max_size=5), min_size=1, max_size=4),
    )
)
def test_round_trip(recipe):
    import json

    assert load(json.dumps(dump(recipe))) == recipe


def test_an_ablation_is_one_change():
    full = baseline.recipe(CORPUS)
    variants = baseline.ablations(full)
    changed = {name: {p.split(".")[0] for p, *_ in difference(dump(full), dump(v))} for name, v in variants.items()}
    assert changed["w/o alignment"] == {"name", "align"}
    assert changed["softmax"] == {"name", "heads"}
    assert changed["text"] == {"name", "encode", "fuse", "align"}


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (Recipe(name="r"), ["no head"]),
        (Recipe(name="r", heads=(Crf(),)), ["no labels"]),
        (Recipe(name="r", fuse=(Cross(),), heads=(Crf(labels=("A",)),)), ["Cross needs ['vision']", "text"]),
        (Recipe(name="r", align=(Align(),), heads=(Crf(labels=("A",)),)), ["Align needs ['vision']"]),
        (
            Recipe(name="r", fuse=(Cross(modalities=("visoin",)),), heads=(Crf(labels=("A",)),)),
            ["visoin", "roles among"],
        ),
        (Recipe(name="r", heads=(Crf(labels=("A",)), Crf(labels=("A",)))), ["one name each"]),
        (Recipe(name="r", align=(Align(stage="later"),), heads=(Crf(labels=("A",)),)), ["later"]),
        (Recipe(name="r", fuse=(Interweave(gate="tanh"),), heads=(Crf(labels=("A",)),)), ["fuse.0.gate", "scalar"]),
        (
            Recipe(name="r", encode=Mutual(first_layer_prefix="both"), heads=(Crf(labels=("A",)),)),
            ["encode.first_layer_prefix", "projected"],
        ),
        (Recipe(name="r", align=(Align(width=-1),), heads=(Crf(labels=("A",)),)), ["align.0.width", "at least 0"]),
        (Recipe(name="r", fuse=(Cross(width=0),), heads=(Crf(labels=("A",)),)), ["fuse.0.width", "at least 1"]),
        (Recipe(name="r", heads=(WordPairs(labels=("A",), contrast="off"),)), ["heads.0.contrast", "literal"]),
        (Recipe(name="r", heads=(WordPairs(labels=("A",), scheme="upper"),)), ["heads.0.scheme", "as_released"]),
    ],
)
def test_check_names_what_is_missing(recipe, words):
    with pytest.raises(RecipeError) as error:
        check(recipe)
    assert all(w in str(error.value) for w in words)


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("fuse.heads", "four", ["fuse.heads", "integer"]),
        ("fuse.heads", "4.5", ["integer"]),
        ("fuse.heds", "4", ["heds", "heads"]),
        ("fuse.7.heads", "4", ["index"]),
        ("training.epochs", '"3"', ["integer"]),
        ("encode.vision", '{"kind": "Cross"}', ["Cross", "Vision"]),
        ("encode.vision", '{"kind": "Nothing"}', ["Nothing", "one of"]),
        ("nothing", "1", ["nothing"]),
    ],
)
def test_set_field_refuses(path, text, words):
    with pytest.raises(RecipeError) as error:
        set_field(baseline.recipe(CORPUS), path, text)
    assert all(w in str(error.value) for w in words), str(error.value)


def test_set_field_changes_one_field():
    full = baseline.recipe(CORPUS)
    assert set_field(full, "fuse.heads", "8") == replace(full, fuse=(Cross(heads=8),))
    assert set_field(full, "training.epochs", "3").training.epochs == 3
    assert set_field(full, "encode.text.name", "bert-base-uncased").encode.text.name == "bert-base-uncased"
    assert set_field(full, "encode.vision", "null").encode.vision is None
    assert set_field(full, "training.param_groups.0.lr", "1").training.param_groups[0].lr == 1


def test_unknown_kinds_and_fields_are_refused():
    data = dump(baseline.recipe(CORPUS))
    with pytest.raises(RecipeError, match="one of"):
        load({**data, "fuse": [{"kind": "os.system", "cmd": "true"}]})
    with pytest.raises(RecipeError, match="no field"):
        load({**data, "surprise": 1})
    with pytest.raises(RecipeError, match="Not JSON"):
        load("{")


def test_a_recipe_under_the_field_names_of_an_earlier_version_loads_as_the_same():
    """Each renamed field of each kind; in parts of parts too (`heads[0].channels`)."""
    for kind, names in RENAMED.items():
        known = {f.name for f in fields(recipes.KINDS[kind])}
        assert {*names.values()} <= known and not known & {*names}
        now = dump(recipes.KINDS[kind]())
        then = {{new: old for old, new in names.items()}.get(k, k): v for k, v in now.items()}
        assert then != now and dump(load(then)) == now
    recipe = replace(baseline.recipe(CORPUS), heads=(Crf(labels=("A",), channels=Channels(init_scale=0.5)),))
    data = dump(recipe)
    data["training"]["batch"] = data["training"].pop("batch_size")
    data["heads"][0]["channels"]["scale"] = data["heads"][0]["channels"].pop("init_scale")
    assert load(data) == load(json.dumps(data)) == recipe


def test_old_field_names_elsewhere_are_refused_with_the_new_ones():
    data = dump(baseline.recipe(CORPUS))
    data["training"]["batch"] = 7  # beside batch_size: which of them holds?
    with pytest.raises(RecipeError, match=r"no field .*batch"):
        load(data)
    with pytest.raises(RecipeError, match="separate_context_pass"):
        set_field(baseline.recipe(CORPUS), "encode.apart", "true")


@dataclass(frozen=True, kw_only=True)
class MyFuse:
    """A part of a user's own."""

    strength: float = 0.5

    def needs(self):
        return frozenset({"text"})

    def makes(self):
        return frozenset({"fused"})


def test_a_users_own_part_is_saved_under_its_class_name():
    own = replace(baseline.recipe(CORPUS), fuse=(MyFuse(strength=0.1),))
    assert dump(own)["fuse"] == [{"kind": "MyFuse", "strength": 0.1}]
    with pytest.raises(RecipeError, match="parts="):
        load(dump(own))
    assert load(dump(own), parts=[MyFuse]) == own


def test_kinds_are_the_closed_union():
    assert set(recipes.KINDS) >= {  # one that goes or is renamed breaks saved recipes
        "Recipe",
        "Training",
        "Group",
        "Text",
        "Vision",
        "Dual",
        "Blank",
        "Cross",
        "Crf",
        "Softmax",
        "EntityMarkers",
        "Align",
        "InfoNCE",
        "Shapley",
        "Adaptive",
        "WordPairs",
        "Channels",
        "Mutual",
        "Interweave",
        "TopK",
        "Caption",
        "Translate",
        "Prefix",
        "Hierarchical",
        "PromptConv",
        "Denoised",
        "Chains",
        "ChainRelations",
        "Regions",
        "Frames",
        "OneStream",
        "TwoStream",
    }
