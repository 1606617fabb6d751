"""Routes: a post, many posts, forms, models and labels; every answer is a Document or a problem with four facts."""

import base64
import json
import re

import pytest
from starlette.testclient import TestClient

from openmie.base.labels import LABELS, RELATIONS
from openmie.data.document import Document
from openmie.serve import openapi
from openmie.serve.served_model import ServedBase, ServedTrained
from tests.fixtures import small
from tests.fixtures.base_stub import stub_base
from tests.fixtures.serving import HEADERS, WordsModel, application

LINES = {"Content-Type": "application/jsonl"}


@pytest.fixture(scope="module")
def client():
    models = {"base": ServedBase(stub_base()), "words": WordsModel()}
    with TestClient(application(), headers=HEADERS) as one, TestClient(application(models), headers=HEADERS) as two:
        one.two = two
        yield one


def test_a_document_is_what_the_model_predicts(client):
    post = Document(id="7", text="Ada Lovelace spoke in Turin", lang="en")
    answer = client.post("/v1/extract", json={"id": "7", "text": post.text, "lang": "en"})
    (expected,) = stub_base().predict([post])
    found = Document.from_json(answer.content)
    assert answer.status_code == 200 and found.replace(source={}) == expected.replace(source={})
    assert found.source["openmie"]["models"] == expected.source["openmie"]["models"]


def test_labels_relations_and_threshold_are_given_with_the_post(client):
    asked = {"labels": ["PER", "CITY"], "relations": [], "options": {"threshold": {"PER": 0.99, "CITY": 0.1}}}
    found = client.post("/v1/extract", json={"text": "Ada Lovelace spoke in Turin", **asked}).json()
    assert [(m["label"], m["text"]) for m in found["mentions"]] == [("CITY", "Turin")] and "relations" not in found


@pytest.mark.parametrize("name", openapi.POSTS)
def test_every_example_is_answered(client, name):
    answer = client.post("/v1/extract", json=openapi.POSTS[name])
    assert answer.status_code == 200 and Document.from_json(answer.content).mentions


def test_an_image_is_seen_and_its_path_is_not_told(client):
    found = client.post("/v1/extract", json={"text": "Ada", "images": [{"data": openapi.DOT, "id": "x"}]}).json()
    assert found["images"] == [{"id": "x", "width": 1, "height": 1}]
    assert {r["image"] for r in found["regions"]} == {"x"} and "/proc" not in json.dumps(found)


def test_a_form_is_the_same_post(client):
    data = {"id": "7", "text": "Ada Lovelace", "labels": '["PER"]', "options": '{"threshold": 0.3}'}
    files = [("image", ("päth/../x.png", base64.b64decode(openapi.DOT)))]
    form = client.post("/v1/extract", data=data, files=files)
    asked = {"labels": ["PER"], "options": {"threshold": 0.3}, "images": [openapi.DOT]}
    plain = client.post("/v1/extract", json={"id": "7", "text": "Ada Lovelace", **asked})
    same = [Document.from_json(answer.content).replace(source={}) for answer in (form, plain)]
    assert same[0] == same[1] and same[0].mentions


def test_many_posts_are_answered_in_order_and_a_bad_one_is_told(client):
    lines = [json.dumps({"id": f"{i}", "text": f"Bo{' Turin' * (i % 7)}"}) for i in range(100)]
    lines[3:3] = ["", "no json", '{"id": "url", "text": "x", "images": ["http://localhost/a.png"]}']
    answer = client.post("/v1/extract/batch", content="\n".join(lines), headers=LINES)
    found = [Document.from_json(line) for line in answer.content.splitlines()]
    assert [d.id for d in found] == ["0", "1", "2", "unread-5", "url", *(f"{i}" for i in range(3, 100))]
    told = {d.id: d.errors[0].where for d in found if d.errors}
    assert told == {"unread-5": "line 5, request", "url": "line 6, images[0]"}


def test_models_and_labels_are_listed(client):
    models = {m["name"]: m for m in client.two.get("/v1/models").json()["models"]}
    assert list(models) == ["base", "words"] and models["base"]["labels"].keys() == LABELS.keys()
    assert client.two.post("/v1/extract", json={"text": "so it is", "options": {"model": "words"}}).json()["mentions"]
    listed = client.get("/v1/labels").json()
    assert [x["name"] for x in listed["labels"]] == list(LABELS)
    assert [x["name"] for x in listed["relations"]] == list(RELATIONS)


class Trained:
    """A trained model with the heads of a recipe, and none of its weights."""

    recipe, reads_images = small.recipe("joint"), False

    def identity(self):
        return {"name": "mine", "weights": "0"}

    def predict(self, documents):
        return list(documents)


def test_a_trained_model_has_its_own_labels():
    served = ServedTrained(Trained())
    assert set(served.labels) == {"PER", "LOC"} and served.relations and "None" not in served.relations
    with TestClient(application({"mine": served}), headers=HEADERS) as client:
        found = Document.from_json(client.post("/v1/extract", json={"text": "Ada saw Rome"}).content)
        assert found.source["openmie"]["models"] == [{"name": "mine", "weights": "0"}]
        refused = client.post("/v1/extract", json={"text": "Ada", "labels": ["X"]})
        assert refused.status_code == 422 and "fixed" in refused.json()["found"]


@pytest.mark.parametrize(
    ("body", "status", "where"),
    [
        ({"text": "x", "labels": []}, 422, "labels"),
        ({"text": "x", "labels": [" "]}, 422, "labels"),
        ({"text": "x", "options": {"model": "nobody"}}, 422, "options.model"),
        ({"text": "x", "options": {"threshold": 2}}, 422, "request.options.threshold"),
        ({"text": "x", "path": "/etc/hostname"}, 422, "request.path"),
        ({"text": "x", "words": [[0, 9]]}, 422, "document post"),
        ({}, 422, "request"),
        ({"text": "x", "images": ["aGVsbG8="]}, 422, "images[0]"),
        ({"text": "x", "images": ["no base"]}, 422, "images[0]"),
    ],
)
def test_an_error_says_where_what_and_what_to_do(client, body, status, where):
    answer = client.post("/v1/extract", json=body)
    told = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), told
    assert told["where"].startswith(where) and told["found"] and told["expected"] and told["remedy"] and told["detail"]


def test_paths_methods_and_types_that_are_not_there(client):
    for answer, status in (
        (client.get("/v1/nothing"), 404),
        (client.get("/v1/extract"), 405),
        (client.post("/v1/extract", content="text=x", headers={"Content-Type": "text/plain"}), 415),
        (client.post("/v1/extract/batch", json={}), 415),
        (client.post("/v1/extract", json={"text": "x"}, headers={"Content-Encoding": "gzip"}), 415),
        (client.post("/v1/extract", data={"texts": "x"}, files={"image": b"x"}), 422),
        (client.post("/v1/extract", content=b"--x", headers={"Content-Type": "multipart/form-data"}), 422),
    ):
        assert answer.status_code == status and answer.json()["remedy"], answer.text


def test_the_description_has_what_a_client_needs(client):
    told = client.get("/openapi.json").json()
    assert set(told["paths"]) == {
        *("/v1/extract", "/v1/extract/batch", "/v1/models", "/v1/labels", "/health", "/ready", "/metrics")
    }
    referred = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(told)))
    assert referred <= told["components"]["schemas"].keys() and {"Document", "PostRequest", "Problem"} <= referred
    post = told["paths"]["/v1/extract"]["post"]
    assert post["requestBody"]["content"]["application/json"]["examples"] and {"401", "413", "429"} <= set(
        post["responses"]
    )


def test_metrics_count_requests_and_batches(client):
    client.post("/v1/extract", json={"text": "Ada"})
    text = client.get("/metrics").text
    assert 'openmie_requests_total{route="/v1/extract",status="200"}' in text
    assert 'openmie_batch_posts_count{model="base"}' in text and 'openmie_waiting_posts{model="base"} 0.0' in text
