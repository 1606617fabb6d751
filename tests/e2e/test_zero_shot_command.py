"""The printed zero-shot command with a model whose boxes are unknown, as printed: neither its name nor its family is
swapped, only the weights that it would download are replaced."""

import re
import shlex
import warnings
from pathlib import Path

import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

from openmie.cli import application as cli
from openmie.data.document import Document, Image
from openmie.errors import RecipeError
from openmie.model import hub_names
from openmie.vlm.backends import model_loading
from openmie.vlm.backends.local import Local
from openmie.vlm.prompting.options import PromptOptions
from openmie.vlm.prompting.predict import predict
from tests.fixtures import small
from tests.fixtures.prompting_stub import Stub, plausible

ROOT = Path(__file__).parents[2]
MODEL = "HuggingFaceTB/SmolVLM-500M-Instruct"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = {
    line[2:]
    for page in PAGES
    for line in page.read_text(encoding="utf8").splitlines()
    if re.match(rf"\$ openmie extract .*--model {MODEL}", line)
}


@pytest.fixture
def posts(tmp_path, monkeypatch):
    """Two posts, a model without weights, and the requests that it got."""
    Picture.fromarray(small.picture(0)).save(tmp_path / "photo.jpg")
    (tmp_path / "posts.jsonl").write_text('{"text": "Ada saw Rome", "image": "photo.jpg"}\n{"text": "Bo saw Oslo"}\n')
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    backend = Stub(plausible)
    monkeypatch.setattr(hub_names, "query_hub", {MODEL: ""}.__getitem__)  # the hub has it; another name is a KeyError
    monkeypatch.setattr(model_loading, "resolve_revision", lambda source, revision: "commit")
    monkeypatch.setattr(Local, "answers", lambda self, requests: backend.answers(requests))
    return backend


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_the_printed_command_works_as_printed(command, posts, tmp_path):
    _, *arguments = shlex.split(command)
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 0, result.output + repr(result.exception)
    advice = [line for line in result.stderr.splitlines() if "boxes" in line]
    assert len(advice) == 1 and f"`openmie doctor boxes --model {MODEL}`" in advice[0]
    assert [set(r.schema["properties"]) for r in posts.asked] == [{"summary", "mentions"}] * 2
    (out,) = (tmp_path / "runs").iterdir()
    found = [Document.from_json(line) for line in out.read_text(encoding="utf8").splitlines()]
    assert [d.text for d in found] == ["Ada saw Rome", "Bo saw Oslo"] and not any(d.errors for d in found)


def test_the_command_is_printed_somewhere():
    assert COMMANDS


def test_in_python_an_unknown_family_is_a_warning_and_boxes_alone_are_an_error(tmp_path):
    document = Document(id="d", text="Ada", images=[Image(pixels=small.picture(0))])
    backend = Stub(plausible, MODEL)
    with pytest.warns(UserWarning, match="SmolVLM-500M-Instruct gives no boxes"):
        (found,) = predict(backend, [document], labels=["PER"], tasks="grounded")
    assert list(backend.asked[0].schema["properties"]) == ["mentions"] and not found.errors
    with pytest.raises(RecipeError, match=r"gives no boxes.*doctor boxes"):
        predict(backend, [document], labels=["PER"], tasks="boxes")
    with pytest.warns(UserWarning, match="It is unknown how a-new-model writes boxes"):
        list(predict(Stub(plausible, "a-new-model"), [document], labels=["PER"], tasks="grounded"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(predict(backend, [document], labels=["PER"], tasks="grounded", options=PromptOptions(family="gemini")))
    assert list(backend.asked[1].schema["properties"]) == ["mentions", "boxes"]
