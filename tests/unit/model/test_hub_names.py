"""A mistyped name of a model: told with the names that are near, at once, and the hub is asked no more than once."""

import http.server
import threading
from pathlib import Path
from time import monotonic

import pytest
from typer.testing import CliRunner

from openmie.cli import application as cli
from openmie.errors import ModelError, OpenMIEError, RecipeError
from openmie.model import hub_names
from openmie.model.hub_names import check_backbones, check_model_name


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    for folder in ("runs/first", "runs/second", "mine"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    hub_names.query_hub.cache_clear()


@pytest.fixture
def hub(monkeypatch):
    """A hub that knows one/model, and what it was asked."""
    asked = []

    class Hub(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            asked.append(self.path)
            self.send_response(200 if self.path == "/api/models/one/model" else 401)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield asked
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("typed, meant", [("bse", "base"), ("runs/frist", "runs/first"), ("mien", "mine")])
def test_a_near_name_is_proposed_without_asking(typed, meant, hub):
    with pytest.raises(ModelError, match=f"Did you mean '{meant}'"):
        check_model_name(typed, ("base",))
    assert hub == []


def test_the_hub_is_asked_once(hub):
    check_model_name("one/model")
    for _ in range(2):
        with pytest.raises(ModelError, match="has no model of that id"):
            check_model_name("one/modle")
    assert hub == ["/api/models/one/model", "/api/models/one/modle"]


def test_what_is_there_is_not_asked_for(hub, tmp_path):
    (tmp_path / "cache" / "models--some--model").mkdir(parents=True)
    for name in ("runs/first", str(tmp_path / "mine"), "some/model", "base"):
        check_model_name(name, ("base",))
    assert hub == []
    with pytest.raises(ModelError, match="Did you mean 'some/model'"):
        check_model_name("some/modell")


def test_names_of_encoders_are_checked_before_the_hubs_client_tries_them(hub):
    check_backbones("minilm", "lite0")
    check_backbones("characters")
    with pytest.raises(RecipeError, match="Did you mean 'minilm'"):
        check_backbones("minilmm")
    with pytest.raises(RecipeError, match="tiny-clip, lite0, a hub id"):
        check_backbones("tiny", "one/modle")
    check_backbones("one/model")
    assert hub == ["/api/models/one/modle", "/api/models/one/model"]


def test_a_private_model_may_be_known_to_the_client(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "x")
    check_model_name("my/private")


@pytest.mark.parametrize("name", ["a b", "x/y/z", "-m", ""])
def test_what_is_no_hub_id(name, hub):
    with pytest.raises(ModelError, match="no hub id"):
        check_model_name(name)
    assert hub == []


def test_the_command_line_tells_it_within_a_second(monkeypatch):
    """Where nothing answers, too; the hub's client took 40 s. The bound leaves room for other jobs of the machine."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    Path("x.jsonl").write_text('{"text": "x"}\n', encoding="utf8")  # a source that can be read: some look at it first
    began = monotonic()
    train = ("train", "baseline", "--corpus", "diorama:train=4,dev=2,test=0,size=48", "--out", "m", "--option")
    for words in (
        ("extract", "x.jsonl", "--model", "no/such"),
        ("objects", "x.jsonl", "--out", "o", "--model", "no/such"),
        ("caption", "x.jsonl", "--out", "o", "--model", "no/such"),
        (*train, "text=no/such"),
    ):
        hub_names.query_hub.cache_clear()
        said = CliRunner().invoke(cli.app, words)
        assert isinstance(said.exception, OpenMIEError) and "cannot be reached" in str(said.exception), said.exception
    assert monotonic() - began < 20
