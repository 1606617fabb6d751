"""A part of one's own from a file: trained, saved, loaded again and compared, from the command line alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import openmie
from openmie.bench.run_spec import RunSpec
from openmie.cli import application as cli
from openmie.errors import ModelError, RecipeError
from openmie.model.pretrained import Model
from openmie.recipe import load_parts, own_parts, set_field
from tests.fixtures import small

BOW = '''
from dataclasses import dataclass
from pathlib import Path

from torch import nn

Path(__file__).with_suffix(".ran").write_text("ran")


@dataclass(frozen=True, kw_only=True)
class Bow:
    """fused = text + scale * W mean(image)."""

    scale: float = 1.0

    def needs(self):
        return frozenset({"text", "vision"})

    def makes(self):
        return frozenset({"fused"})

    def build(self, widths):
        return BowFusion(widths, self.scale)


class BowFusion(nn.Module):
    def __init__(self, widths, scale):
        super().__init__()
        self.widths, self.scale = {"fused": widths["text"]}, scale
        self.project = nn.Linear(widths["vision"], widths["text"], bias=False)

    def forward(self, streams):
        text, image = streams["text"], streams["vision"].pooled
        return {**streams, "fused": text.with_tokens(text.tokens + self.scale * self.project(image)[:, None])}
'''


@pytest.fixture
def file(tmp_path: Path, monkeypatch: Any) -> Path:
    """The file, and a process that has been given none yet."""
    monkeypatch.setattr(own_parts, "_parts", {})
    monkeypatch.setattr(own_parts, "_files", {})
    monkeypatch.setattr(sys, "path", [*sys.path])
    path = tmp_path / "my_module.py"
    path.write_text(BOW)
    return path


def forget(monkeypatch: Any) -> None:
    monkeypatch.setattr(own_parts, "_parts", {})
    monkeypatch.setattr(own_parts, "_files", {})


def test_a_model_with_a_part_of_ones_own_is_loaded_where_its_file_is_given(
    file: Path, tmp_path: Path, monkeypatch: Any, bert: str
) -> None:
    (bow,) = load_parts(file)
    recipe = set_field(small.recipe("ner", encode__text__name=bert), "fuse", "Bow")
    assert recipe.fuse == (bow(),)
    assert set_field(recipe, "fuse.scale", "0.5").fuse == (bow(scale=0.5),)
    model = Model.new(recipe)
    model.save_pretrained(tmp_path / "m")
    assert json.loads((tmp_path / "m" / "parts.json").read_text()) == {"Bow": "my_module.py"}
    forget(monkeypatch)
    file.with_suffix(".ran").unlink()
    (tmp_path / "m" / "my_module.py").write_text(BOW)  # a file in the folder is not run either
    with pytest.raises(ModelError, match=r"'Bow'.*Pass --parts my_module\.py"):
        openmie.load(tmp_path / "m")
    assert not list(tmp_path.rglob("*.ran"))
    docs = small.documents(3)
    assert openmie.load(tmp_path / "m", parts=[bow]).predict(docs) == model.predict(docs)
    load_parts(file)
    again = openmie.load(tmp_path / "m")
    assert again.predict(docs) == model.predict(docs)
    Model.new(small.recipe("ner", encode__text__name=bert)).save_pretrained(tmp_path / "m")
    assert not (tmp_path / "m" / "parts.json").exists()


def test_the_commands_take_parts(file: Path, tmp_path: Path, monkeypatch: Any, bert: str) -> None:
    run, parts = CliRunner(), ["--parts", str(file)]
    corpus = "diorama:train=8,dev=4,test=4"
    changes = [*parts, "--set", 'fuse=[{"kind": "Bow", "scale": 2}]', "--set", "training.epochs=1"]
    system = ["baseline", "--option", f"text={bert}", "--task", "ner", "--corpus", corpus]
    folder = str(tmp_path / "model")

    def done(*command: str, code: int = 0) -> str:
        forget(monkeypatch)
        found = run.invoke(cli.app, [*command])
        assert found.exit_code == code, (command, found.output, found.exception)
        return found.output

    assert '"kind": "Bow"' in done("show", *system, *changes)
    assert "best dev F1" in done("train", *system, *changes, "--out", folder)
    assert "precision" in done("evaluate", folder, "--corpus", corpus, *parts, "--bootstrap", "0")
    (tmp_path / "a.jsonl").write_text('{"text": "Ada in Turin"}\n')
    assert "Ada in Turin" in done("extract", str(tmp_path / "a.jsonl"), "--model", folder, *parts)
    forget(monkeypatch)
    lacking = run.invoke(cli.app, ["evaluate", folder, "--corpus", corpus])
    assert isinstance(lacking.exception, ModelError) and "--parts my_module.py" in str(lacking.exception)


def test_runs_of_another_file_are_other_runs(file: Path) -> None:
    load_parts(file)
    first = own_parts.part_marks()
    file.write_text(BOW + "\n")
    load_parts(file)
    names = {RunSpec(paper="baseline", corpus="diorama:", parts=p).name for p in ((), first, own_parts.part_marks())}
    assert len(names) == 3 and any("my_module.py" in n for n in names)
    cell = RunSpec(paper="baseline", corpus="diorama:", parts=first)
    assert RunSpec.load(json.loads(json.dumps(cell.dump()))) == cell


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import nowhere_to_be_found", "line 1"),
        ("x = 1\nraise SystemExit(3)", "line 2"),
        ("class A(:", "SyntaxError"),
        ("x = 1", "o config of a part"),
        ("from dataclasses import dataclass\n@dataclass\nclass Cross:\n    a: int = 1", "'Cross'"),
        ("from dataclasses import dataclass\n@dataclass\nclass _Cross:\n    a: int = 1", "o config of a part"),
    ],
)
def test_a_file_that_is_none(file: Path, text: str, found: str) -> None:
    file.write_text(text)
    with pytest.raises(RecipeError, match=found):
        load_parts(file)
    assert own_parts.part_files() == ()


@pytest.mark.parametrize("name", ["none.py", "my_module", "", "."])
def test_a_path_that_is_none(file: Path, name: str) -> None:
    with pytest.raises(RecipeError, match=r"[Nn]o (such|Python) file"):
        load_parts(file.parent / name)
