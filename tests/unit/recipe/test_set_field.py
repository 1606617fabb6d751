"""`--set` at all fields of all recipes: a wrong value is a sentence, whatever it is, and a right one is set."""

import json
from dataclasses import fields, is_dataclass

import pytest

from openmie.bench import system
from openmie.errors import OpenMIEError
from openmie.recipe import dump
from openmie.recipe.shown import shown

WRONG = (
    *("{...}", "{}", '{"a": 1}', "[]", "[1]", "[[1]]", "[null]", "null", "3", "-1", "0.5", "true", "x", '"3"', "NaN"),
    *("1e400", "9" * 5000, "[" * 2000, '{"kind": 3}', '{"kind": "Nope"}', '{"kind": "Cross"}', '{"kind": "Recipe"}'),
    *('{"kind": "Align", "loss": {"kind": "Crf"}}', '[{"kind": "Text"}]', '[{"kind": "Recipe", "name": "x"}]', "²"),
)


def paths(part, at=""):
    """Every path of a recipe that a value can be set at: fields, and the items of lists."""
    if is_dataclass(part):
        inner = [(f.name, getattr(part, f.name)) for f in fields(part)]
    else:
        inner = list(enumerate(part)) if isinstance(part, tuple) else []
    for name, value in inner[:40]:
        path = f"{at}.{name}".strip(".")
        yield path
        yield from paths(value, path)


def at(part, path):
    for name in path.split("."):
        part = part[int(name)] if isinstance(part, tuple) else getattr(part, name)
    return part


RECIPES = [
    *(
        (name, "paper" if "paper" in system.load_paper_module(name).FLAVOURS else "small", "")
        for name in system.names()
    ),
    ("camim", "paper", "HVPNeT + CAM + MI"),
    ("shap_ca", "small", ""),
]


@pytest.mark.parametrize(("name", "flavour", "row"), RECIPES)
def test_a_wrong_value_is_a_sentence_at_every_field(name, flavour, row):
    full = system.ablate(name, system.build(name, None, flavour=flavour), row)
    refused = 0
    for path in sorted(set(paths(full))):
        before = at(full, path)
        for text in WRONG:
            try:
                made = system.change(full, [f"{path}={text}"])
            except OpenMIEError as error:
                refused += 1
                assert all((error.record.found, error.record.expected, error.record.remedy)), (path, text, error)
                continue
            after = at(made, path)
            assert is_dataclass(after) == is_dataclass(before) or None in (before, after), (path, text, after)
            assert isinstance(after, tuple) == isinstance(before, tuple) or before is None, (path, text, after)
            json.dumps(dump(made))
    assert refused > 500


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("fuse={...}", ["In fuse", "a list"]),
        ("fuse=[1]", ["In fuse.0", "Caption", '{"kind"']),
        ('fuse={"kind": "Caption"}', ["In fuse", "a Caption", "a list"]),
        ('align={"kind": "Align"}', ["an Align", "a list", '[{"kind": "Align"}]']),
        ("align.0.loss=3", ["align.0.loss", "InfoNCE"]),
        ('fuse=[{"kind": "Crf", "labels": ["A"]}]', ["a Crf", "Caption"]),
        ('encode={"kind": "Caption"}', ["In encode", "a Caption", "Dual"]),
        ("encode.refine=3", ["encode.refine", "Caption"]),
        ("training.epochs.x=3", ["training.epochs.x", "no fields"]),
    ],
)
def test_what_is_said(change, words):
    full = system.build("camim", None)
    if "refine" in change:
        full = system.ablate("camim", full, "HVPNeT + CAM + MI")
    with pytest.raises(OpenMIEError) as error:
        system.change(full, [change])
    assert all(word in str(error.value) for word in words), str(error.value)


def test_a_part_of_a_list_is_replaced_by_its_index():
    full = system.build("camim", None)
    made = system.change(full, ['fuse.0={"kind": "Caption", "pairs": [["vision", "context"]], "heads": 2}'])
    assert made.fuse[0].heads == 2 and made.fuse[1] == full.fuse[1]


def test_a_value_is_shown_as_it_is_written():
    assert [shown(x) for x in (None, True, 1, (1, "a"), 10**400)] == [
        *("null", "true", "1", "[1, 'a']", "a number of many digits"),
    ]
