"""No command keeps to itself what it could not read: each is in a table here, and one that is in none fails.

`test_losses_are_told` has the commands that read, score and train, on every reader; here are those that ask models, and
those that split, look through and compare. Models are stubs: what is under test is what the commands say.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from openmie import bench, corpora
from openmie import recipe as recipes
from openmie.bench import execution, relevance
from openmie.bench.entity_space import picture
from openmie.cli import application as cli
from openmie.cli import base_options
from openmie.cli.commands import COMMANDS, OnDemand
from openmie.data.document import Document, Image, Mention, Region
from openmie.formats import registry
from openmie.inference import detector
from openmie.vlm import backends
from openmie.vlm.prompting import request as asked
from tests.fixtures.prompting_stub import Stub, plausible
from tests.laws.test_losses_are_told import FORMAT_ROWS, GOOD, broken_corpus, run
from tests.laws.test_reader_contracts import DATASET_ROWS

Typed = Callable[[Any, Path], tuple[Any, ...]]
ON_POSTS: dict[str, Typed] = {  # files, with --from: each reader is asked for by name
    "extract": lambda posts, out: (*posts, "--out", out / "rows.jsonl"),
    "split": lambda posts, out: (*posts, "--out", out / "split", "--shares", "1,0,0"),
    "caption": lambda posts, out: (*posts, "--model", out, "--out", out / "captioned"),
    "objects": lambda posts, out: (*posts, "--model", out, "--out", out / "found"),
    "batch write": lambda posts, out: (
        *posts,
        "--model",
        out,
        "--label",
        "PER",
        "--cache",
        out / "b.db",
        "--out",
        out / "batch",
    ),
    "batch write-captions": lambda posts, out: (
        *posts,
        "--model",
        out,
        "--cache",
        out / "b.db",
        "--out",
        out / "requests",
    ),
}
ON_CORPORA: dict[str, Typed] = {  # FORMAT:PATH
    "caption": ON_POSTS["caption"],
    "objects": ON_POSTS["objects"],
    "zero-shot": lambda spec, out: (
        *spec,
        "--split",
        "train",
        "--model",
        "m",
        "--label",
        "PER",
        "--out",
        out / "zero.jsonl",
    ),
    "view": lambda spec, out: (*spec, "--out", out / "page.html", "--no-open"),
    "caption-review": lambda spec, out: (*spec, "--split", "train", "--out", out / "review.csv"),
    "bench": lambda spec, out: ("baseline", "--corpus", *spec, "--out", out / "runs"),
    "show relevance": lambda spec, out: (out, "--corpus", *spec, "--split", "train", "--out", out / "r.html"),
    "show embeddings": lambda spec, out: (out, "--corpus", *spec, "--split", "train", "--out", out / "e.html"),
}
ON_CLIPS: dict[str, Typed] = {  # files of Documents
    "video split": lambda clips, out: (*clips, "--out", out / "split"),
    "video export": lambda clips, out: (*clips, "--out", out / "tasks", "--to", "labelstudio"),
    "video agree": lambda clips, out: (*clips, *clips),
    "video import": lambda clips, out: (*clips, "--text", out / "tasks/brat", "--out", out / "annotated.jsonl"),
    "mmre": lambda clips, out: (f"jsonl:{clips[0]}", "--seed", -1),
}
ELSEWHERE = {  # on every reader in `test_losses_are_told`; `doctor boxes` and the others read no posts
    "convert": "", "score": "", "doctor corpus": "", "graph build": "", "train": "", "evaluate": "",
    "doctor boxes": "draws its own pictures", "show recipe": "reads labels", "labels": "reads nothing",
    "demo": "the built-in corpus", "diorama": "the built-in corpus", "graph query": "a graph", "graph page": "a graph",
    "serve": "requests, each of which is answered with its error", "video build": "videos and subtitles",
    "answers stats": "a store", "answers export": "a store", "answers prune": "a store",
    "batch read": "lines of answers, each of which is told: tests/unit/vlm/test_batch_files.py",
}  # fmt: skip


def names() -> set[str]:
    """Every command of `openmie`, sub-commands by both words."""
    found = OnDemand(COMMANDS)
    return {f"{name} {sub}".strip() for name in found for sub in getattr(found[name], "commands", None) or ("",)}


def test_each_command_is_in_a_table():
    assert names() == ON_POSTS.keys() | ON_CORPORA.keys() | ON_CLIPS.keys() | ELSEWHERE.keys()


def told(answer: tuple[int, str], where: str) -> None:
    code, said = answer
    count = re.search(r"(\d+) records (of what could not be read|with errors)", said)
    assert code == cli.PARTIAL and count and int(count[1]) >= 1 and where in said, said


class Finds:
    """A detector that finds nothing."""

    threshold = 0.1

    def make_queries(self, phrases):
        return [detector.Query(phrase, True) for phrase in phrases]

    def prepare(self, picture):
        return picture

    def detect(self, pictures, sizes, queries):
        return [detector.Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int)) for _ in pictures]


@pytest.fixture
def stubs(monkeypatch):
    backend = Stub(plausible)
    monkeypatch.setattr(backends, "connect", lambda *_, **__: backend)
    monkeypatch.setattr(detector, "load", lambda *_, **__: Finds())
    model = SimpleNamespace(predict=list, identity=lambda: {"name": "none"})
    monkeypatch.setattr(base_options, "load_models", lambda *_, **__: [model])


@pytest.fixture
def prompted(stubs, monkeypatch):
    monkeypatch.setattr(asked, "connect", lambda *_, **__: Stub(plausible))


@pytest.mark.parametrize("format", FORMAT_ROWS)
def test_commands_that_ask_models_and_split(format, tmp_path, stubs):
    break_one, name = FORMAT_ROWS[format]
    where = break_one(tmp_path / name)
    for command, typed in ON_POSTS.items():
        told(run(*command.split(), *typed((tmp_path / name, "--from", format), tmp_path)), where)
    if registry.guess(tmp_path / name, reading=True) == format:
        told(run("view", tmp_path / name, "--out", tmp_path / "pages.html", "--no-open"), where)


@pytest.mark.parametrize("dataset", DATASET_ROWS)
def test_commands_that_ask_models_about_corpora(dataset, tmp_path, prompted):
    (tmp_path / "corpus").mkdir()
    spec, where = broken_corpus(dataset, tmp_path / "corpus")
    split = ["zero-shot"] if dataset != "files" else []  # whose name is that of a folder: both of its files are read
    for command in ("caption", "objects", "view", *split):
        told(run(command, *ON_CORPORA[command]((spec,), tmp_path)), where)


# -- commands that read a corpus as `test_losses_are_told` has shown, of which one reader is enough


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "corpus").mkdir()
    spec, where = broken_corpus("jsonl", tmp_path / "corpus")
    shutil.copy(tmp_path / "corpus" / where, tmp_path / "corpus" / "test.jsonl")
    return spec, where


def test_caption_review(tmp_path):
    captioned = GOOD.replace(captions={"m": "a dome"}, images=(Image(path="a.png"),))
    (tmp_path / "train.jsonl").write_text(captioned.to_json() + "\nno json\n")
    told(run("caption-review", *ON_CORPORA["caption-review"]((f"jsonl:{tmp_path}",), tmp_path)), "train.jsonl:2")


def test_bench(tmp_path, corpus, monkeypatch):
    """Records of train and of test, by the run that is new and by the one that was finished before."""

    def fit(train, dev, folder, **_):
        list(train), list(dev)
        folder.mkdir(parents=True)
        return {"dev": {"f1": 0.0, "epoch": 0}, "parameters": 0}

    def scores(folder, gold, symmetric=()):
        row = {"f1": 0.0, "precision": 0.0, "recall": 0.0}
        made = {
            "scores": {"strict": row},
            "documents": len(gold),
            "recipe": recipes.dump(recipe),
            "data": "",
            "date": "",
        }
        return SimpleNamespace(record=made, predicted=[], scores={})

    recipe = bench.system.build("baseline", corpora.load(corpus[0]), "", (), bench.system.FLAVOUR)
    stub = SimpleNamespace(recipe=recipe, is_generative=False, data=lambda corpus: corpus, fit=fit, scores=scores)
    monkeypatch.setattr(execution.system, "of", lambda recipe: stub)
    monkeypatch.setattr(execution, "against_ceilings", lambda *_: {})
    monkeypatch.setattr(bench, "run", partial(bench.run, fresh=False))
    for _ in range(2):
        answer = run("bench", *ON_CORPORA["bench"](corpus[:1], tmp_path))
        told(answer, corpus[1])
        assert "test.jsonl" in answer[1] and "2 records of what could not be read: jsonl:" in answer[1]


def test_show_relevance(tmp_path, corpus, monkeypatch):
    def measured(model, documents):
        return relevance.Relevance(
            documents=tuple(documents), alignment="a", cosines=torch.ones(1, 1), chosen=frozenset(), own_first=100.0
        )

    monkeypatch.setattr(relevance, "find", lambda run: ("m", ""))
    monkeypatch.setattr(relevance, "load", lambda name: None)
    monkeypatch.setattr(relevance, "relevance", measured)
    told(run("show", "relevance", *ON_CORPORA["show relevance"](corpus[:1], tmp_path)), corpus[1])


def test_show_embeddings(tmp_path, corpus, monkeypatch):
    def drawn(model, documents, **_):
        list(documents)
        return SimpleNamespace(vectors=np.ones((4, 2)), labels=[], total=4, entities=[])

    model = SimpleNamespace(recipe=SimpleNamespace(name="m"), extractor=SimpleNamespace(cuda=lambda: None))
    for name, value in {
        "needed": lambda: None, "find": lambda run: ("m", ""), "load": lambda name: model, "entities": drawn,
        "project": lambda vectors, seed: vectors, "separation": lambda *_: None, "_scores": lambda _: {},
        "_page": lambda *_: tmp_path,
    }.items():  # fmt: skip
        monkeypatch.setattr(picture, name, value)
    told(run("show", "embeddings", *ON_CORPORA["show embeddings"](corpus[:1], tmp_path)), corpus[1])


@pytest.mark.parametrize("command", ON_CLIPS)
def test_commands_on_clips(command, tmp_path):
    """A document that carries a record, as `convert` wrote it, and a line that is none."""
    Picture.new("RGB", (64, 48)).save(tmp_path / "a.png")
    person = Mention(id="m", start=0, end=3, label="PER")
    clip = Document(
        id="v1-0",
        text="Ada met Bo",
        source={"video": "v1"},
        mentions=(person,),
        summary="Ada",
        images=(Image(path="a.png", id="f", kind="frame" if "video" in command else "main", width=64, height=48),),
        regions=(Region(image="f", box=(1, 1, 20, 20), label="PER", of="m"),),
        errors=({"where": "a.ann:2", "found": "a span elsewhere"},),
    )
    others = [clip.replace(id=f"v{n}-0", source={"video": f"v{n}"}, errors=()) for n in (2, 3)]
    lines = [clip.to_json(), "no json", *(d.to_json() for d in others)]
    (tmp_path / "clips.jsonl").write_text("\n".join(lines) + "\n")
    if command == "video import":
        run("video", "export", tmp_path / "clips.jsonl", "--out", tmp_path / "tasks", "--to", "brat")
    answer = run(*command.split(), *ON_CLIPS[command]((tmp_path / "clips.jsonl",), tmp_path))
    assert answer[0] == cli.PARTIAL and "a.ann:2" in answer[1] and "clips.jsonl:2" in answer[1], answer
