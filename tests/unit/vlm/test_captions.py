"""Caption jobs: each picture asked for once, nothing lost, nothing paid twice, whatever kills them."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture
from typer.testing import CliRunner

from openmie import corpora
from openmie.cli import application as cli
from openmie.data.document import Document, Image
from openmie.errors import ErrorRecord, OpenMIEError
from openmie.vlm import captions
from openmie.vlm.backends import connect
from openmie.vlm.backends.endpoint import Endpoint
from openmie.vlm.backends.local import Local
from openmie.vlm.backends.response_cache import Cached
from openmie.vlm.captions import Captioning, CaptionReport, caption, length_statistics
from openmie.vlm.generate import Answer
from tests.fixtures import vlm_small as lvlm_small
from tests.fixtures.vlm_stub import Stub, key, pixels, said

ROOT = Path(__file__).parents[3]


def post(i, number=None, **more):
    images = () if number is None else (Image(id="main", pixels=pixels(number)),)
    return Document(id=f"d{i}", text=f"text {i}", images=images, **more)


def test_each_picture_is_asked_for_once_and_documents_keep_their_order():
    documents = [
        post(0, 1),
        post(1),
        post(2, 2),
        post(3, 1),
        post(4, 3, captions={"stub": "there"}),
        post(5, 2),
        post(6, 4, captions={"other": "x"}),
        post(7),
    ]
    stub, report = Stub(), CaptionReport()
    made = list(caption(documents, stub, report=report))
    assert [d.id for d in made] == [d.id for d in documents] and len(stub.asked) == 3
    assert [d.captions.get("stub") for d in made] == [said(1), None, said(2), said(1), "there", said(2), said(4), None]
    assert made[6].captions["other"] == "x" and made[1] == documents[1]
    assert (report.documents, report.captioned, report.num_existing, report.failed) == (8, 5, 1, 0)
    assert (
        report.sent.answers,
        report.sent.prompt_tokens,
        report.sent.tokens,
        report.sent.seconds,
    ) == (
        3,
        30,
        12,
        1.5,
    )
    assert report.sent.price(2.0, 5.0) == pytest.approx((30 * 2 + 12 * 5) / 1e6)
    again = list(caption(documents, Stub(), Captioning(replace=True, name="mine")))
    assert [d.captions.get("mine") for d in again][4] == said(3) and again[4].captions["stub"] == "there"


def test_prompts_say_whose_they_are():
    asked = []

    class Listening(Stub):
        def answers(self, requests):
            for request in requests:
                asked.append(request.prompt)
                yield Answer(text="x")

    for prompt in (*captions.PROMPTS.values(), "Any text?"):
        list(caption([post(0, 1)], Listening(), Captioning(prompt=prompt)))
    assert asked == ["Please give me a detailed description of the picture", captions.SUMMARY_PROMPT, "Any text?"]
    with pytest.raises(OpenMIEError, match="empty prompt"):
        Captioning(prompt=" ")


def test_what_cannot_be_captioned_comes_out_with_the_reason(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    bad = Document(id="bad", text="t", images=(Image(id="main", path=str(tmp_path / "broken.png")),))
    old = post(
        9,
        5,
        errors=(
            ErrorRecord(where="document d9, caption stub", found="last time"),
            ErrorRecord(where="elsewhere", found="kept"),
        ),
    )
    documents = [bad, post(1, 1), post(2, 2), post(3, 1), old]
    made = list(caption(documents, Stub(fails={key(1)}), report=(report := CaptionReport())))
    assert [bool(d.captions) for d in made] == [False, False, True, False, True]
    assert "broken.png" in made[0].errors[0].found and made[1].errors[0].found == "stub: no answer"
    assert made[3].errors[0].where == "document d3, caption stub" and report.failed == 1
    assert [e.found for e in made[4].errors] == ["kept"]
    assert [captions.has_failed(d, "stub") for d in made] == [True, True, False, True, False]
    cut = next(caption([post(1, 1)], Stub(finish="length")))
    assert cut.captions["stub"] == said(1) and "cut at 4 tokens" in cut.errors[0].found


def test_documents_pass_lazily():
    taken = []

    def documents(numbers):
        for i in range(100_000):
            taken.append(i)
            yield post(i, numbers(i))

    made = caption(documents(lambda i: i), Stub())
    assert [next(made).id for _ in range(3)] == ["d0", "d1", "d2"] and len(taken) <= 4
    taken.clear()
    made = caption(documents(lambda i: None), Stub())
    assert next(made).id == "d0" and len(taken) <= captions.MAX_WAITING + 1
    taken.clear()
    made = caption(documents(lambda i: 7), Stub())
    assert [next(made).captions["stub"] for _ in range(3000)] == [said(7)] * 3000 and len(taken) < 6000


@given(st.lists(st.one_of(st.none(), st.integers(0, 5)), max_size=25), st.sets(st.integers(0, 5)))
def test_one_for_one_in_order_whatever_is_shared_or_fails(numbers, fails):
    stub = Stub(fails={key(n) for n in fails})
    made = list(caption([post(i, n) for i, n in enumerate(numbers)], stub))
    assert [d.id for d in made] == [f"d{i}" for i in range(len(numbers))]
    assert len(stub.asked) == len(set(numbers) - {None})
    for d, n in zip(made, numbers):
        assert d.captions == ({} if n is None or n in fails else {"stub": said(n)})
        assert len(d.errors) == (n in fails)


def folder(tmp_path, n, shared=1):
    """A split of documents with pictures in files, each shared by so many."""
    (tmp_path / "corpus").mkdir()
    documents = []
    for i in range(n):
        file = tmp_path / "corpus" / f"{i // shared}.png"
        if not file.exists():
            Picture.fromarray(pixels(i // shared)).save(file)
        documents.append(Document(id=f"d{i}", text=f"text {i}", images=(Image(id="main", path=str(file)),)))
    corpora.write(documents, tmp_path / "corpus" / "test.jsonl")
    return documents


JOB = """
import sys
from openmie.cli import application
from openmie.vlm import backends
from tests.fixtures.vlm_stub import Stub
corpus, out, log = sys.argv[1:]
backends.connect = lambda *_, **__: Stub(log, pause=0.0005)
sys.argv[1:] = ["caption", f"jsonl:{corpus}", "--model", "m", "--out", out, "--cache", out + ".answers"]
application.main()
"""


@pytest.mark.slow
def test_a_job_of_a_thousand_pictures_killed_five_times_pays_for_none_twice(tmp_path):
    folder(tmp_path, 1000)
    log, out, rng = tmp_path / "log", tmp_path / "out", random.Random(4)
    log.touch()
    done: set[str] = set()  # pictures whose answer was kept when a job was killed
    kills, calls = 0, Counter()
    while True:
        before = len(log.read_text(encoding="utf8").split())
        job = subprocess.Popen([sys.executable, "-c", JOB, str(tmp_path / "corpus"), str(out), str(log)], cwd=ROOT)
        if kills < 5:
            upto = before + rng.randrange(20, 190)
            while len(log.read_text(encoding="utf8").split()) < upto and job.poll() is None:
                time.sleep(0.001)
            job.send_signal(signal.SIGKILL)
        code = job.wait(120)
        asked = log.read_text(encoding="utf8").split()[before:]
        assert not done & set(asked), "a finished call was made again"
        calls.update(asked)
        if code == 0:
            break
        assert code == -signal.SIGKILL and kills < 5
        kills += 1
        with sqlite3.connect(tmp_path / "out.answers") as file:
            done |= {text.strip().removeprefix("picture ") for (text,) in file.execute("SELECT text FROM answers")}
    assert kills == 5 and sum(calls.values()) <= 1000 + kills  # one that was under way, at each kill
    assert {p.name for p in out.iterdir()} >= {"test.jsonl", "manifest.json", "summary.json"}
    made = list(corpora.read(out / "test.jsonl", images=tmp_path / "corpus"))
    assert [d.id for d in made] == [f"d{i}" for i in range(1000)]
    assert [d.captions for d in made] == [{"stub": said(i)} for i in range(1000)]
    whole = [sys.executable, "-c", JOB, str(tmp_path / "corpus"), str(tmp_path / "whole"), str(tmp_path / "log2")]
    subprocess.run(whole, cwd=ROOT, check=True)
    assert (tmp_path / "whole" / "test.jsonl").read_bytes() == (out / "test.jsonl").read_bytes()


@given(st.lists(st.text(max_size=40), min_size=1, max_size=20))
def test_lengths_are_those_of_the_definition(texts):
    found = length_statistics(texts)
    for unit, count in (("characters", len), ("words", lambda t: len(t.split()))):
        n = sorted(map(count, texts))
        assert found[unit] == {
            "max": n[-1],
            "min": n[0],
            "mean": pytest.approx(sum(n) / len(n)),
            "median": statistics.median(n),
        }


def test_lengths_of_known_captions():
    assert length_statistics(["a dog", "three long words", "", "two  blanks"]) == {
        "characters": {"max": 16, "min": 0, "median": 8.0, "mean": 8.0},
        "words": {"max": 3, "min": 0, "median": 2.0, "mean": 1.75},
    }
    with pytest.raises(OpenMIEError, match="no texts"):
        length_statistics([])


def test_connect_names_what_is_meant(tmp_path):
    folder = str(tmp_path)
    assert connect(folder, max_tokens=9, device=None) == Local(folder, max_tokens=9)
    assert connect("m", "http://host/v1", retries=None, timeout=3) == Endpoint("http://host/v1", "m", timeout=3)
    assert isinstance(connect(folder, cache=tmp_path / "c"), Cached)


# -- the command


def run(*arguments):
    result = CliRunner().invoke(cli.app, ["caption", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_command_captions_a_corpus_here(tmp_path, colours):
    rows = ["red", "blue", "red", "green"]
    for colour in rows:
        lvlm_small.square(colour).save(tmp_path / f"{colour}.png")
    posts = [
        Document(id=str(i), text="t", images=(Image(id="main", path=str(tmp_path / f"{c}.png")),))
        for i, c in enumerate(rows)
    ]
    (tmp_path / "corpus").mkdir()
    for split, part in (("train", posts[:1]), ("test", posts)):
        corpora.write(part, tmp_path / "corpus" / f"{split}.jsonl")
    asked = [
        f"jsonl:{tmp_path / 'corpus'}",
        "--model",
        colours,
        "--out",
        tmp_path / "out",
        "--split",
        "test",
        "--prompt",
        lvlm_small.ASKED,
        "--max-tokens",
        12,
        "--image-dir",
        tmp_path,
        "--price",
        "1000,10000",
        "--cache",
        tmp_path / "answers.sqlite",
    ]
    result = run(*asked)
    assert result.exit_code == 0, result.output
    name = Path(colours).name
    made = list(corpora.load(f"jsonl:{tmp_path / 'out'}", images=str(tmp_path)).test)
    assert [d.captions[name] for d in made] == rows
    assert "characters" in result.output and "5 " in result.output and "4 documents" in result.stderr
    with sqlite3.connect(tmp_path / "answers.sqlite") as file:
        prompt, answer = file.execute("SELECT sum(prompt_tokens), sum(tokens) FROM answers").fetchone()
    assert f"{(prompt * 1000 + answer * 10000) / 1e6:.4f}" in result.stdout
    again = run(*asked)
    assert again.exit_code == 0 and f"{name!r} in 4 documents" in again.stderr


def test_the_command_says_partial_and_refuses_what_cannot_be(tmp_path, colours):
    lvlm_small.square("red").save(tmp_path / "red.png")
    rows = [{"text": "a", "image": "red.png"}, {"text": "b", "image": "none.png"}, {"text": 3}]
    (tmp_path / "posts.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf8")
    result = run(tmp_path / "posts.jsonl", "--model", colours, "--out", tmp_path / "out", "--prompt", lvlm_small.ASKED)
    assert result.exit_code == cli.PARTIAL and "in 3 documents, 2 failed" in result.stderr
    made = [json.loads(x) for x in (tmp_path / "out" / "posts.jsonl").read_text(encoding="utf8").splitlines()]
    assert len(made) == 3 and made[0]["captions"] and made[1]["errors"] and made[2]["errors"]
    for wrong, words in (
        (("--price", "cheap"), "cheap.*--price"),
        (("--retries", 2), "--retries without --endpoint"),
        (("--endpoint", "http://127.0.0.1:9/v1", "--batch-size", 2), "--batch-size with --endpoint"),
    ):
        with pytest.raises(OpenMIEError, match=words):
            run(tmp_path / "posts.jsonl", "--model", "m", "--out", tmp_path / "none", *wrong)
