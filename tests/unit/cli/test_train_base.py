"""`openmie train base`: a small folder that `openmie extract` reads."""

import json
import random

import pytest
from typer.testing import CliRunner

from openmie import corpora
from openmie.base import adapter, text_files
from openmie.base.text_model import TextModel
from openmie.base.tower import TextTower
from openmie.cli import application as cli
from openmie.errors import OpenMIEError
from tests.unit.base.test_text_model import post
from tests.unit.base.tiny import tiny_model, tiny_tower


@pytest.fixture()
def start(tmp_path, monkeypatch):
    monkeypatch.setattr(TextTower, "load", classmethod(lambda cls, name="", mark_cjk=True: tiny_tower()))
    model = tiny_model()
    adapter.adapt(model.upper, 4)
    text_files.save(model, tmp_path / "start")
    drawn = random.Random(0)
    (tmp_path / "corpus").mkdir()
    corpora.write([post(i, drawn) for i in range(30)], tmp_path / "corpus/train.jsonl")
    corpora.write([post(i, drawn) for i in range(20)], tmp_path / "corpus/dev.jsonl")
    return tmp_path


def train(folder, *options):
    arguments = ["train", "base", "--corpus", f"jsonl:{folder}/corpus", "--out", folder / "out"]
    for option in (f"start={folder}/start", *options):
        arguments += option if isinstance(option, tuple) else ("--option", option)
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_folder_is_written_with_the_corpus_labels_and_its_descriptions(start):
    (start / "labels.json").write_text(json.dumps({"PER": "a person", "OTHER": "not in the corpus"}), "utf8")
    result = train(start, "epochs=1", f"labels={start}/labels.json")
    assert "dev F1" in result.stdout and str(start / "out") in result.stdout
    settings = TextModel.load(start / "out").settings
    assert settings.labels == {"PER": "a person", "LOC": ""} and list(settings.relations) == ["lives in"]


def test_a_file_of_labels_that_names_one_twice_is_refused(start):
    (start / "labels.json").write_text('{"PER": "a person", "PER": "a permit"}', "utf8")
    with pytest.raises(OpenMIEError, match="'PER' twice"):
        train(start, f"labels={start}/labels.json")


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("epoch=3", "epochs"),
        ("epochs=many", "a number"),
        ("scratch=perhaps", "true or false"),
        ("labels=none.json", "a file that can be read"),
        (("--flavour", "paper"), "flavour"),
        (("--set", "training.epochs=3"), "option"),
        (("--ablate", "text"), "ablate"),
    ],
)
def test_options_of_other_systems_and_wrong_values_are_refused(start, option, said):
    with pytest.raises(OpenMIEError) as error:
        train(start, option)
    assert said in str(error.value)
    assert not (start / "out").exists()
