"""The command line, as a person meets it: each command by its own example, and the errors."""

import json
import subprocess
import sys

import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

from openmie import corpora
from openmie.bench import system
from openmie.cli import application as cli
from openmie.data.document import Document
from openmie.errors import OpenMIEError
from tests.fixtures import small


def run(*arguments, input=None):
    result = CliRunner().invoke(cli.app, [str(a) for a in arguments], input=input)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def work(tmp_path_factory, bert):
    """A folder with gold files and a model trained by the command line on them."""
    folder = tmp_path_factory.mktemp("cli")
    docs = [d.replace(images=()) for d in small.documents(40)]
    for name, part in (("train", docs[:24]), ("dev", docs[24:32]), ("test", docs[32:])):
        corpora.write(part, folder / f"{name}.jsonl")
    result = run(
        "train",
        "baseline",
        "--ablate",
        "text",
        "--corpus",
        f"jsonl:{folder}",
        "--out",
        folder / "model",
        "--set",
        f"encode.text.name={bert}",
        "--set",
        "training.epochs=8",
        "--set",
        "training.param_groups.0.lr=0.003",
    )
    assert "best dev F1" in result.output, result.output
    return folder


def test_python_dash_m_is_the_command():
    command = [sys.executable, "-m", "openmie", "show", "shap_ca"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "shapley" in done.stdout.lower(), done.stderr


@pytest.mark.parametrize("name", system.names())
def test_every_system_prints_a_table_of_what_was_not_run(name, tmp_path):
    dials = {"m3d": "documents=true,", "pfa": "patches=4,translation=false,"}.get(name, "")
    corpus = f"diorama:{dials}train=4,dev=2,test=2"
    result = run("bench", name, "--corpus", corpus, "--ablate", "all", "--table", "md", "--out", tmp_path)
    assert result.exit_code == 0 and "not run" in result.output, result.output
    assert not list(tmp_path.glob("*/run.json"))


def test_train_leaves_a_model_and_logs(work):
    assert {"recipe.json", "model.safetensors", "card.md"} <= {p.name for p in (work / "model").iterdir()}
    assert list((work / "model" / "tensorboard").iterdir())


def test_train_goes_on_where_it_was(work, bert):
    again = run(
        "train",
        "baseline",
        "--ablate",
        "text",
        "--corpus",
        f"jsonl:{work}",
        "--out",
        work / "model",
        "--set",
        f"encode.text.name={bert}",
        "--set",
        "training.epochs=8",
        "--set",
        "training.param_groups.0.lr=0.003",
    )
    assert "going on from" in again.output


def test_evaluate_writes_the_numbers_pedigree(work):
    result = run(
        "evaluate",
        work / "model",
        "--corpus",
        f"jsonl:{work}",
        "--out",
        work / "scores.json",
        "--predictions",
        work / "predicted.jsonl",
    )
    assert "strict" in result.output and "lenient" in result.output
    record = json.loads((work / "scores.json").read_text())
    assert record["scores"]["strict"]["f1"] > 90 and {"data", "date", "recipe", "versions"} <= record.keys()
    table = run(
        "score", work / "test.jsonl", work / "predicted.jsonl", "--task", "ner", "--bootstrap", 0, "--format", "json"
    )
    assert json.loads(table.output)[0]["f1"] == pytest.approx(record["scores"]["strict"]["f1"])


def test_extract_one_post_in_three_formats(work, tmp_path):
    Picture.fromarray(small.picture(1)).save(tmp_path / "a.png")
    one = ["--text", "Ada and Bo like Rome .", "--image", tmp_path / "a.png", "--model", work / "model"]
    result = run("extract", *one)
    assert "1 post with images, which this model does not read" in result.stderr
    found = Document.from_json(result.stdout.strip())
    assert {(m.text, m.label) for m in found.mentions} == {("Ada", "PER"), ("Bo", "PER"), ("Rome", "LOC")}
    assert "Ada" in run("extract", *one, "--format", "table").output
    assert run("extract", *one, "--format", "csv").output.splitlines()[0].startswith('"document"')


def test_extract_gives_every_row_back_and_says_partial(work):
    lines = [
        '{"text": "Ada and Bo like Rome ."}',
        "not json",
        '{"text": 3}',
        '{"id": "x", "text": "Finn and Bo like Oslo ."}',
        '{"text": "Bo", "image": "../secret.png"}',
        '{"text": "Bo", "image": "none.png"}',
        '{"id": "d", "txet": "typo"}',
    ]
    result = run("extract", "-", "--model", work / "model", input="\n".join(lines))
    rows = [json.loads(x) for x in result.stdout.splitlines()]
    assert result.exit_code == cli.PARTIAL and len(rows) == len(lines)
    assert rows[0]["mentions"] and rows[3]["id"] == "x" and rows[3]["mentions"]
    assert all("errors" in rows[i] for i in (1, 2, 4, 6)) and "records with errors" in result.stderr


def test_several_models_run_one_after_the_other(work, bert, tmp_path):
    from openmie.model.pretrained import Model

    Model.new(small.recipe("re", "text", encode__text__name=bert)).save_pretrained(tmp_path / "re")
    out = run(
        "extract", "--text", "Ada and Bo like Rome .", "--model", work / "model", "--model", tmp_path / "re"
    ).output
    found = Document.from_json(out.strip())
    assert len(found.mentions) == 3 and len(found.relations) == 6


def test_convert_round_trip(work, tmp_path):
    run("convert", work / "test.jsonl", tmp_path / "a.conll")
    run("convert", tmp_path / "a.conll", tmp_path / "b.jsonl")
    a, b = (list(corpora.read(p)) for p in (work / "test.jsonl", tmp_path / "b.jsonl"))
    assert [[(m.text, m.label) for m in d.mentions] for d in a] == [[(m.text, m.label) for m in d.mentions] for d in b]
    said = run("convert", work / "test.jsonl", tmp_path / "c.conll").stderr
    assert "cannot hold" in said and "relations" in said
    assert "8 documents" in run("convert", f"jsonl:{work}#dev", tmp_path / "d.jsonl").stderr


def test_doctor_and_diorama_and_show(tmp_path):
    (tmp_path / "train.txt").write_text("IMGID:1\nAda\tB-PER\nlikes\tO\n\nIMGID:2\nRome\tI-LOC\n\n")
    said = run("doctor", f"twitter:{tmp_path}").output
    assert "orphan" in said.lower()
    run("diorama", "--n", 3, "--seed", 1, "--out", tmp_path / "posts")
    assert len(list((tmp_path / "posts").rglob("*.png"))) >= 3
    assert "Cross" in run("show", "baseline").output
    change = run("show", "baseline", "--ablate", "w/o alignment").output
    assert change.startswith("align: [") and "-> []" in change
    assert "fuse.0.heads: 4 -> 8" in run("show", "baseline", "--set", "fuse.heads=8").output


def test_bench_runs_a_grid_once_and_prints_its_table(work, bert, tmp_path):
    asked = ["bench", "baseline", "--corpus", f"jsonl:{work}", "--task", "ner", "--ablate", "text", "--seeds", "2,"]
    asked += ["--set", f"encode.text.name={bert}", "--set", "training.epochs=1", "--out", tmp_path]
    assert "| not run |" in run(*asked, "--table", "md").output
    first = run(*asked)
    assert "test F1" in first.stderr and "(n=1)" in first.stdout and "finished before" not in first.stderr
    assert {"baseline.md", "baseline.csv", "baseline.html"} <= {p.name for p in tmp_path.iterdir()}
    again = run(*asked)
    assert "1/1 baseline text" in again.stderr and "finished before" in again.stderr
    assert run("bench", "baseline", "--out", tmp_path, "--table", "csv").stdout.count("not run") == 4
    assert run("bench", "baseline", "--out", tmp_path, "--table", "html").stdout.strip().endswith("baseline.html")
    assert (
        "3 the same" not in run("bench", "baseline", "--out", tmp_path, "--cases", "seed2", "--cases", "seed2").stdout
    )


def test_bench_says_when_a_run_failed(work, tmp_path):
    (tmp_path / "c").mkdir()
    for name in ("train", "test"):
        (tmp_path / "c" / f"{name}.jsonl").write_bytes((work / f"{name}.jsonl").read_bytes())
    asked = ["bench", "baseline", "--corpus", f"jsonl:{tmp_path / 'c'}", "--ablate", "text", "--out", tmp_path / "runs"]
    result = run(*asked)
    assert result.exit_code == cli.PARTIAL and "failed: " in result.stderr and "unknown split 'dev'" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("bench", "bert", "--corpus", "diorama:"), ["bert", "baseline"]),
        (("bench", "baseline"), ["No --corpus", "--table"]),
        (("bench", "baseline", "--corpus", "diorama:", "--seeds", "x"), ["--seeds x", "4-6"]),
        (("bench", "baseline", "--table", "pdf"), ["pdf", "md, csv, html"]),
        (("bench", "baseline", "--plot"), ["no sweep"]),
        (("bench", "baseline", "--cases", "a", "--cases", "b"), ["0 runs"]),
        (("train", "bert", "--corpus", "diorama:"), ["bert", "baseline"]),
        (("train", "baseline", "--corpus", "twitter:nowhere"), ["nowhere", "Check the path"]),
        (("train", "baseline", "--corpus", "nowhere"), ["FORMAT:PATH"]),
        (("train", "baseline", "--corpus", "diorama:", "--ablate", "x"), ["x", "text"]),
        (("train", "baseline", "--corpus", "diorama:", "--set", "fuse.heads"), ["FIELD=VALUE"]),
        (("train", "baseline", "--corpus", "diorama:trian=3"), ["trian", "train"]),
        (("evaluate", "nowhere/at/all", "--corpus", "diorama:"), ["No folder"]),
        (("extract",), ["Nothing to extract"]),
        (("extract", "x.jsonl", "--text", "y"), ["Both"]),
        (("extract", "--text", "y", "--format", "xml"), ["jsonl, csv, parquet, table, html"]),
        (("score", "none.jsonl", "none.jsonl"), ["none.jsonl"]),
        (("convert", "none.xyz", "out.jsonl"), ["none.xyz"]),
    ],
)
def test_errors_say_what_was_found_and_what_to_do(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OpenMIEError) as error:
        run(*arguments)
    assert all(w in str(error.value) for w in words), str(error.value)


def test_main_prints_errors_without_a_traceback(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["openmie", "doctor", "nothing:here"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2 and capsys.readouterr().err.startswith("openmie: ")


def test_the_flags_of_training_are_frozen():
    """A flag per hyper-parameter must not creep in: change this list only with a reason."""
    import inspect

    from openmie.cli.train import train

    assert list(inspect.signature(train).parameters) == [
        "paper",
        "corpus",
        "out",
        "flavour",
        "ablate",
        "task",
        "seed",
        "option",
        "set_",
        "restart",
        "precision",
        "checkpoint_every",  # of the job, not of the model
        "image_dir",  # of the corpus, as convert and extract have it
        "parts",
    ]
