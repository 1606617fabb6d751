"""Parts of one's own, from a Python file that the user names: `--parts my_module.py`.

The file is run, as Python runs a program. Nothing else names it: a model folder says which file its parts are of
(`parts.json`), and is loaded where that file was given, never by itself.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from openmie.errors import RecipeError
from openmie.recipe.parts import KINDS

_parts: dict[str, type] = {}  # by the names of their classes
_files: dict[Path, str] = {}  # and the files that they are of, each with the SHA-256 of what was run


def load_parts(*files: str | Path) -> tuple[type, ...]:
    """Run Python files, and make the parts in them known to recipes of this process.

    Args:
        files: each with config classes (frozen dataclasses) of parts; those whose names begin with "_" are left out.

    Returns:
        The classes, for `openmie.load(folder, parts=...)`.

    Raises:
        RecipeError: no such file, an error in it, no config in it, or one with the name of a part of openmie.
    """
    found: list[type] = []
    for file in files:
        path = Path(file).resolve()
        source = _source(path, str(file))
        configs = _configs(path, str(file))
        if taken := sorted(c.__name__ for c in configs if c.__name__ in KINDS):
            raise RecipeError(
                f"a class {taken[0]!r}, as a part of openmie is called",
                expected="names of your own",
                where=str(file),
                remedy="rename it, or begin its name with _ where it is no part",
            )
        _parts.update({c.__name__: c for c in configs})
        _files[path] = hashlib.sha256(source).hexdigest()
        found += configs
    return tuple(found)


def known_parts(more: Iterable[type] = ()) -> dict[str, type]:
    """All config classes that a recipe may name: openmie's, those of `load_parts`, and `more`."""
    return {**KINDS, **_parts, **{p.__name__: p for p in more}}


def is_own(name: str) -> bool:
    """Whether `load_parts` has found a class of this name."""
    return name in _parts


def part_files() -> tuple[str, ...]:
    """The files of `load_parts`, with the folders that lead to them."""
    return tuple(map(str, _files))


def part_marks() -> tuple[str, ...]:
    """The files of `load_parts` as records name them: without folders, with eight digits of their contents' hash."""
    return tuple(sorted(f"{path.name}:{mark[:8]}" for path, mark in _files.items()))


def own_parts_of(recipe: Any) -> dict[str, str]:
    """The parts in a recipe that are none of openmie's: the name of the class, and of the file that it is of."""
    found: dict[str, str] = {}
    if isinstance(recipe, tuple | list):
        for part in recipe:
            found |= own_parts_of(part)
    elif is_dataclass(recipe) and not isinstance(recipe, type):
        cls = type(recipe)
        if cls not in KINDS.values():
            module = sys.modules.get(cls.__module__)
            found[cls.__name__] = Path(getattr(module, "__file__", None) or cls.__module__).name
        for field in fields(recipe):
            found |= own_parts_of(getattr(recipe, field.name))
    return found


def lacking_part(own: Mapping[str, str], more: Iterable[type] = ()) -> tuple[str, str] | None:
    """The first part of a model, and its file, that is not known."""
    known = known_parts(more)
    return next(((name, file) for name, file in sorted(own.items()) if name not in known), None)


def _source(path: Path, named: str) -> bytes:
    if path.suffix != ".py" or not path.is_file():
        raise RecipeError(
            "no such file" if path.suffix == ".py" else "no Python file",
            expected="a Python file, such as my_module.py",
            where=named,
            remedy="correct the path of --parts",
        )
    return path.read_bytes()


def _configs(path: Path, named: str) -> list[type]:
    """Run the file; the public dataclasses that it defines."""
    name = f"openmie_parts_{hashlib.sha256(str(path).encode('utf8', 'surrogatepass')).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # where its own imports may lie; last, so that it hides nothing
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        raise RecipeError(
            f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
            expected="a Python file that runs",
            where=f"{named}, line {lines[-1]}" if lines else named,
            remedy="mend it",
        ) from error
    found = [c for c in vars(module).values() if isinstance(c, type) and is_dataclass(c) and c.__module__ == name]
    public = [c for c in dict.fromkeys(found) if not c.__name__.startswith("_")]
    if not public:
        raise RecipeError(
            "no config of a part",
            expected="a frozen dataclass above each module, as docs/guides/add-a-part.md shows",
            where=named,
            remedy="define one, or leave the file out",
        )
    return public
