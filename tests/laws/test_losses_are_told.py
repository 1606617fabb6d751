"""For every reader, a broken item is told by every command: counted, named, printed, and by the exit code.

One table of formats x ways to break one of two items; datasets have the rows of `test_reader_contracts`. Training and
prediction are stubs that read their splits and nothing else: what is under test is what the commands say of them.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from openmie import bench, train
from openmie.cli import application as cli
from openmie.cli import base_options
from openmie.cli import train as train_command
from openmie.data.document import Document, Image, Region
from openmie.errors import OpenMIEError
from openmie.formats import registry
from openmie.model import pretrained
from openmie.train import evaluate as scoring
from tests.laws.test_reader_contracts import CASES, DATASET_ROWS, broken_rows, document

GOOD = document(*CASES["first and last word"])
BOX = Document(
    id="a",
    images=(Image(path="a.png", id="a", width=100, height=80),),
    regions=(Region(image="a", box=(10, 10, 40, 60), label="PER"),),
)


def run(*arguments: object) -> tuple[int, str]:
    """Exit code and all that was printed; anything but an OpenMIEError is a traceback."""
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments])
    if isinstance(result.exception, OpenMIEError):
        return 2, f"{result.exception} {result.output}"
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def told(answer: tuple[int, str], name: str) -> None:
    code, said = answer
    count = re.search(r"(\d+) records of what could not be read", said)
    assert code == cli.PARTIAL and count and int(count[1]) >= 1 and name in said, said


def jsonl(path: Path) -> str:
    path.write_text(GOOD.to_json() + '\n{"id": "b", "text": "Bo", "mentions": [{"id": "m", "start": 0, "end": 9}]}\n')
    return f"{path.name}:2"


def json_list(path: Path) -> str:
    path.write_text(f'[{GOOD.to_json()}, {{"id": "b", "txet": "Bo"}}]')
    return f"{path.name}, item 2"


def parquet(path: Path) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    registry.write([GOOD, GOOD.replace(id="b")], path, "parquet")
    rows = pq.read_table(path).to_pylist()
    rows[1]["mentions"][0]["end"] = 99
    pq.write_table(pa.Table.from_pylist(rows, schema=pq.read_schema(path)), path)
    return f"{path.name}, row 2"


def conll(path: Path) -> str:
    path.write_text("Ada\tB-PER\n\nBo likes\n\nCy\tO\n")
    return f"{path.name}:3"


def brat(path: Path) -> str:
    path.mkdir()
    (path / "a.txt").write_text("Ada met Bo")
    (path / "a.ann").write_text("T1\tPER 0 3\tAda\nT2\tPER 9 30\tBo\n")
    return "a.ann:2"


def coco(path: Path) -> str:
    registry.write([BOX], path, "coco")
    data = json.loads(path.read_text())
    data["annotations"].append({**data["annotations"][0], "id": 2, "bbox": [1, 2]})
    path.write_text(json.dumps(data))
    return path.name


def voc(path: Path) -> str:
    registry.write([BOX], path, "voc")
    text = (path / "a.xml").read_text()
    (path / "a.xml").write_text(text.replace("</annotation>", "<object><name>LOC</name></object></annotation>"))
    return "a.xml"


def yolo(path: Path) -> str:
    registry.write([BOX], path, "yolo")
    with (path / "labels" / "a.txt").open("a") as file:
        file.write("7 0.5 0.5 0.2 0.2\n")
    return "a.txt:2"


def labelstudio(path: Path) -> str:
    registry.write([GOOD], path, "labelstudio")
    tasks = json.loads(path.read_text())
    tasks[0]["annotations"][0]["result"][1]["value"]["text"] = "nowhere"
    path.write_text(json.dumps(tasks))
    return f"{path.name}, task 0"


def csv_posts(path: Path) -> str:
    path.write_text("id,text\na,Ada met Bo\nb,Bo, too\n")
    return f"{path.name}:3"


def text(path: Path) -> str:
    path.write_bytes(b"Ada met Bo\nBo \xff too\n")
    return f"{path.name}:2"


def images(path: Path) -> str:
    path.mkdir()
    (path / "a.png").touch()
    (path / "a.txt").write_bytes(b"Ada \xff met Bo")
    return "a.txt:1"


FORMAT_ROWS = {
    "jsonl": (jsonl, "a.jsonl"),
    "json": (json_list, "a.json"),
    "parquet": (parquet, "a.parquet"),
    "conll": (conll, "a.conll"),
    "brat": (brat, "a"),
    "coco": (coco, "a.json"),
    "voc": (voc, "a"),
    "yolo": (yolo, "a"),
    "labelstudio": (labelstudio, "a.json"),
    "csv": (csv_posts, "a.csv"),
    "text": (text, "a.txt"),
    "images": (images, "a"),
}


def test_every_format_has_a_row():
    assert set(FORMAT_ROWS) == {name for name, row in registry.FORMATS.items() if row.reader}


@pytest.mark.parametrize("format", FORMAT_ROWS)
def test_commands_on_files(format, tmp_path):
    break_one, name = FORMAT_ROWS[format]
    path, out = tmp_path / name, tmp_path / "out.jsonl"
    where = break_one(path)
    told(run("convert", path, out, "--from", format), where)
    kept = list(registry.read(out))
    assert kept  # the others are written
    if any(d.errors for d in kept):
        told(run("doctor", f"jsonl:{out}"), where)
    if registry.FORMATS[format].can_be_corpus:
        told(run("doctor", f"{registry.FORMATS[format].dataset}:{path}"), where)
        told(run("convert", f"{registry.FORMATS[format].dataset}:{path}#test", out), where)
    task = "boxes" if format in ("coco", "voc", "yolo") else "ner"
    asked = ("--task", task, "--bootstrap", 0)
    registry.write(kept, tmp_path / "whole.jsonl")
    if registry.guess(path, reading=True) == format:
        told(run("score", path, path, *asked), where)
        told(run("score", path, path, *asked, "--format", "json"), where)
        told(run("graph", "build", path, "--out", tmp_path / "graph.ttl"), where)


@pytest.fixture
def stubs(monkeypatch):
    """Training and prediction that read the documents they are given, and nothing more."""
    recipe = SimpleNamespace(is_generative=False, name="stub")

    def fit(recipe, documents, dev, **options):
        yield SimpleNamespace(kind="start", step=0, steps=len([*documents, *dev]), values={})

    monkeypatch.setattr(bench.system, "build", lambda *_: recipe)
    monkeypatch.setattr(bench.system, "ablate", lambda *_: recipe)
    monkeypatch.setattr(train, "fit", fit)
    monkeypatch.setattr(train_command, "train_base", lambda data, *_: list(data.train))
    monkeypatch.setattr(pretrained, "load", lambda name: None)
    monkeypatch.setattr(scoring, "evaluate", lambda model, gold, **_: ({}, list(gold)))
    monkeypatch.setattr(scoring, "scheme_ceiling", lambda *_: {})


def broken_corpus(dataset: str, folder: Path) -> tuple[str, str]:
    """Spec of a corpus with a dev split and, in train, something that cannot be read; where that is."""
    spec = DATASET_ROWS[dataset][0](folder, *CASES["first and last word"])
    file = next(f for f in folder.glob("*train*") if f.is_file())
    shutil.copy(file, file.with_name(file.name.replace("train", "dev")))
    if dataset == "parquet":
        parquet(file)
    else:
        broken_rows(file)
    return spec, file.name


@pytest.mark.parametrize("dataset", DATASET_ROWS)
def test_commands_on_corpora(dataset, tmp_path, stubs):
    (tmp_path / "corpus").mkdir()
    spec, where = broken_corpus(dataset, tmp_path / "corpus")
    told(run("doctor", spec), where)
    told(run("convert", f"{spec}#train", tmp_path / "out.jsonl"), where)
    told(run("evaluate", tmp_path, "--corpus", spec, "--split", "train"), where)
    for system in ("baseline", "base"):
        told(run("train", system, "--corpus", spec, "--out", tmp_path / "model"), where)


def test_convert_and_doctor_name_each_annotation_that_brat_s_reader_left_out(tmp_path):
    """One whose text is elsewhere and one of two parts: two records, told when they are read and ever after."""
    (tmp_path / "a.txt").write_text("Kei near Oslo\n")
    (tmp_path / "a.ann").write_text("T1\tPER 0 3\tKei\nT2\tLOC 4 8\tOslo\nT3\tMISC 0 3;9 13\tKei Oslo\n")
    for command in (
        ("convert", tmp_path, tmp_path / "o.jsonl", "--from", "brat"),
        ("doctor", f"jsonl:{tmp_path}/o.jsonl"),
    ):
        code, said = run(*command)
        assert code == cli.PARTIAL and "2 records of what could not be read" in said, said
        assert "a.ann:2" in said and "a.ann:3" in said
    assert [m.text for m in next(registry.read(tmp_path / "o.jsonl")).mentions] == ["Kei"]


def test_convert_of_a_split_says_what_it_leaves_out(tmp_path):
    (tmp_path / "train.conll").write_text("Kei\tB-PER\nsings\tO\n\nbad line here\n\nBo\tB-PER\n")
    code, said = run("convert", f"conll:{tmp_path}#train", tmp_path / "o.jsonl")
    assert code == cli.PARTIAL and "1 records of what could not be read" in said and "train.conll:4" in said
    assert [d.text for d in registry.read(tmp_path / "o.jsonl")] == ["Kei sings", "Bo"]


def test_an_error_does_not_hide_what_could_not_be_read(tmp_path, stubs, monkeypatch):
    """Where nothing is left to train on, what was lost is the reason."""

    def fit(recipe, documents, dev, **options):
        list(documents)
        raise OpenMIEError("no documents")

    monkeypatch.setattr(train, "fit", fit)
    spec, where = broken_corpus("jsonl", tmp_path)
    code, said = run("train", "baseline", "--corpus", spec, "--out", tmp_path / "model")
    assert code == 2 and "no documents" in said.lower() and where in said, said


def test_nothing_is_written_of_what_cannot_be_read_at_all(tmp_path):
    (tmp_path / "a.jsonl").write_text("no json\n")
    (tmp_path / "out.jsonl").write_text("kept")
    answer = run("convert", tmp_path / "a.jsonl", tmp_path / "out.jsonl")
    told(answer, "a.jsonl:1")
    assert "was not written" in answer[1] and (tmp_path / "out.jsonl").read_text() == "kept"


def test_extract(tmp_path, monkeypatch):
    """A row that cannot be read, and a Document that already carries a record, as `convert` wrote it."""
    told_before = GOOD.replace(errors=({"where": "a.ann:2", "found": "a span elsewhere"},))
    (tmp_path / "a.jsonl").write_text(f"no json\n{told_before.to_json()}\n")
    monkeypatch.setattr(
        base_options, "load_models", lambda *_, **__: [SimpleNamespace(predict=list, identity=lambda: {"name": "none"})]
    )
    code, said = run("extract", tmp_path / "a.jsonl", "--out", tmp_path / "out.jsonl")
    assert code == cli.PARTIAL and "2 records with errors" in said and "a.jsonl:1" in said and "a.ann:2" in said
    assert sum(bool(d.errors) for d in registry.read(tmp_path / "out.jsonl")) == 2


def test_a_note_is_told_and_is_no_loss(tmp_path):
    """What was mended on reading is printed and counted; the exit code is that of success."""
    noted = GOOD.replace(errors=({"where": "a.xml", "found": "a box beyond the border", "note": True},))
    registry.write([noted], tmp_path / "a.parquet")
    for command in (("convert", tmp_path / "a.parquet", tmp_path / "b.jsonl"), ("doctor", f"jsonl:{tmp_path}/b.jsonl")):
        code, said = run(*command)
        assert code == 0 and "1 notes" in said and "a.xml" in said, said
    assert next(registry.read(tmp_path / "b.jsonl")).errors == noted.errors
