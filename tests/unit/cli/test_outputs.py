"""Every command that writes where it is told: nodes stay nodes, links links, a full device is an error of one line."""

import os
import shutil
import sys

import pytest
import torch
import typer

from openmie import corpora
from openmie.cli import application as cli
from openmie.data import folder_lock
from openmie.data.document import Document, Mention
from openmie.data.folder_lock import hold_folder
from openmie.model.pretrained import Model
from openmie.papers import mgips_cl
from openmie.recipe import set_field
from openmie.vlm.backends.answer_store import AnswerStore, StoredRequest
from openmie.vlm.generate import Answer
from openmie.vlm.prompting import request as asked
from tests.fixtures import file_nodes as nodes
from tests.fixtures import small
from tests.fixtures.prompting_stub import Stub

ASK = ("--system", "schema", "--model", "some/model", "--label", "PER=a person")
# name: (arguments with OUT in the place of the path, how a file must be called there)
FILES = {
    "extract jsonl": (("extract", "{work}/test.jsonl", *ASK, "--out", "OUT"), "o.jsonl"),
    "extract csv": (("extract", "{work}/test.jsonl", *ASK, "--format", "csv", "--out", "OUT"), "o.csv"),
    "extract table": (("extract", "{work}/test.jsonl", *ASK, "--format", "table", "--out", "OUT"), "o.txt"),
    "extract html": (("extract", "{work}/test.jsonl", *ASK, "--out", "OUT"), "o.html"),
    "extract parquet": (("extract", "{work}/test.jsonl", *ASK, "--out", "OUT"), "o.parquet"),
    **{f"convert {to}": (("convert", "{work}/test.jsonl", "OUT", "--to", to), "o")
       for to in ("jsonl", "json", "parquet", "conll", "coco", "labelstudio")},
    "zero-shot --out": (("zero-shot", "jsonl:{work}", "--split", "test", *ASK, "--out", "OUT"), "o.jsonl"),
    "zero-shot --scores": (
        ("zero-shot", "jsonl:{work}", "--split", "test", *ASK, "--out", "-", "--scores", "OUT"), "o"
    ),
    "evaluate --out": (("evaluate", "{work}/model", "--corpus", "jsonl:{work}", "--out", "OUT", "--bootstrap", "0"),
                       "o"),
    "evaluate --predictions": (("evaluate", "{work}/model", "--corpus", "jsonl:{work}", "--predictions", "OUT",
                                "--bootstrap", "0"), "o.jsonl"),
    "caption-review csv": (("caption-review", "diorama:test=4", "--out", "OUT"), "o.csv"),
    "caption-review json": (("caption-review", "diorama:test=4", "--out", "OUT"), "o.json"),
    "mmre --review": (("mmre", "diorama:train=6,dev=2,test=2", "--review", "OUT"), "o.csv"),
    "video import": (("video", "import", "{work}/clips.jsonl", "--text", "{work}/brat", "--out", "OUT"), "o.jsonl"),
    "video agree csv": (("video", "agree", "{work}/a.jsonl", "{work}/b.jsonl", "--out", "OUT"), "o"),
    "video agree json": (("video", "agree", "{work}/a.jsonl", "{work}/b.jsonl", "--out", "OUT"), "o.json"),
    "video agree --resolved": (("video", "agree", "{work}/a.jsonl", "{work}/b.jsonl", "--decided", "{work}/differ.csv",
                                "--resolved", "OUT", "--undecided", "a"), "o.jsonl"),
    "answers export": (("answers", "export", "--cache", "{work}/kept.answers", "--out", "OUT"), "o.jsonl"),
    "view": (("view", "{work}/test.jsonl", "--no-open", "--out", "OUT"), "o.html"),
    "graph build": (("graph", "build", "{work}/test.jsonl", "--out", "OUT"), "o.ttl"),
    "graph query": (("graph", "query", "{work}/graph.ttl", "SELECT * {{ ?s ?p ?o }}", "--out", "OUT"), "o.txt"),
    "graph page": (("graph", "page", "{work}/graph.ttl", "PER/ada", "--out", "OUT"), "o.html"),
    "show embeddings": (("show", "embeddings", "{work}/model", "--corpus", "jsonl:{work}", "--out", "OUT"), "o.html"),
    "show relevance": (("show", "relevance", "{work}/contrast", "--corpus", "diorama:train=2,dev=2,test=4", "--out",
                        "OUT"), "o.html"),
}  # fmt: skip
FOLDERS = {
    "batch write-captions": (
        "batch",
        "write-captions",
        "{work}/test.jsonl",
        "--model",
        "m",
        "--cache",
        "{work}/kept.answers",
        "--out",
        "OUT",
    ),
    "view": ("view", "{work}/test.jsonl", "--no-open", "--out", "OUT"),
    "convert brat": ("convert", "{work}/test.jsonl", "OUT", "--to", "brat"),
    "convert yolo": ("convert", "{work}/test.jsonl", "OUT", "--to", "yolo"),
    "convert voc": ("convert", "{work}/test.jsonl", "OUT", "--to", "voc"),
    "graph build": ("graph", "build", "{work}/test.jsonl", "--format", "turtle", "--out", "OUT"),
    "split": ("split", "{work}/test.jsonl", "--out", "OUT"),
    "diorama": ("diorama", "--n", "1", "--out", "OUT"),
    "mmre --out": ("mmre", "diorama:train=6,dev=2,test=2", "--out", "OUT"),
    "mmre --llava": ("mmre", "diorama:train=6,dev=2,test=2", "--llava", "OUT"),
    "caption-review --read": ("caption-review", "diorama:test=4", "--read", "{work}/review.csv", "--out", "OUT"),
    "train": ("train", "baseline", "--ablate", "text", "--corpus", "jsonl:{work}", "--out", "OUT"),
    "demo": ("demo", "--posts", "2", "--out", "OUT"),
    "bench": ("bench", "baseline", "--corpus", "jsonl:{work}", "--table", "html", "--out", "OUT"),
    "video build": ("video", "build", "{work}/film.mp4", "--out", "OUT"),
    "video export": ("video", "export", "{work}/clips.jsonl", "--out", "OUT"),
    "video split": ("video", "split", "{work}/clips.jsonl", "--out", "OUT"),
    "batch write": (
        "batch",
        "write",
        "{work}/test.jsonl",
        "--model",
        "m",
        "--label",
        "PER",
        "--cache",
        "{work}/batch.answers",
        "--out",
        "OUT",
    ),
    "objects": ("objects", "jsonl:{work}", "--model", "{work}/none", "--out", "OUT"),
    "caption": ("caption", "jsonl:{work}", "--model", "x", "--endpoint", "http://localhost:9", "--out", "OUT"),
}
CACHED = {
    **{
        f"answers {name}": ("answers", name, *more, "--cache", "OUT")
        for name, more in (("stats", ()), ("export", ()), ("prune", ("--older-than", "0")))
    },
    "batch read": ("batch", "read", "{work}/test.jsonl", "--cache", "OUT"),
    "batch write-captions": (
        "batch",
        "write-captions",
        "{work}/test.jsonl",
        "--model",
        "m",
        "--out",
        "{work}/told-captions",
        "--cache",
        "OUT",
    ),
    "batch write": (
        "batch",
        "write",
        "{work}/test.jsonl",
        "--model",
        "m",
        "--label",
        "PER",
        "--out",
        "{work}/told",
        "--cache",
        "OUT",
    ),
    "extract": ("extract", "{work}/test.jsonl", *ASK, "--endpoint", "http://localhost:9", "--cache", "OUT"),
    "zero-shot": (
        "zero-shot",
        "jsonl:{work}",
        "--split",
        "test",
        *ASK,
        "--endpoint",
        "http://localhost:9",
        "--cache",
        "OUT",
        "--out",
        "-",
    ),
    "caption": (
        "caption",
        "jsonl:{work}",
        "--model",
        "x",
        "--endpoint",
        "http://localhost:9",
        "--out",
        "{work}/told",
        "--cache",
        "OUT",
    ),
}


@pytest.fixture(scope="module")
def work(tmp_path_factory, bert):
    """A corpus, an untrained model of it, and clips that two annotators disagree about."""
    folder = tmp_path_factory.mktemp("work")
    docs = [d.replace(images=()) for d in small.documents(6)]
    for name in ("train", "dev", "test"):
        corpora.write(docs, folder / f"{name}.jsonl")
    torch.manual_seed(0)
    Model.new(small.recipe("ner", "text", encode__text__name=bert)).save_pretrained(folder / "model")
    contrast = set_field(mgips_cl.recipe(small.CORPUS), "align.0.loss.k", "2")
    Model.new(contrast).save_pretrained(folder / "contrast")
    clips = [Document(id=f"v{i}_0", text="Ada is here", source={"video": f"v{i}"}) for i in range(10)]
    corpora.write(clips, folder / "clips.jsonl")
    AnswerStore(folder / "kept.answers").put(StoredRequest("k", "m", "{}", "p", "", "[]"), Answer(text="said"))
    corpora.write(clips, folder / "brat", "brat")
    corpora.write(clips, folder / "b.jsonl")
    corpora.write(
        [c.replace(mentions=(Mention(id="m", start=0, end=3, label="PER"),)) for c in clips], folder / "a.jsonl"
    )
    (folder / "film.mp4").write_bytes(b"no film")
    (folder / "film.srt").write_text("1\n00:00:00,000 --> 00:01:30,000\nAda is here\n")
    return folder


@pytest.fixture
def openmie(work, tmp_path, monkeypatch, capfd):
    """Run the command as a person does, in a folder of its own: (exit code, what it said of errors)."""
    backend = Stub(lambda request: {"mentions": []})
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)

    def run(arguments, out, stub=True):
        if stub:
            monkeypatch.setattr(asked, "connect", lambda *_, **__: backend)
        told = [a.format(work=work) if a != "OUT" else str(out) for a in arguments]
        monkeypatch.setattr(sys, "argv", ["openmie", *told])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        errors = capfd.readouterr().err
        assert "Traceback" not in errors
        return ended.value.code or 0, errors

    for name, arguments in (
        ("differ.csv", FILES["video agree csv"][0]),
        ("review.csv", FILES["caption-review csv"][0]),
        ("graph.ttl", FILES["graph build"][0]),
    ):
        if not (work / name).exists():
            assert run(arguments, work / name)[0] == 0
    return run


def test_the_tables_know_every_option_that_names_what_is_written():
    def options(command, names=()):
        for name, part in getattr(command, "commands", {}).items():
            yield from options(part, (*names, name))
        for option in command.params:
            if option.name in ("out", "target", "predictions", "scores", "review", "resolved", "llava", "cache"):
                yield " ".join(names), "target" if option.name == "target" else option.opts[0]

    found = {}
    for command, option in options(typer.main.get_command(cli.app)):
        found.setdefault(command, set()).add(option)
    tables = [a for a, _ in FILES.values()] + list(FOLDERS.values()) + list(CACHED.values())
    known = {}
    for told in tables:
        group = " ".join(told[:2]) if told[0] in ("video", "show", "graph", "answers", "batch") else told[0]
        before = told[told.index("OUT") - 1]
        known.setdefault(group, set()).add(before if before.startswith("--") else "target")
    assert known == found


@pytest.fixture(params=list(FILES))
def command(request):
    return FILES[request.param]


def beside(folder, name):
    """What is in the folder, without the one file more that Label Studio's sheet has beside it."""
    return {f for f in os.listdir(folder) if name != "o.json" or f != "o.xml"}


def test_a_pipe(command, openmie, tmp_path):
    arguments, name = command
    with nodes.Reader(tmp_path / name) as reader:
        before, there = nodes.identity(tmp_path / name), beside(tmp_path, name)
        code, errors = openmie(arguments, tmp_path / name)
    assert code == 0, errors
    assert nodes.identity(tmp_path / name) == before and beside(tmp_path, name) == there
    code, errors = openmie(arguments, tmp_path / f"plain-{name}")
    assert code == 0, errors
    plain = (tmp_path / f"plain-{name}").read_bytes()
    assert len(reader.data) == len(plain) > 0 and reader.data[:9] == plain[:9]


def test_devices(command, openmie, tmp_path):
    arguments, name = command
    for like, expected in (("/dev/null", 0), ("/dev/full", 2)):
        nodes.device(tmp_path / name, like)
        before, there = nodes.identity(tmp_path / name), beside(tmp_path, name)
        code, errors = openmie(arguments, tmp_path / name)
        assert code == expected, errors
        last = errors.splitlines()[-1] if errors else ""
        assert expected == 0 or (last.startswith(f"openmie: In {tmp_path / name}: no space left on device")), errors
        assert nodes.identity(tmp_path / name) == before and beside(tmp_path, name) == there
        os.unlink(tmp_path / name)


@pytest.mark.parametrize("kind", ["relative", "absolute", "dangling", "chain"])
def test_links(kind, command, openmie, tmp_path):
    arguments, name = command
    target = tmp_path / "there" / name
    target.parent.mkdir()
    if kind != "dangling":
        target.write_bytes(b"old")
        target.chmod(0o640)
    os.symlink(target if kind == "absolute" else f"there/{name}", tmp_path / f"1-{name}")
    os.symlink(f"1-{name}", tmp_path / f"2-{name}")
    link = tmp_path / (f"2-{name}" if kind == "chain" else f"1-{name}")
    before = {x: (nodes.identity(x), os.readlink(x)) for x in tmp_path.iterdir() if x.is_symlink()}
    code, errors = openmie(arguments, link)
    assert code == 0, errors
    assert {x: (nodes.identity(x), os.readlink(x)) for x in before} == before
    assert len(target.read_bytes()) > 3 and not target.is_symlink()
    assert kind == "dangling" or target.stat().st_mode & 0o777 == 0o640
    assert beside(target.parent, name) == {name}


def test_what_cannot_be_written_to(command, openmie, tmp_path):
    arguments, name = command
    os.symlink(name, tmp_path / name)
    before = nodes.identity(tmp_path / name)
    code, errors = openmie(arguments, tmp_path / name)
    assert code == 2 and "in a circle" in errors and nodes.identity(tmp_path / name) == before
    os.unlink(tmp_path / name)
    (tmp_path / name).mkdir()
    (tmp_path / name / "kept").write_bytes(b"old")
    code, errors = openmie(arguments, tmp_path / name)
    into_folders = arguments[0] == "extract" or (arguments[0], arguments[-2]) == ("zero-shot", "--out")
    told = "something is there already" if into_folders else "a folder"
    assert code == 2 and told in errors and os.listdir(tmp_path / name) == ["kept"]


@pytest.mark.parametrize("name", list(FOLDERS))
@pytest.mark.parametrize("like", ["pipe", "/dev/null", "/dev/full"])
def test_no_folder_takes_the_place_of_a_node(like, name, openmie, tmp_path):
    made = tmp_path / "node"
    os.mkfifo(made) if like == "pipe" else nodes.device(made, like)
    before = nodes.identity(made), set(os.listdir(tmp_path))
    code, errors = openmie(FOLDERS[name], made)
    # `objects` looks for its model first; `video build` goes on with the next video, and says 3
    assert code == (3 if name == "video build" else 2) and (str(made) in errors or name == "objects"), errors
    assert (nodes.identity(made), set(os.listdir(tmp_path))) == before


@pytest.mark.parametrize("name", sorted(FOLDERS.keys() - {"bench", "video build"}))
def test_a_folder_that_another_process_writes_into(name, openmie, tmp_path):
    """`bench` and `video build` share a folder, and hold what they make in it: a run, a video."""
    out = tmp_path / "out"
    with hold_folder(out):
        code, errors = openmie(FOLDERS[name], out)
        # what makes a new folder wants it empty; `objects` looks for its model first
        assert "another process" in errors or "something is there already" in errors or name == "objects", errors
        assert code == 2 and os.listdir(out) == [folder_lock.NAME]


@pytest.mark.parametrize("name", list(CACHED))
@pytest.mark.parametrize("like", ["pipe", "/dev/null", "/dev/full"])
def test_no_cache_in_a_node(like, name, openmie, work, tmp_path):
    made = tmp_path / "node"
    os.mkfifo(made) if like == "pipe" else nodes.device(made, like)
    before = nodes.identity(made), set(os.listdir(tmp_path))
    code, errors = openmie(CACHED[name], made, stub=False)
    assert code == 2 and str(made) in errors, errors
    assert (nodes.identity(made), set(os.listdir(tmp_path))) == before
    shutil.rmtree(work / "told", ignore_errors=True)
