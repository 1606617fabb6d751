"""What an installation needs beside code is in the lists of `pyproject.toml`, and what these lists name is there."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "openmie"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))
DATA: list[str] = PROJECT["tool"]["setuptools"]["package-data"]["openmie"]
LICENCES: list[str] = PROJECT["project"]["license-files"]


def _files(folder: Path, patterns: list[str]) -> set[str]:
    return {path.relative_to(folder).as_posix() for p in patterns for path in folder.glob(p) if path.is_file()}


def test_every_file_beside_code_is_installed() -> None:
    beside = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix != ".py" and path.name[0] != "." and "__pycache__" not in path.parts
    }
    assert beside - _files(PACKAGE, DATA) == set(), "add them to package-data in pyproject.toml"


@pytest.mark.parametrize("pattern", DATA)
def test_every_pattern_of_data_names_a_file(pattern: str) -> None:
    assert _files(PACKAGE, [pattern])


def test_weights_notices_licences_templates_and_schema_are_installed() -> None:
    weights = [f"base/weights/{name}" for name in ("text.json", "text.safetensors", "nanodet.safetensors", "NOTICE")]
    licences = [f"base/weights/licences/{name}" for name in ("APACHE-2.0.txt", "MIT-human-models.txt")]
    others = ["report/templates/page.html", "data/document.schema.json", "py.typed"]
    assert {*weights, *licences, *others} <= _files(PACKAGE, DATA)


def test_the_notice_names_the_file_of_all_weights_and_its_licences_are_there() -> None:
    notice = (PACKAGE / "base/weights/NOTICE").read_text(encoding="utf8")
    folder = PACKAGE / "base/weights"
    licences = {f"licences/{path.name}" for path in (folder / "licences").iterdir()}
    for name in [*licences, *(path.name for path in folder.glob("*.safetensors"))]:
        assert name in notice, f"NOTICE does not say where {name} is from"


def test_licences_of_third_parties_are_among_those_of_the_project() -> None:
    found = _files(ROOT, LICENCES)
    kept = {path.relative_to(ROOT).as_posix() for path in (PACKAGE / "base/weights/licences").iterdir()}
    assert {"LICENSE", "openmie/base/weights/NOTICE", *kept} <= found
