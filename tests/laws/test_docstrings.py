"""Every part of a recipe documents its fields, and stands in the reference; no field is named in the old words."""

import ast
import importlib
import inspect
import re
from dataclasses import fields, make_dataclass
from pathlib import Path

import pytest

from openmie.nn.encode.inputs import EncoderInputs
from openmie.recipe import KINDS
from openmie.recipe.renamed import RENAMED
from tests.laws.test_language import OLD_FIELDS

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
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


def named_in(text):
    """(module, name) of each openmie name that Python code in a page imports or calls as `openmie.name`."""
    for block in re.findall(r"^```python\n(.*?)^```", text, re.M | re.S):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "openmie":
                yield from ((node.module, alias.name) for alias in node.names)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "openmie":
                yield "openmie", node.attr
    yield from (name.rsplit(".", 1) for name in re.findall(r"`(openmie(?:\.\w+)+)[`(]", text))


PAGES = [ROOT / "README.md", *(p for p in (ROOT / "docs").rglob("*.md") if p.parent != REFERENCE)]


def test_what_readme_and_docs_name_is_in_the_reference():
    text = "\n".join(p.read_text(encoding="utf8") for p in sorted(REFERENCE.glob("*.md")))
    shown = listed(text)
    modules = {module for module, _ in shown}
    names = {(m, n) for page in PAGES for m, n in named_in(page.read_text(encoding="utf8"))}
    assert ("openmie", "load") in names and ("openmie.train", "fit") in names
    for module, name in sorted(names):
        above = importlib.import_module(module)
        value = getattr(above, name) if hasattr(above, name) else importlib.import_module(f"{module}.{name}")
        if inspect.ismodule(value):
            inside = any(f"{m}.".startswith(f"{value.__name__}.") for m in modules)
            assert inside or f"`{value.__name__}`" in text, value
            continue
        where = getattr(value, "__module__", module)
        exact = {(where, getattr(value, "__name__", name)), (where, ""), (module, name)}
        assert exact & shown or f"{where}.{name}" in modules, (where, name)


def test_every_module_of_the_reference_exists():
    """mkdocs finds it too, but only where the site is built."""
    for page in REFERENCE.glob("*.md"):
        for module, name in listed(page.read_text(encoding="utf8")):
            at = ROOT.joinpath(*module.split("."))
            file = at / "__init__.py" if at.is_dir() else at.with_suffix(".py")
            if not file.exists():  # a function or class of a module
                file, name = at.parent.with_suffix(".py"), at.name
            if not file.exists():
                file = at.parent / "__init__.py"
            assert file.exists(), (page.name, module)
            names = {n.name for n in ast.walk(ast.parse(file.read_text())) if hasattr(n, "name")}
            assert not name or name in names, (page.name, module, name)
