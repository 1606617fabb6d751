"""The client, and what the guide shows of curl, JavaScript and Python, against a service behind a socket."""

import re
import shutil
import subprocess
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import httpx
import pytest
from PIL import Image as Picture

from openmie.client import Client, ServiceError
from openmie.data.document import Document, Image
from openmie.errors import ImageError
from openmie.serve.problems import Problem, body_of
from tests.fixtures import small
from tests.fixtures.base_stub import stub_base, stub_photographs
from tests.fixtures.serving import TOKEN, application, running

GUIDE = (Path(__file__).parents[3] / "docs" / "guides" / "serve.md").read_text(encoding="utf8")


def block(language):
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.M | re.S)
    return found


@pytest.fixture(scope="module")
def url():
    with running(application(max_text=500)) as (found, _):
        yield found


@pytest.fixture
def folder(tmp_path, monkeypatch):
    Picture.fromarray(small.picture(0)).save(tmp_path / "photo.jpg")
    (tmp_path / "texts.jsonl").write_text('{"text": "Ada in Turin"}\n{"text": "Bo"}\n', encoding="utf8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENMIE_TOKEN", TOKEN)
    return tmp_path


def test_a_served_prediction_is_that_of_the_model(url, folder):
    documents = [
        Document(
            id=f"{i % 2}", text="Ada Lovelace and Bo in Turin", lang="en", images=[Image(path="photo.jpg")] * (i % 2)
        )
        for i in range(5)
    ]
    with Client(url) as client:
        found = list(client.predict(documents, labels=["PER", "LOC"], threshold=0.1))
    local = stub_base(stub_photographs()).predict(documents, labels=["PER", "LOC"], threshold=0.1)
    assert [d.replace(source={}) for d in found] == [d.replace(source={}) for d in local]
    assert [d.source["openmie"]["models"] for d in found] == [d.source["openmie"]["models"] for d in local]


def test_what_is_wrong_with_one_document_is_in_its_errors(url, folder):
    (folder / "text.png").write_text("no image", encoding="utf8")
    documents = [
        Document(id="lost", text="Ada", images=[Image(path="nowhere.png"), Image(path="photo.jpg", id="x")]),
        Document(id="long", text="x" * 501),
        Document(id="text", text="Ada", images=[Image(path="text.png")]),
        Document(id="url", text="Ada", images=[Image(path="http://127.0.0.1/a.png")]),
        Document(id="fine", text="Ada"),
    ]
    with Client(url) as client:
        lost, long, text, address, fine = client.predict(documents)
    assert lost.mentions and lost.regions and lost.errors[0].where == "document lost, image nowhere.png"
    assert lost.images[0].path == "nowhere.png" and not fine.errors and fine.mentions
    assert long.id == "long" and "501" in long.errors[0].found and "image" in text.errors[0].found
    assert "URL" in address.errors[0].found and address.mentions


def test_errors_have_the_four_facts(url, folder):
    with Client(url) as client:
        with pytest.raises(ServiceError) as error:
            client.extract("Ada", labels=[""])
        assert error.value.status == 422 and error.value.record.where == "labels" and error.value.record.remedy
        with pytest.raises(ImageError):
            client.extract("Ada", ["https://example.org/a.png"])
        assert client.is_ready() and client.models()[0]["name"] == "base" and client.labels()["labels"]
    with Client(url, "another token") as client, pytest.raises(ServiceError) as error:
        client.models()
    assert error.value.status == 401
    with Client("http://127.0.0.1:9", tries=1) as client:
        with pytest.raises(ServiceError, match="openmie serve") as error:
            client.models()
        assert error.value.status == 0 and not client.is_ready()


def test_a_busy_service_is_asked_again_when_it_says(monkeypatch):
    from openmie import client as module

    slept, answers = [], [429, 503, 200]
    problem = Problem.of_facts(429, "busy", "less", "wait", retry_after=7)

    def answer(_):
        status = answers.pop(0)
        return httpx.Response(
            status, headers=problem.headers, json={"models": []} if status == 200 else body_of(problem)
        )

    monkeypatch.setattr(module.time, "sleep", slept.append)
    with Client(transport=httpx.MockTransport(answer)) as client:
        assert client.models() == [] and slept == [7.0, 7.0]
        answers[:] = [429] * 9
        with pytest.raises(ServiceError, match="Busy"):
            client.models()
    assert len(answers) == 4


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_curl_of_the_guide(url, folder):
    done = subprocess.run(
        ["sh", "-e"],
        input=block("sh").replace("http://127.0.0.1:8000", url),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found = [Document.from_json(line) for line in done.stdout.replace("}{", "}\n{").splitlines()]
    assert [len(d.mentions) for d in found] == [2, 1, 2, 1] and found[1].regions


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_the_javascript_of_the_guide(url, folder):
    (folder / "ask.mjs").write_text(block("js").replace("http://127.0.0.1:8000", url), encoding="utf8")
    done = subprocess.run(["node", "ask.mjs"], capture_output=True, text=True, timeout=60)
    assert done.stdout == "PER Ada Lovelace\nLOC Turin\n", done.stderr


def test_the_python_of_the_guide(url, folder, monkeypatch):
    from openmie import client as module

    monkeypatch.setattr(module.Client.__init__, "__defaults__", (url, ""))
    printed = StringIO()
    with redirect_stdout(printed):
        exec(compile(block("py"), "serve.md", "exec"), {})
    assert printed.getvalue().splitlines() == [
        "[('PER', 'Ada Lovelace'), ('LOC', 'Turin')]",
        *(f"{n} 2 4" for n in range(3)),
    ]
