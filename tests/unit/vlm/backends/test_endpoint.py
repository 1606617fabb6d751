"""The endpoint against a real server, and against one that does all that a server should not do."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

import numpy as np
import pytest
from PIL import Image as Picture

from openmie.errors import ErrorRecord, ModelError
from openmie.vlm.backends import endpoint as module
from openmie.vlm.backends.endpoint import Endpoint
from openmie.vlm.backends.local import Local
from openmie.vlm.backends.response_cache import Cached
from openmie.vlm.backends.server_errors import retry_after
from openmie.vlm.backends.shared_pause import UnusableServer
from openmie.vlm.generate import Answer, GenerationError, Grammar, Request
from tests.fixtures import vlm_small as lvlm_small

KEY = "sk-not-to-be-seen-anywhere"
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def body(content="fine", finish="stop", **message):
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content, **message}}
    return json.dumps(
        {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [choice],
            "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
        }
    ).encode()


class Bad(BaseHTTPRequestHandler):
    """What it does the prompt says: a behaviour's name, or several, one for each try."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, data, status=200, length=None, **headers):
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        server = self.server
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        content = asked["messages"][-1]["content"]
        prompt = content if isinstance(content, str) else content[-1]["text"]
        with server.lock:
            turn = server.calls[prompt]
            server.calls[prompt] += 1
            server.bodies.append(asked)
            server.headers.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
            server.now += 1
            server.most = max(server.most, server.now)
        try:
            names = prompt.split(", ")
            getattr(self, names[min(turn, len(names) - 1)].split()[0])(prompt)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with server.lock:
                server.now -= 1

    def fine(self, prompt):
        time.sleep(0.02)
        self.send(body(f"said {prompt}"))

    def hangs(self, prompt):
        self.server.over.wait(12)
        self.close_connection = True

    def trickles(self, prompt):
        self.send(b"", length=10_000)
        while not self.server.over.wait(0.05):
            self.wfile.write(b" ")

    def soon(self, prompt):
        self.send(b'{"error": {"message": "slow down"}}', 429, Retry_After="0.4")

    def date(self, prompt):
        self.send(b"{}", 503, Retry_After=formatdate(time.time() + 1.6, usegmt=True))

    def status(self, prompt):
        self.send(
            json.dumps({"error": {"message": f"oh, {self.headers['Authorization']}!"}}).encode(),
            int(prompt.split(", ")[0].split()[1]),
        )

    def half(self, prompt):
        self.send(body()[:60])

    def short(self, prompt):
        self.send(body()[:60], length=len(body()))
        self.close_connection = True

    def gone(self, prompt):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def page(self, prompt):
        self.send(b"<html>proxy</html>", Content_Type="text/html")

    def nothing(self, prompt):
        self.send(b'{"choices": []}')

    def list(self, prompt):
        self.send(b"[1, 2]")

    def errs(self, prompt):
        self.send(b'{"error": {"message": "out of memory"}}')

    def deep(self, prompt):
        self.send(b"[" * 100_000)

    def huge(self, prompt):
        self.send(b" " * 4096, length=1 << 40)
        while not self.server.over.is_set():
            self.wfile.write(b" " * (1 << 20))

    def cut(self, prompt):
        self.send(body("only half of", "length"))

    def blank(self, prompt):
        self.send(body("\n" * 9000, "length"))

    def empty(self, prompt):
        self.send(body(""))

    def null(self, prompt):
        self.send(body(None))

    def refuses(self, prompt):
        self.send(body(None, refusal="I cannot help with that"))

    def filtered(self, prompt):
        self.send(body("some", "content_filter"))

    def json(self, prompt):
        self.send(body('{"a": 1}'))

    def fenced(self, prompt):
        self.send(body('```json\n{"a": 1}\n```'))

    def padded(self, prompt):
        self.send(body('{"a": 1}' + " " * 9000, "length"))

    def prose(self, prompt):
        self.send(body("Sure! a is 1."))

    def elsewhere(self, prompt):
        self.send(b"", 307, Location="http://127.0.0.1:9/stolen")


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    found = ThreadingHTTPServer(("127.0.0.1", 0), Bad)
    found.lock, found.over, found.calls = threading.Lock(), threading.Event(), Counter()
    found.bodies, found.headers, found.now, found.most = [], [], 0, 0
    found.daemon_threads = True
    thread = threading.Thread(target=found.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield found
    found.over.set()
    found.shutdown()
    found.server_close()


def at(server, **settings):
    settings = {"timeout": 2.0, "retries": 2, "retry_delay": 0.02, "concurrency": 8, "max_retry_delay": 5.0, **settings}
    return Endpoint(f"http://127.0.0.1:{server.server_port}/v1", "m", **settings)


RECORDS = {  # behaviour: (tries, words of the record)
    "hangs": (3, "no whole answer in 2 seconds, 3 times"),
    "trickles": (3, "no whole answer in 2 seconds"),
    "status 500": (3, "status 500.*3 times"),
    "status 400": (1, "status 400"),
    "status 422": (1, "status 422"),
    "status 408": (3, "status 408"),
    "status 409": (3, "status 409"),
    "half": (3, "60 bytes that is no JSON"),
    "short": (3, "connection broke"),
    "gone": (3, "no connection"),
    "page": (3, "no JSON"),
    "nothing": (3, "without an answer"),
    "list": (3, "without an answer"),
    "errs": (3, "out of memory"),
    "deep": (3, "no JSON"),
    "huge": (1, "more than 1 MiB"),
    "blank": (1, "9000 blanks"),
    "empty": (1, "no text"),
    "null": (1, "no text"),
    "refuses": (1, "a refusal: I cannot"),
    "filtered": (1, "filtered"),
    "elsewhere": (1, "status 307"),
}
ANSWERS = {  # behaviours of one try after the other, of which an answer comes in the end
    "soon, fine": 2,
    "date, fine": 2,
    "status 503, fine": 2,
    "half, short, fine": 3,
    "gone, fine": 2,
    "hangs, trickles, fine": 3,
    "nothing, errs, fine": 3,
}


def counted(server, prompt, tries):
    """The calls that the server has read: one that the client gave up on may be read a moment later."""
    until = time.monotonic() + 5
    while server.calls[prompt] < tries and time.monotonic() < until:
        time.sleep(0.02)
    return server.calls[prompt]


def test_each_misdeed_ends_in_a_record_or_an_answer_and_harms_no_other(server, caplog, monkeypatch):
    monkeypatch.setattr("openmie.vlm.backends.chat_call.MAX_BODY_BYTES", 1 << 20)
    caplog.set_level(logging.DEBUG)
    prompts = [p for bad, i in zip([*RECORDS, *ANSWERS], count()) for p in (f"fine {i}", bad, f"fine also {i}")]
    started = time.monotonic()
    found = dict(zip(prompts, at(server).answers(Request(prompt=p) for p in prompts), strict=True))
    assert time.monotonic() - started < 40  # of time-outs one after the other it would be far more
    for prompt, answer in found.items():
        if prompt in RECORDS:
            tries, words = RECORDS[prompt]
            assert isinstance(answer, ErrorRecord) and answer.remedy, (prompt, answer)
            assert re.search(words, answer.found), (prompt, answer)
            assert counted(server, prompt, tries) == tries, prompt
        else:
            assert isinstance(answer, Answer) and answer.text == f"said {prompt}", (prompt, answer)
            assert (answer.prompt_tokens, answer.tokens, answer.finish) == (7, 3, "stop")
            tries = ANSWERS.get(prompt, 1)
            assert counted(server, prompt, tries) == tries, prompt
    assert KEY not in str(found) + caplog.text and "***" in found["status 400"].found


def test_pauses_are_as_long_as_the_server_says(server):
    for prompt, least in (("soon, fine", 0.4), ("date, fine", 0.5)):
        started = time.monotonic()
        assert at(server, retry_delay=0.0).generate([], prompt) == f"said {prompt}"
        assert least < time.monotonic() - started < 5
    assert retry_after({"retry-after-ms": "250", "retry-after": "9"}) == 0.25
    assert [retry_after({"retry-after": x}) for x in ("", "soon", "nan", "-3")] == [None, None, None, 0.0]


def test_pauses_double_and_are_not_all_alike(server, monkeypatch):
    slept = []
    real = module.asyncio.sleep

    async def sleep(seconds):
        slept.append(seconds)
        await real(0)

    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    for _ in range(4):
        with pytest.raises(GenerationError, match="status 500"):
            at(server, retry_delay=1.0, retries=6, max_retry_delay=20.0).generate([], "status 500")
    for k, most in enumerate((1, 2, 4, 8, 16, 20)):
        own = slept[k::6]
        assert all(most / 2 <= s <= most for s in own) and len(set(own)) > 1, (k, own)


def test_cut_answers_and_schemas(server):
    found = list(
        at(server).answers(
            [
                Request(prompt="cut"),
                Request(prompt="cut", schema=SCHEMA),
                Request(prompt="json", schema=SCHEMA),
                Request(prompt="fenced", schema=SCHEMA),
                Request(prompt="padded", schema=SCHEMA),
                Request(prompt="prose", schema=SCHEMA),
                Request(prompt="blank", schema=SCHEMA),
                Request(prompt="prose", schema=Grammar('start: "x"')),
            ]
        )
    )
    assert [getattr(a, "finish", "") for a in found] == ["length", "length", "stop", "stop", "stop", "", "", ""]
    assert found[4].text == '{"a": 1}' and "no JSON, though a schema was sent" in found[5].found
    assert "dialect=vllm" in found[7].remedy and server.calls["prose"] == 1
    assert at(server, dialect="plain").generate([], "prose", SCHEMA).startswith("Sure")


def test_what_is_sent(server, tmp_path):
    picture = Picture.fromarray(np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8))
    grammar = Grammar('start: "x"')
    request = Request(prompt="json", images=(picture, picture), system="s \ud800", schema=SCHEMA)
    answers = [
        *at(server, extra_body={"seed": 3}, image_format="png").answers([request, Request(prompt="fine")]),
        *at(server, dialect="vllm", extra_body={"top_k": 1}).answers([Request(prompt="fine a", schema=grammar)]),
        *at(server, dialect="guided").answers([Request(prompt="fine b", schema=grammar)]),
        *at(server, dialect="guided").answers([Request(prompt="json b", schema=SCHEMA)]),
        *at(server, dialect="plain", max_tokens=None, temperature=None).answers(
            [Request(prompt="fine c", schema=SCHEMA, images=(picture,))]
        ),
    ]
    assert all(isinstance(a, Answer) for a in answers), answers
    sent = {
        b["messages"][-1]["content"]
        if isinstance(b["messages"][-1]["content"], str)
        else b["messages"][-1]["content"][-1]["text"]: b
        for b in server.bodies
    }
    first = sent["json"]
    assert first["messages"][0] == {"role": "system", "content": "s ?"}
    parts = first["messages"][1]["content"]
    assert [p["type"] for p in parts] == ["image_url", "image_url", "text"]
    head, data = parts[0]["image_url"]["url"].split(",")
    same = Picture.open(io.BytesIO(base64.b64decode(data)))
    assert head == "data:image/png;base64" and np.array_equal(np.asarray(same), np.asarray(picture))
    assert first["response_format"]["json_schema"]["schema"] == SCHEMA and first["seed"] == 3
    assert (first["model"], first["max_tokens"], first["temperature"]) == ("m", 512, 0.0)
    assert sent["fine"]["messages"] == [{"role": "user", "content": "fine"}] and "response_format" not in sent["fine"]
    assert sent["fine a"]["structured_outputs"] == {"grammar": grammar.text} and sent["fine a"]["top_k"] == 1
    assert sent["fine b"]["guided_grammar"] == grammar.text and sent["json b"]["guided_json"] == SCHEMA
    assert set(sent["fine c"]) == {"messages", "model"}
    assert sent["fine c"]["messages"][0]["content"][0]["image_url"]["url"].startswith("data:image/jpeg;base64,")
    assert {path for path, _ in server.headers} == {"/v1/chat/completions"}
    assert {h["authorization"] for _, h in server.headers} == {f"Bearer {KEY}"}


def test_without_a_key_none_is_sent(server, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv("OTHER_KEY", "other")
    at(server).generate([], "fine 1")
    at(server, key_env="OTHER_KEY").generate([], "fine 2")
    assert [h["authorization"] for _, h in server.headers] == [f"Bearer {module.NO_KEY}", "Bearer other"]


def test_so_many_at_a_time_in_order_and_lazily(server):
    taken = count()

    def endless():
        while True:
            yield Request(prompt=f"fine {next(taken)}")

    answers = at(server, concurrency=4).answers(endless())
    found = [next(answers).text for _ in range(30)]
    assert found == [f"said fine {i}" for i in range(30)] and 1 < server.most <= 4
    answers.close()
    assert next(taken) <= 30 + 4 + 5
    assert at(server).generate([], "fine again") == "said fine again"


def test_one_slow_request_does_not_keep_the_others_from_being_stored(server, tmp_path):
    memory = Cached(at(server, concurrency=3, timeout=4, retries=0), tmp_path / "c")
    answers = memory.answers(Request(prompt=p) for p in ("hangs", *(f"fine {i}" for i in range(20))))
    stored = []
    thread = threading.Thread(target=lambda: stored.append(next(answers)))
    thread.start()
    until = time.monotonic() + 3.5
    while len(memory) < 20 and time.monotonic() < until:
        time.sleep(0.05)
    assert not stored and len(memory) == 20
    thread.join(10)
    assert isinstance(stored[0], ErrorRecord) and [a.text for a in answers] == [f"said fine {i}" for i in range(20)]


def test_an_error_of_the_caller_is_the_callers(server):
    def requests():
        yield Request(prompt="fine 1")
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(at(server).answers(requests()))
    assert at(server).generate([], "fine 2") == "said fine 2"


def test_nobody_there(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(GenerationError, match=r"no connection.*2 times"):
        Endpoint(f"http://127.0.0.1:{port}/v1", "m", retries=1, retry_delay=0.01).generate([], "x")


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "ftp://host/v1"},
        {"base_url": "host:8000"},
        {"base_url": "http://me:pw@host/v1"},
        {"timeout": 0},
        {"retries": -1},
        {"concurrency": 0},
        {"max_tokens": 0},
        {"temperature": -1.0},
        {"dialect": "grpc"},
        {"image_format": "gif"},
        {"extra_body": {"a": object()}},
    ],
)
def test_settings_that_cannot_be(settings):
    with pytest.raises(ModelError, match=next(iter(settings))) as error:
        Endpoint(**{"base_url": "http://host/v1", "model": "m", **settings})
    assert "pw" not in str(error.value)


def test_without_the_client_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ModelError, match=r"pip install 'openmie\[endpoint\]'"):
        Endpoint("http://127.0.0.1:9/v1", "m").generate([], "x")


# -- a real server


@pytest.fixture(scope="module")
def served(colours, tmp_path_factory):
    """`transformers serve` with the model of the colours, on loopback; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("serve") / "log"
    command = [
        sys.executable,
        "-c",
        "from transformers.cli.transformers import main; main()",
        "serve",
        colours,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--device",
        "cpu",
    ]
    quiet = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=quiet)
        try:
            until = time.monotonic() + 120
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            while True:
                assert process.poll() is None and time.monotonic() < until, log.read_text(encoding="utf8")[-2000:]
                try:
                    opener.open(f"http://127.0.0.1:{port}/health", timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.kill()
            process.wait(30)


def test_a_real_server_answers_as_the_model_does_here(served, colours, monkeypatch, tmp_path):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    rows = [["red"], ["blue", "red"], ["green", "green"], ["red", "blue"]]
    requests = [
        Request(prompt=lvlm_small.ASKED, images=tuple(lvlm_small.square(c, 50 + i) for i, c in enumerate(row)))
        for row in rows
    ]
    requests += [Request(prompt="Who is there?"), Request(prompt="And there?", system="Be brief.")]
    remote = Endpoint(served, colours, max_tokens=12, dialect="plain", timeout=60)
    found = list(Cached(remote, tmp_path / "c").answers(requests))
    assert [a.text for a in found[:4]] == [" ".join(row) for row in rows]
    here = list(Local(colours, max_tokens=12).answers(requests))
    told = [(a.text, a.finish, a.prompt_tokens, a.tokens) for a in here]
    # the server counts the end of an answer as one of its tokens, as is done here
    assert [(a.text, a.finish, a.prompt_tokens, a.tokens) for a in found] == told
    assert all(a.cached for a in Cached(remote, tmp_path / "c").answers(requests[:4]))


def test_a_real_server_cuts_refuses_and_is_left_alone_in_time(served, colours, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    red = Request(prompt=lvlm_small.ASKED, images=(lvlm_small.square("red"),))
    cut = next(iter(Endpoint(served, colours, max_tokens=1, dialect="plain", timeout=60).answers([red])))
    assert (cut.finish, cut.tokens) == ("length", 1)
    with pytest.raises(UnusableServer, match="status 400"):  # a model that it does not serve
        next(iter(Endpoint(served, "another/model", timeout=60).answers([red])))
    wrong = next(iter(Endpoint(served, colours, timeout=60, extra_body={"no_such_field": 1}).answers([red])))
    assert isinstance(wrong, ErrorRecord) and "status 422" in wrong.found
    late = Endpoint(served, colours, max_tokens=200, timeout=0.001, retries=1, retry_delay=0.01, dialect="plain")
    record = next(iter(late.answers([red])))
    assert isinstance(record, ErrorRecord) and "2 times" in record.found
    schema = Endpoint(served, colours, max_tokens=12, timeout=60)  # this server takes a response_format, and ignores it
    record = next(iter(schema.answers([Request(prompt=red.prompt, images=red.images, schema=SCHEMA)])))
    assert isinstance(record, ErrorRecord) and "dialect=plain" in record.remedy
    assert Endpoint(served, colours, max_tokens=12, timeout=60).generate(list(red.images), red.prompt) == "red"
