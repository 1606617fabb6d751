"""`caption` and `objects` read people's own columns and formats, as `extract` and `convert` do."""

import json

import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

from openmie.cli import application as cli
from openmie.errors import CorpusError
from openmie.inference import detector
from openmie.vlm import backends
from openmie.vlm.generate import Answer


class Describes:
    """A backend that says the same of each picture."""

    name = "stub"

    def facts(self):
        return {"model": self.name}

    def answers(self, requests):
        return (Answer(text="a red square", tokens=3) for _ in requests)


class Finds:
    """A detector that finds nothing, of which it keeps the queries."""

    threshold = 0.1

    def __init__(self):
        self.asked = []

    def make_queries(self, phrases):
        self.asked += phrases
        return [detector.Query(p, True) for p in phrases]

    def prepare(self, picture):
        return picture

    def detect(self, pictures, sizes, queries):
        import numpy as np

        return [detector.Detections(np.array([[1.0, 1, 9, 9]]), np.ones(1), np.zeros(1, int)) for _ in pictures]


def run(*words):
    result = CliRunner().invoke(cli.app, list(map(str, words)), catch_exceptions=True)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.parametrize("command", ["caption", "objects"])
def test_columns_and_format_are_named(command, tmp_path, monkeypatch):
    monkeypatch.setattr(backends, "connect", lambda *a, **k: Describes())
    monkeypatch.setattr(detector, "load", lambda *a, **k: Finds())
    (tmp_path / "photos").mkdir()
    Picture.new("RGB", (20, 20), (200, 0, 0)).save(tmp_path / "photos" / "a.png")
    (tmp_path / "posts.export").write_text("n,tweet,photo,likes\n7,red kites,photos/a.png,3\n", encoding="utf8")
    named = ("--from", "csv", "--text-column", "tweet", "--image-column", "photo", "--id-column", "n")
    options = ("--model", tmp_path, "--out", tmp_path / "out")
    assert run(command, tmp_path / "posts.export", *named, *options).exit_code == 0
    (line,) = (tmp_path / "out" / "posts.jsonl").read_text(encoding="utf8").splitlines()
    row = json.loads(line)
    assert (row["id"], row["text"], row["source"]) == ("7", "red kites", {"likes": "3"})
    assert row["captions"] == {"stub": "a red square"} if command == "caption" else len(row["images"]) == 2
    with pytest.raises(CorpusError, match="--text-column n, where it was begun with"):  # is another job
        run(command, tmp_path / "posts.export", *named[:2], "--text-column", "n", *named[4:], *options)
    with pytest.raises(CorpusError, match="--from csv with"):
        run(command, f"jsonl:{tmp_path}", "--from", "csv", *options)
