"""Every part of a recipe documents its fields, and stands in the reference; no field is named in the old words."""

import ast
import inspect
import re
from dataclasses import fields, make_dataclass
from pathlib import Path

import pytest

from openmie.nn.encode.inputs import EncoderInputs
from openmie.recipe import KINDS
from openmie.recipe.renamed import RENAMED
from tests.laws.test_language import OLD_FIELDS

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
CONFIGS = sorted({*KINDS.values(), EncoderInputs}, key=lambda c: c.__name__)


def documented(cls):
    """The names under Args of a class's docstring, and what is said of each."""
    section = (inspect.getdoc(cls) or "").partition("\nArgs:\n")[2].partition("\n\n")[0]
    return dict(re.findall(r"^    (\w+): (.+)", section, re.M))


def undocumented(cls):
    """Fields without an entry, and entries without a field."""
    return {f.name for f in fields(cls)} ^ documented(cls).keys()


def listed(page):
    """Module and member names that mkdocstrings shows on a page; no members: all of them."""
    found = set()
    for module, members in re.findall(r"^::: (\S+)$(?:\n    options: \{members: \[(.*)\]\})?", page, re.M):
        found |= {(module, name.strip()) for name in members.split(",")} if members else {(module, "")}
    return found


def is_listed(cls, page):
    return bool({(cls.__module__, cls.__name__), (cls.__module__, "")} & listed(page))


@pytest.mark.parametrize("cls", CONFIGS, ids=lambda c: c.__name__)
def test_a_config_documents_each_of_its_fields(cls):
    assert not undocumented(cls), "list the field in the Args of the class's docstring"


@pytest.mark.parametrize("cls", CONFIGS, ids=lambda c: c.__name__)
def test_a_part_is_in_the_reference(cls):
    name = "training.md" if cls.__name__ in ("Recipe", "Training", "Group") else "parts.md"
    page = (REFERENCE / name).read_text(encoding="utf8")
    if cls.__module__ == "openmie.recipe.parts":
        assert re.search(rf"^::: openmie\.recipe\n.*\b{cls.__name__}\b", page, re.M)
    else:
        assert is_listed(cls, page), f"add `::: {cls.__module__}` with {cls.__name__} to docs/reference/{name}"


@pytest.mark.parametrize("cls", CONFIGS, ids=lambda c: c.__name__)
def test_no_field_has_an_old_name(cls):
    old = {*OLD_FIELDS, *RENAMED.get(cls.__name__, ())}
    assert not old & {f.name for f in fields(cls)}


def test_the_checks_themselves():
    cls = make_dataclass("Part", [("reads", str), ("width", int)])
    cls.__doc__ = "A part.\n\nArgs:\n    width: hidden size.\n    heads: of nothing."
    assert undocumented(cls) == {"reads", "heads"} and {f.name for f in fields(cls)} & {*OLD_FIELDS} == {"reads"}
    cls.__module__ = "openmie.nn.fuse.part"
    assert not is_listed(cls, "::: openmie.nn.fuse.part\n    options: {members: [Other, PartFusion]}\n")
    assert is_listed(cls, "::: openmie.nn.fuse.part\n    options: {members: [Other, Part]}\n")
    assert is_listed(cls, "text\n\n::: openmie.nn.fuse.part\n::: openmie.nn.fuse.other\n")


def test_every_module_of_the_reference_exists():
    """mkdocs finds it too, but only where the site is built."""
    package = Path(__file__).parents[2]
    for page in REFERENCE.glob("*.md"):
        for module, name in listed(page.read_text(encoding="utf8")):
            at = package.joinpath(*module.split("."))
            file = at / "__init__.py" if at.is_dir() else at.with_suffix(".py")
            if not file.exists():  # a function or class of a module
                file, name = at.parent.with_suffix(".py"), at.name
            if not file.exists():
                file = at.parent / "__init__.py"
            assert file.exists(), (page.name, module)
            names = {n.name for n in ast.walk(ast.parse(file.read_text())) if hasattr(n, "name")}
            assert not name or name in names, (page.name, module, name)
