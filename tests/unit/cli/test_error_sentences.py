"""Errors of the command line are sentences: about forty of them, each as a person meets it."""

import re

import pytest

from openmie import corpora
from openmie.cli import application as cli
from openmie.errors import ErrorRecord, MissingPackageError, RecipeError
from tests.fixtures import small

ERRORS = {  # arguments, with {work} for a folder that has gold.jsonl -> words of the message
    "bench bert --corpus diorama:": "Unknown system 'bert'. Choose one of: baseline, ",
    "bench baselin --corpus diorama:": "Did you mean 'baseline'?",
    "bench baseline": "No --corpus. Expected a corpus to train on.",
    "bench baseline --corpus diorama: --seeds x": "--seeds x",
    "bench baseline --table pdf": "Unknown format 'pdf'. Choose one of: md, csv, html.",
    "bench baseline --plot": "no sweep. Expected runs of a sweep.",
    "bench baseline --cases a --cases b": "0 runs of the name 'a'",
    "train bert --corpus diorama:": "Unknown system 'bert'.",
    "train baseline --corpus twitter:nowhere": "nothing at nowhere",
    "train baseline --corpus nowhere": "No format in the corpus name 'nowhere'.",
    "train baseline --corpus diorama: --ablate txt": "Unknown ablation 'txt'. Choose one of: ",
    "train baseline --corpus diorama: --ablate tex": "Did you mean 'text'?",
    "train baseline --corpus diorama: --set fuse.heads": "--set fuse.heads has no value. Expected FIELD=VALUE.",
    "train baseline --corpus diorama: --set fuse.head=3": "Did you mean 'heads'?",
    "train baseline --corpus diorama: --option txt=tiny": "No option 'txt' in recipe() of baseline.",
    "train baseline --corpus diorama: --option text": "--option text has no value.",
    "train baseline --corpus diorama:trian=3": "Did you mean 'train'?",
    "train baseline --corpus diorama:train=x": "train='x'",
    "train baseline --corpus diorama: --task nre": "Unknown task 'nre'.",
    "show baselin": "Did you mean 'baseline'?",
    "show embeddings no/where/here --corpus diorama:": "No folder 'no/where/here'",
    "show embeddings nowhere": "No --corpus",
    "evaluate no/where/here --corpus diorama:test=4": "No folder 'no/where/here'. Expected a folder",
    "extract": "Nothing to extract from. Expected files of posts",
    "extract x.jsonl --text y": "Both a file and --text",
    "extract --text y --format xml": "Unknown --format 'xml'. Choose one of: jsonl, csv, parquet, table, html.",
    "extract --text y --model no/where/here --label PER": "--label with the trained model 'no/where/here'",
    "extract --text y --label =PER": "--label '=PER', which has no name.",
    "extract --text y --label PER --label PER=x": "--label 'PER' twice.",
    "extract --text y --threshold 2": "--threshold 2. Expected a number from 0 to 1, or LABEL=NUMBER.",
    "extract --text y --task nre": "Unknown task of this model 'nre'. Choose one of: ner, chains,",
    "extract --text y --labels {work}/gold.jsonl": "gold.jsonl:",
    "labels --format xml": "Unknown --format 'xml'. Choose one of: table, jsonl.",
    "extract none.jsonl --model no/where/here": "In none.jsonl: no such file or folder.",
    "extract --text y --system shema --model m --label PER": "Did you mean 'schema'?",
    "extract --text y --system schema --label PER": "No model is named.",
    "extract --text y --system schema --model m --label PER --vlm-option windov=3": "window",
    "score none.jsonl none.jsonl": "In none.jsonl: No such file or directory.",
    "score {work}/gold.jsonl {work}/gold.jsonl --task nre": "Unknown task 'nre'. Choose one of: ner, re,",
    "score {work}/gold.jsonl {work}/gold.jsonl --format yaml": "Choose one of: table, json.",
    "convert none.xyz out.jsonl": "In none.xyz: no such file or folder.",
    "convert {work}/gold.jsonl out.xyz": ".xyz",
    "convert {work}/gold.jsonl out.jsonl --to jsnl": "Unknown format 'jsnl'. Choose one of: ",
    "convert jsonl:{work}#tst out.jsonl": "Did you mean 'test'?",
    "doctor mnr:DIR": "mnr",
    "diorama --split nowhere": "Unknown split 'nowhere'",
    "caption jsonl:{work} --model m --out o --price cheap": "--price cheap is not two prices.",
    "caption jsonl:{work} --model m --out o --retries 2": "--retries without --endpoint.",
    "caption-review diorama:test=4 --sample 3": "--sample without the option that it belongs to.",
    "mmre diorama:train=4,dev=2,test=2 --task nre --llava out": "Unknown --task 'nre'.",
    "video export {work} --out o": "no clips.jsonl.",
    "video agree {work}/gold.jsonl {work}/gold.jsonl --decided d.csv": "without the other",
}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("errors")
    for name in ("gold", "train", "dev", "test"):
        corpora.write([d.replace(images=()) for d in small.documents(4)], folder / f"{name}.jsonl")
    return folder


def sentences(text):
    """That a message is made of sentences, whatever it names."""
    assert re.match(r"[A-Z]|--|`", text), text
    assert text.endswith((".", "?", "!")) and not text.endswith(".."), text
    for join in ("; found", " expected ", "found No", "Found no ", "; Expected", ". .", "[]", "Expected one of"):
        assert join not in text, text
    assert not re.search(r"(?<![.])[.] [a-z](?!\w*[(.])", re.sub(r"'[^']*'|`[^`]*`", "x", text)), text


@pytest.mark.parametrize("arguments", ERRORS)
def test_errors_of_the_command_line_are_sentences(arguments, work, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["openmie", *arguments.format(work=work).split()])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    said = capsys.readouterr().err.strip().splitlines()
    assert stop.value.code == 2 and len(said) == 1, said
    message = said[0].removeprefix("openmie: ")
    print(message)
    sentences(message)
    assert ERRORS[arguments].lower() in message.lower(), message


def test_four_facts_become_sentences():
    record = ErrorRecord(
        where="document x", found="140 frames", expected="at most 120", remedy="increase encode.frames"
    )
    assert str(record) == "In document x: 140 frames. Expected at most 120. Increase encode.frames."
    assert str(ErrorRecord(found="140 frames")) == "Found 140 frames."
    assert str(ErrorRecord(found="x", remedy="openmie doctor x")) == "X. Run openmie doctor x."
    assert str(ErrorRecord(found="x", remedy="openmie leaves it out")) == "X. Openmie leaves it out."
    assert str(ErrorRecord(found="k=0", expected="one of 1, 2", remedy="choose one")) == (
        "Invalid value k=0. Choose one of: 1, 2."
    )
    error = RecipeError.unknown("ablation", "txt", ["text", "softmax"])
    assert str(error) == "Unknown ablation 'txt'. Choose one of: text, softmax. Did you mean 'text'?"
    assert error.record.found and error.record.expected and error.record.remedy
    assert str(RecipeError.unknown("ablation", "nope", ["text"])) == "Unknown ablation 'nope'. Choose one of: text."
    missing = MissingPackageError.of_import(ModuleNotFoundError(name="torch.nn"))
    assert str(missing) == (
        "This needs the package torch, which is not installed. Install it: pip install 'openmie[models]'."
    )
    assert isinstance(missing, ImportError) and MissingPackageError.of_import(ModuleNotFoundError(name="x")) is None
