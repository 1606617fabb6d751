"""The memory in front of a backend: what makes a key, what is kept, and eight processes at once."""

from __future__ import annotations

import json
import multiprocessing
import sqlite3
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Picture

from openmie.errors import ErrorRecord
from openmie.vlm.backends import response_cache as cache
from openmie.vlm.backends.answer_store import AnswerStore, CacheError, default_path, open_store, request_key
from openmie.vlm.backends.endpoint import Endpoint
from openmie.vlm.backends.response_cache import Cached, restore_order
from openmie.vlm.backends.shared_pause import UnusableServer
from openmie.vlm.generate import Answer, Grammar, Request

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)


class Stub:
    """Answers a prompt with itself; keeps what it was asked."""

    name = "stub"

    def __init__(self, facts=None, **answers):
        self.told, self.said, self.asked = facts or {"model": "stub", "revision": "1"}, answers, []

    def facts(self):
        return self.told

    def answers(self, requests):
        for request in requests:
            self.asked.append(request.prompt)
            said = self.said.get(
                request.prompt, Answer(text=f"said {request.prompt}", prompt_tokens=3, tokens=2, seconds=0.5)
            )
            yield said

    generate = Cached.generate


def picture(change=0):
    pixels = PIXELS.copy()
    pixels[0, 0, 0] ^= change
    return Picture.fromarray(pixels)


REQUEST = Request(prompt="p", images=(picture(),), schema={"type": "object"}, system="s")


def test_a_warm_run_calls_nothing_and_says_so(tmp_path):
    stub = Stub()
    requests = [replace(REQUEST, prompt=f"p{i % 700}") for i in range(1000)]
    cold = list(Cached(stub, tmp_path / "c").answers(requests))
    assert len(stub.asked) == 700 and [a.text for a in cold] == [f"said p{i % 700}" for i in range(1000)]
    assert sum(a.cached for a in cold) == 300
    again = Cached(Stub(), tmp_path / "c")
    warm = list(again.answers(requests))
    assert again.backend.asked == [] and len(again) == 700
    assert warm == [replace(a, cached=True) for a in cold]
    assert again.generate([picture()], "p", {"type": "object"}) == "said p" and again.backend.asked == ["p"]


OTHERS = {
    "prompt": replace(REQUEST, prompt="p "),
    "system": replace(REQUEST, system=""),
    "schema": replace(REQUEST, schema={"type": "array"}),
    "no schema": replace(REQUEST, schema=None),
    "grammar": replace(REQUEST, schema=Grammar('{"type": "object"}')),
    "a pixel": replace(REQUEST, images=(picture(1),)),
    "no image": replace(REQUEST, images=()),
    "two images": replace(REQUEST, images=(picture(), picture())),
    "order": replace(REQUEST, images=(picture(), picture(1))),
    "order back": replace(REQUEST, images=(picture(1), picture())),
    "size": replace(REQUEST, images=(Picture.fromarray(PIXELS.reshape(8, 6, 3)),)),
}


def test_any_change_of_a_request_is_another_key():
    facts = {"model": "m"}
    keys = [request_key(facts, r) for r in (REQUEST, *OTHERS.values())]
    assert len(set(keys)) == len(keys)
    assert (
        request_key(
            facts, Request(prompt="p", images=(picture().convert("RGBA"),), schema={"type": "object"}, system="s")
        )
        == keys[0]
    )
    assert request_key(facts, replace(REQUEST, schema={"a": 1, "b": 2})) == request_key(
        facts, replace(REQUEST, schema={"b": 2, "a": 1})
    )
    pairs = [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc")]
    assert len({request_key(facts, Request(prompt=p, system=s)) for p, s in pairs}) == 4


def test_what_decides_an_answer_is_another_key_and_nothing_else_is():
    plain = Endpoint("http://localhost/v1", "m")
    changes = (
        {"model": "n"}, {"revision": "2"}, {"max_tokens": 9}, {"temperature": 0.1}, {"extra_body": {"seed": 1}},
        {"dialect": "plain"}, {"image_format": "jpeg"},
    )  # fmt: skip
    changed = [replace(plain, **x) for x in changes]
    keys = {request_key(e.facts(), REQUEST) for e in (plain, *changed)}
    assert len(keys) == len(changed) + 1
    same = [
        {"timeout": 1},
        {"retries": 1},
        {"concurrency": 1},
        {"key_env": "OTHER"},
        {"base_url": "http://127.0.0.1/v1"},
    ]
    assert {request_key(replace(plain, **x).facts(), REQUEST) for x in same} == {request_key(plain.facts(), REQUEST)}


def test_a_change_is_a_miss(tmp_path):
    stub = Stub()
    list(Cached(stub, tmp_path / "c").answers([REQUEST]))
    for name, request in OTHERS.items():
        before = len(stub.asked)
        list(Cached(stub, tmp_path / "c").answers([REQUEST, request]))
        assert len(stub.asked) == before + 1, name
    other = Stub({"model": "stub", "revision": "2"})
    list(Cached(other, tmp_path / "c").answers([REQUEST]))
    assert other.asked == ["p"]


def test_what_was_paid_is_kept_and_failures_and_empty_answers_are_not(tmp_path):
    wrong = {"fails": ErrorRecord(found="no"), "empty": Answer(text=""), "blank": Answer(text=" \n\t")}
    stub = Stub(**wrong, cut=Answer(text="half", finish="length"))
    requests = [Request(prompt=p) for p in ("good", "fails", "cut", "fails", "empty", "blank", "good")]
    for times in (1, 2):
        found = list(Cached(stub, tmp_path / "c").answers(requests))
        assert [isinstance(f, ErrorRecord) for f in found] == [False, True, False, True, False, False, False]
        assert found[2].finish == "length" and found[2].text == "half"
        asked = {p: stub.asked.count(p) for p in ("good", "cut", *wrong)}
        assert asked == {"good": 1, "cut": 1, "fails": 2 * times, "empty": times, "blank": times}
    assert len(Cached(stub, tmp_path / "c")) == 2


def test_a_row_of_failures_asks_a_person_and_stragglers_are_no_row(tmp_path):
    lost = {f"p{i}": ErrorRecord(found="out of memory", remedy="check it") for i in range(3, 40)}
    stub, found = Stub(**lost), []
    with pytest.raises(UnusableServer, match=r"16 requests one after the other.*out of memory.*max_failures"):
        found.extend(Cached(stub, tmp_path / "c").answers(Request(prompt=f"p{i}") for i in range(50)))
    assert len(stub.asked) == 3 + 16 and len(AnswerStore(tmp_path / "c")) == 3
    assert len(list(Cached(Stub(**lost), None, 0).answers(Request(prompt=f"p{i}") for i in range(50)))) == 50
    rest = Late(**lost)  # all were sent before the first answer came, the failures come last
    assert len(list(Cached(rest, None).answers(Request(prompt=f"p{i}") for i in range(39, -1, -1)))) == 40


def test_the_store_is_on_by_default_and_can_be_none(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OPENMIE_ANSWERS", str(tmp_path / "mine" / "c"))
    store = open_store()
    assert store is not None and store.path == tmp_path / "mine" / "c"
    assert open_store("none") is None and open_store(tmp_path / "d").path == tmp_path / "d"
    monkeypatch.setenv("OPENMIE_ANSWERS", "none")
    assert open_store() is None
    monkeypatch.delenv("OPENMIE_ANSWERS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_path() == tmp_path / "openmie" / "answers.sqlite"
    (tmp_path / "openmie").write_text("a file", encoding="utf8")
    assert open_store() is None and "No answer is kept" in capsys.readouterr().err


def test_requests_are_taken_lazily_and_each_answer_is_kept_before_it_is_given(tmp_path):
    taken = []

    def requests():
        for i in range(10_000):
            taken.append(i)
            yield Request(prompt=str(i))

    answers = Cached(Stub(), tmp_path / "c").answers(requests())
    for i in range(3):
        assert next(answers).text == f"said {i}" and len(taken) == i + 1
        with sqlite3.connect(tmp_path / "c") as file:
            assert file.execute("SELECT count(*) FROM answers").fetchone()[0] == i + 1
    answers.close()
    taken.clear()
    warm = Cached(Stub(), tmp_path / "c")
    list(warm.answers(Request(prompt=str(i)) for i in range(1000)))
    answers = warm.answers(requests())
    assert next(answers).cached and len(taken) <= cache.MAX_HITS_AHEAD + 1


class Late(Stub):
    """Answers come in another order than the requests."""

    def answers_as_completed(self, requests):
        rest = list(enumerate(self.answers(requests)))
        yield from rest[::-1]


@given(st.lists(st.sampled_from("abcdefgh"), max_size=30), st.sets(st.sampled_from("abcdefgh")), st.booleans())
@settings(max_examples=60, deadline=None)
def test_answers_come_in_order_one_for_one(tmp_path_factory, prompts, warm, late):
    path = tmp_path_factory.mktemp("cache") / "c"
    list(Cached(Stub(), path).answers(Request(prompt=p) for p in sorted(warm)))
    backend = (Late if late else Stub)()
    found = list(Cached(backend, path).answers(Request(prompt=p) for p in prompts))
    assert [a.text for a in found] == [f"said {p}" for p in prompts]
    assert sorted(backend.asked) == sorted(set(prompts) - warm)


@given(st.permutations(range(12)))
def test_in_order_undoes_any_order(numbers):
    assert list(restore_order((n, n) for n in numbers)) == list(range(12))


def test_text_of_any_kind_comes_back(tmp_path):
    said = {"a": "nul \0 and 🙂 and \u2028", "b": "{}", "c": "half \ud800"}
    stub = Stub(**{k: Answer(text=v) for k, v in said.items()})
    for _ in range(2):
        found = [a.text for a in Cached(stub, tmp_path / "c").answers(Request(prompt=p) for p in said)]
    assert found == ["nul \0 and 🙂 and \u2028", "{}", "half ?"] and stub.asked == ["a", "b", "c"]


@pytest.mark.parametrize(
    "content",
    [
        b"no database at all, only text that is long enough to be read as a page" * 9,
        b"SQLite format 3\0" + b"\xff" * 5000,
    ],
)
def test_a_damaged_file_says_what_to_do(tmp_path, content):
    (tmp_path / "c").write_bytes(content)
    with pytest.raises(CacheError, match=r"cache .*move the file away"):
        Cached(Stub(), tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == content


def test_a_file_that_is_damaged_later_or_another_database_is_an_error_too(tmp_path):
    memory = Cached(Stub(), tmp_path / "c")
    list(memory.answers(Request(prompt=str(i) + "x" * 500) for i in range(200)))
    memory.store._open[1].execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with (tmp_path / "c").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 40_000)
    with pytest.raises(CacheError, match=r"malformed|not a database"):
        list(Cached(Stub(), tmp_path / "c").answers(Request(prompt=str(i) + "x" * 500) for i in range(200)))
    with sqlite3.connect(tmp_path / "other") as other:
        other.execute("CREATE TABLE people (name TEXT)")
    with pytest.raises(CacheError, match="Name another file"):
        Cached(Stub(), tmp_path / "other")
    with pytest.raises(CacheError, match="no folder"):
        Cached(Stub(), tmp_path / "none" / "c")


def _write(path, number, out):
    stub = Stub()
    rng = np.random.default_rng(number)
    prompts = [str(i) for i in rng.permutation(120)]
    found = [a.text for a in Cached(stub, path).answers(Request(prompt=p) for p in prompts)]
    out.put((number, found == [f"said {p}" for p in prompts], len(stub.asked)))


def test_eight_processes_write_one_new_file_at_once(tmp_path):
    context = multiprocessing.get_context("fork")
    out = context.Queue()
    workers = [context.Process(target=_write, args=(tmp_path / "c", i, out)) for i in range(8)]
    for worker in workers:
        worker.start()
    found = [out.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(30)
    assert all(right for _, right, _ in found) and all(worker.exitcode == 0 for worker in workers)
    warm = Cached(Stub(), tmp_path / "c")
    assert len(warm) == 120 and len(list(warm.answers(Request(prompt=str(i)) for i in range(120)))) == 120
    assert warm.backend.asked == []
    with sqlite3.connect(tmp_path / "c") as file:
        assert file.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_a_connection_does_not_outlive_a_fork(tmp_path):
    memory = Cached(Stub(), tmp_path / "c")
    list(memory.answers([Request(prompt="before")]))
    context = multiprocessing.get_context("fork")
    child = context.Process(target=lambda: list(memory.answers([Request(prompt="child")])))
    child.start()
    child.join(30)
    assert child.exitcode == 0 and len(memory) == 2


def test_no_key_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    endpoint = Endpoint("http://localhost/v1", "m")
    assert "secret" not in json.dumps(endpoint.facts()) + repr(endpoint)
    stub = Stub(endpoint.facts())
    list(Cached(stub, tmp_path / "c").answers([REQUEST]))
    assert all(b"secret" not in p.read_bytes() for p in tmp_path.iterdir())


def test_names_are_loaded_when_used_and_a_server_needs_no_torch():
    code = (
        "import sys, openmie.vlm as lvlm\n"
        "lvlm.Endpoint('http://127.0.0.1:9/v1', 'm'); lvlm.Cached; lvlm.caption; lvlm.connect\n"
        "assert not {'torch', 'transformers', 'openai'} & set(sys.modules)\n"
        "assert all(getattr(lvlm, name) for name in lvlm.__all__) and 'torch' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
