"""Batches of posts of several clients: who is predicted together, what a bad post harms, and what a full queue says."""

import asyncio
import threading
from contextlib import suppress
from time import monotonic, sleep

import httpx
import pytest

from openmie.serve.batching import BatchQueue
from openmie.serve.metrics import Metrics
from openmie.serve.post_request import PostRequest, make_post
from tests.fixtures.serving import HEADERS, WordsModel, application, running, settings


def served(model, **given):
    return application({"words": model}, **given)


def asked(app, posts, delay=0.0):
    """The answers to posts that are sent at once, in the event loop of the application."""

    async def all_of_them():
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=HEADERS) as client:
                sent = [asyncio.create_task(client.post("/v1/extract", json=post)) for post in posts]
                if delay:
                    await asyncio.sleep(delay)
                    app.state.service.models["words"].free.set()
                return await asyncio.gather(*sent)

    return asyncio.run(all_of_them())


def test_posts_of_many_clients_are_predicted_together():
    model = WordsModel(0.01)
    answers = asked(served(model, batch_size=8), [{"id": f"{i}", "text": f"w{i} x"} for i in range(40)])
    assert [(a.json()["id"], a.json()["mentions"][0]["text"]) for a in answers] == [
        (f"{i}", f"w{i}") for i in range(40)
    ]
    sizes = [len(batch) for batch in model.batches]
    assert sum(sizes) == 40 and max(sizes) == 8 and len(sizes) <= 8


def test_posts_of_other_labels_are_predicted_apart_and_in_order():
    model = WordsModel()
    posts = [{"id": f"{i}", "text": "a", "labels": [f"L{i % 2}"]} for i in range(10)]
    answers = asked(served(model, batch_size=8), posts)
    assert [a.json()["id"] for a in answers] == [f"{i}" for i in range(10)]
    assert all(len({int(id) % 2 for id in batch}) == 1 for batch in model.batches) and len(model.batches) < 6


def test_a_post_that_fails_harms_no_other_and_its_text_is_not_told(caplog):
    model = WordsModel()
    model.free.clear()
    posts = [{"id": f"{i}", "text": "poison here" if i == 3 else "fine"} for i in range(6)]
    answers = asked(served(model), posts, delay=0.05)
    assert [a.status_code for a in answers] == [200, 200, 200, 500, 200, 200]
    assert "secret" not in answers[3].text and "secret" not in caplog.text and "poison" not in caplog.text


def test_a_full_queue_says_when_to_try_again_and_many_posts_wait_for_a_place():
    model = WordsModel()
    model.free.clear()
    answers = asked(served(model, max_waiting=4, batch_size=2), [{"text": "a"}] * 12, delay=0.1)
    refused = [a for a in answers if a.status_code == 429]
    assert refused and len(refused) <= 8 and all(int(a.headers["Retry-After"]) >= 1 for a in refused)
    assert {a.status_code for a in answers} == {200, 429} and "wait" in refused[0].json()["found"]

    async def many():
        app = served(WordsModel(), max_waiting=4, batch_size=2)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://s", headers=HEADERS) as client,
        ):
            body = b'{"text": "a"}\n' * 50
            return await client.post("/v1/extract/batch", content=body, headers={"Content-Type": "application/jsonl"})

    assert asyncio.run(many()).content.count(b'"mentions"') == 50


def test_a_post_that_takes_too_long_is_given_up_and_not_predicted():
    model = WordsModel()
    model.free.clear()
    answers = asked(served(model, timeout=0.05, batch_size=1), [{"id": f"{i}", "text": "a"} for i in range(3)], 0.3)
    assert [a.status_code for a in answers] == [504] * 3 and len(model.batches) == 1


def test_what_was_accepted_is_answered_when_the_service_stops():
    model = WordsModel(0.05)
    found = []
    with running(served(model, batch_size=2)) as (url, process):
        assert httpx.get(f"{url}/ready").status_code == 200

        def ask():
            with suppress(httpx.TransportError):  # a client that came too late
                found.append(
                    httpx.post(f"{url}/v1/extract", json={"text": "a b"}, headers=HEADERS, timeout=20, verify=False)
                )

        clients = [threading.Thread(target=ask) for _ in range(10)]
        for client in clients:
            client.start()
        _until(lambda: sum(map(len, model.batches)) >= 2)
        process.should_exit = True
        for client in clients:
            client.join(20)
    assert len(found) == sum(map(len, model.batches)) >= 2
    assert all(a.status_code == 200 and a.json()["mentions"] for a in found)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health")


def test_a_batch_that_is_being_read_is_answered_when_its_task_is_cancelled_and_the_queue_stops():
    """And so is a post that waits for a place in a full queue, which no queue holds yet."""
    model = WordsModel()
    model.free.clear()
    query = model.query(None, None, None)
    posts = [make_post(PostRequest(id=f"{i}", text="a b"), settings()) for i in range(3)]

    async def stopped(cancelled):
        queue = BatchQueue("words", settings(batch_size=1, max_waiting=1), Metrics())
        queue.start()
        some = posts[:1] if cancelled else posts
        asked = []
        for n, post in enumerate(some):
            asked.append(asyncio.create_task(queue.predict(post, query, patient=n == 2)))
            await asyncio.sleep(0.03)
        if cancelled:
            queue._task.cancel()
        ending = asyncio.create_task(queue.stop())
        await asyncio.sleep(0.03)
        assert not ending.done()
        model.free.set()
        found = await asyncio.wait_for(asyncio.gather(*asked), 5)
        await asyncio.wait_for(ending, 5)
        return [document.id for document in found]

    assert asyncio.run(stopped(True)) == ["0"]
    model.free.clear()
    assert asyncio.run(stopped(False)) == ["0", "1", "2"]


def test_a_post_whose_client_has_gone_is_not_predicted():
    model = WordsModel()
    model.free.clear()
    app = served(model, batch_size=1)
    with running(app) as (url, _):
        first = threading.Thread(target=httpx.post, args=(f"{url}/v1/extract",), kwargs=_post("first"))
        first.start()
        _until(lambda: model.batches)
        with suppress(httpx.TimeoutException):
            httpx.post(f"{url}/v1/extract", **{**_post("gone"), "timeout": 0.2})
        _until(lambda: b'status="408"' in app.state.service.metrics.text())
        model.free.set()
        first.join(20)
        last = httpx.post(f"{url}/v1/extract", **_post("last"))
    assert last.status_code == 200 and model.batches == [["first"], ["last"]]


def _post(id):
    return {"json": {"id": id, "text": "a"}, "headers": HEADERS, "timeout": 20, "verify": False}


def _until(condition):
    until = monotonic() + 10
    while not condition() and monotonic() < until:
        sleep(0.005)
