"""Servers of one model share a job: each with its own limits and pause; one that is dead is left out."""

import socket
import threading
import time
from collections import Counter

import pytest

from openmie.errors import ErrorRecord, ModelError
from openmie.vlm.backends import connect
from openmie.vlm.backends.answer_store import request_key
from openmie.vlm.backends.shared_pause import UnusableServer
from openmie.vlm.generate import Answer, Request
from tests.fixtures.chat_server import ChatServer, refused, said


@pytest.fixture(autouse=True)
def _loopback(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def at(*urls, **settings):
    return connect("m", urls, **{"timeout": 5.0, "retries": 1, "retry_delay": 0.02, **settings})


def requests(count):
    return [Request(prompt=f"p{i}") for i in range(count)]


def texts(backend, count):
    found = list(backend.answers(requests(count)))
    assert all(isinstance(a, Answer) for a in found), found
    return [a.text for a in found]


@pytest.fixture
def dead():
    """An address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return f"http://127.0.0.1:{port}/v1"


class Slow:
    """Answers after a moment, and knows how many requests it had at a time."""

    def __init__(self, seconds=0.03):
        self.seconds, self.now, self.most, self.lock = seconds, 0, 0, threading.Lock()

    def __call__(self, number, prompt):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.seconds)
        with self.lock:
            self.now -= 1
        return said(prompt)


def test_all_servers_are_asked_each_within_its_own_limit():
    one, two = Slow(), Slow()
    with ChatServer(one) as a, ChatServer(two) as b:
        assert texts(at(f"{a.url}#concurrency=2", f"{b.url}#concurrency=4"), 36) == [f"p{i}" for i in range(36)]
    assert (one.most, two.most) == (2, 4) and len(a.times) + len(b.times) == 36
    assert len(a.times) >= 8 and len(b.times) >= 18


def test_requests_go_to_the_server_with_the_fewest_in_flight():
    """One that is ten times as slow gets few of them."""
    with ChatServer(Slow(0.2)) as slow, ChatServer(Slow(0.01)) as quick:
        texts(at(slow.url, quick.url, concurrency=4), 40)
    assert len(slow.times) < 16 and len(quick.times) > 24


def test_a_server_that_asks_to_wait_pauses_alone_and_its_requests_go_to_the_others():
    limited = ChatServer(lambda number, p: refused(429, Retry_After="30"))
    with limited as a, ChatServer(Slow()) as b:
        started = time.monotonic()
        assert len(texts(at(a.url, b.url, concurrency=4), 24)) == 24
        assert time.monotonic() - started < 10  # b did not wait the 30 seconds
    assert len(a.times) <= 4 and len(b.times) == 24 and {f"p{i}" for i in range(24)} == {*b.prompts}


def test_a_short_pause_is_kept_and_the_server_is_asked_again():
    with (
        ChatServer(lambda n, p: refused(429, Retry_After="0.3") if n < 2 else Slow()(n, p)) as a,
        ChatServer(Slow()) as b,
    ):
        texts(at(a.url, b.url, concurrency=2), 40)
    later = [t for t in a.times if t > a.times[1] + 0.01]
    assert later and later[0] - a.times[1] > 0.28 and Counter([*a.prompts[2:], *b.prompts]).most_common(1)[0][1] == 1


def test_a_dead_server_is_left_out_with_a_line_and_the_job_ends_whole(dead, capsys):
    with ChatServer(Slow()) as b:
        assert len(texts(at(dead, b.url, retries=2), 30)) == 30
        assert len(b.times) == 30
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1 and dead in told[0] and "is left out" in told[0] and "goes on with 1 other server." in told[0]


@pytest.mark.parametrize("status", [401, 404])
def test_a_server_that_refuses_key_or_model_is_left_out(status, capsys):
    with ChatServer(lambda *_: refused(status)) as a, ChatServer(Slow()) as b:
        assert len(texts(at(a.url, b.url), 20)) == 20
    assert len(a.times) <= 8 and f"status {status}" in capsys.readouterr().err


def test_where_the_last_server_is_gone_the_job_ends(dead):
    with ChatServer(lambda *_: refused(401)) as a, pytest.raises(UnusableServer, match=r"401|no connection"):
        list(at(dead, a.url, retries=0).answers(requests(200)))
    assert len(a.times) <= 8


def test_a_server_that_fails_at_once_draws_no_more_requests_than_others():
    """It answers first, so that it counts as one that works; each request that fails there is answered by the other."""
    with ChatServer(lambda n, p: said(p) if n == 0 else refused(500)) as a, ChatServer(Slow()) as b:
        texts(at(a.url, b.url, concurrency=4), 40)
    assert len(b.times) >= 39 and len(a.times) < 40


def test_a_request_that_fails_everywhere_is_a_record():
    with (
        ChatServer(lambda n, p: refused(500) if p == "p1" else said(p)) as a,
        ChatServer(lambda n, p: a.reply(n, p)) as b,
    ):
        found = list(at(a.url, b.url).answers(requests(6)))
    assert [isinstance(x, ErrorRecord) for x in found] == [False, True, False, False, False, False]
    assert "status 500" in found[1].found and "2 times" in found[1].found


def test_each_server_has_its_own_key_and_answers_are_known_wherever_they_came_from(monkeypatch):
    monkeypatch.setenv("KEY_B", "of-b")
    with ChatServer(Slow()) as a, ChatServer(Slow()) as b:
        several = at(a.url, f"{b.url}#key_env=KEY_B")
        assert [e.key_env for e in several.endpoints] == ["OPENAI_API_KEY", "KEY_B"]
        keys = {request_key(x.facts(), requests(1)[0]) for x in (several, at(b.url), at(a.url))}
    assert len(keys) == 1


@pytest.mark.parametrize(
    "urls", [("http://h/v1", "http://h/v1/"), ("http://h/v1#limit=3",), ("http://h/v1#retries=x",)]
)
def test_equal_addresses_and_unknown_limits_are_errors(urls):
    with pytest.raises(ModelError):
        at(*urls)
