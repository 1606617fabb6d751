"""What a server tells one request holds for all: pauses, a wrong key, a server that is down, one request that hangs."""

import socket
import threading
import time

import pytest

from openmie.errors import ErrorRecord
from openmie.vlm.backends.endpoint import Endpoint
from openmie.vlm.backends.shared_pause import UnusableServer
from openmie.vlm.generate import Answer, Request
from tests.fixtures.chat_server import ChatServer, refused, said


@pytest.fixture(autouse=True)
def _loopback(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def requests(count):
    return (Request(prompt=f"p{i}") for i in range(count))


def at(server, **settings):
    return Endpoint(server.url, "m", **{"timeout": 5.0, "retries": 1, "retry_delay": 0.02, **settings})


def limited(per_second, wait):
    """So many answers in each window; beyond them 429 with `Retry-After`."""
    windows, lock = {}, threading.Lock()

    def reply(number, prompt):
        with lock:
            window = int(time.monotonic() * 4)
            windows[window] = windows.get(window, 0) + 1
            return said(prompt) if windows[window] <= per_second else refused(429, Retry_After=wait)

    return reply


def test_under_a_rate_limit_no_request_fails():
    with ChatServer(limited(3, "0.2")) as server:
        answers = list(at(server, retries=0).answers(requests(12)))
    assert [a.text for a in answers] == [f"p{i}" for i in range(12)]


def test_all_pause_for_as_long_as_the_server_says_and_then_one_goes_alone():
    with ChatServer(lambda number, _: refused(429, Retry_After="0.6") if number < 4 else said("x")) as server:
        answers = list(at(server, concurrency=4, max_retry_delay=0.1).answers(requests(12)))
    assert all(isinstance(a, Answer) for a in answers)
    pause = [b - a for a, b in zip(server.times[3:], server.times[4:])]
    assert pause[0] > 0.55 and len(server.times) == 16  # each of the four was told once


def test_a_server_that_only_asks_to_wait_ends_the_job_in_time(monkeypatch):
    monkeypatch.setattr("openmie.vlm.backends.shared_pause.HELD_PAUSES", 3)
    monkeypatch.setattr("openmie.vlm.backends.shared_pause.HELD_SECONDS", 0.0)
    with (
        ChatServer(lambda *_: refused(429)) as server,
        pytest.raises(UnusableServer, match="times one after the other"),
    ):
        list(at(server, max_retry_delay=0.03).answers(requests(50)))


@pytest.mark.parametrize(
    ("status", "code", "message", "told"),
    [
        (401, "", "wrong key", "OPENAI_API_KEY"),
        (402, "", "no credit", "credit"),
        (403, "", "forbidden", "access"),
        (404, "", "no such page", "base_url"),
        (400, "model_not_found", "unknown", "model's name"),
        (400, "", "The model `m` does not exist", "model's name"),
        (429, "insufficient_quota", "You exceeded your quota", "credit"),
    ],
)
def test_what_all_requests_would_be_told_ends_the_job(status, code, message, told):
    told = pytest.raises(UnusableServer, match=rf"(?s)status {status}.*{told}")
    with ChatServer(lambda *_: refused(status, message, code)) as server, told:
        list(at(server, concurrency=4).answers(requests(400)))
    assert len(server.times) <= 4


def test_a_post_that_a_moderator_flags_ends_no_job():
    with ChatServer(lambda n, p: refused(403, "your input was flagged") if p == "p1" else said("x")) as server:
        answers = list(at(server).answers(requests(6)))
    assert [isinstance(a, ErrorRecord) for a in answers] == [False, True, False, False, False, False]


def test_a_server_that_is_down_ends_the_job_after_a_few_tries():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint = Endpoint(f"http://127.0.0.1:{port}/v1", "m", retries=3, retry_delay=0.02)
    taken = []
    with pytest.raises(UnusableServer, match=r"no connection.*4 times(?s:.*)is it started"):
        list(endpoint.answers(Request(prompt=str(taken.append(i))) for i in range(10_000)))
    assert len(taken) <= 8


def test_a_server_that_answers_nothing_but_errors_ends_the_job():
    several = r"first (1[6-9]|2\d) tries failed"  # those in flight count too
    with ChatServer(lambda *_: refused(500)) as server, pytest.raises(UnusableServer, match=several):
        list(at(server, retries=2).answers(requests(10_000)))
    assert len(server.times) < 40


def test_one_request_that_hangs_lets_all_others_go_on():
    def reply(number, prompt):
        if prompt == "p0":
            server.over.wait(10)
        return said(prompt)

    with ChatServer(reply) as server:
        found = at(server, concurrency=2, timeout=60).answers_as_completed(requests(60))
        first = [number for number, _ in (next(found) for _ in range(59))]
        found.close()
    assert first == list(range(1, 60))
