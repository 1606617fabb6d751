"""`openmie serve`: names of models, tokens, address and TLS; what is printed, and what is refused first."""

import socket

import pytest
from typer.testing import CliRunner

from openmie.cli import application as cli
from openmie.serve import loading, server
from tests.fixtures.base_stub import stub_base, stub_photographs
from tests.fixtures.serving import TOKEN


@pytest.fixture(autouse=True)
def models(monkeypatch):
    """The stub in the place of every model; nothing is served."""
    loaded, ran = [], []
    monkeypatch.setattr(loading, "load", lambda name: loaded.append(name) or stub_base(stub_photographs()))
    monkeypatch.setattr(loading, "check_trained_name", lambda name: None)
    monkeypatch.setattr(server, "run", lambda app, opened, timeout, tls: ran.append((app, timeout, tls)))
    monkeypatch.delenv("OPENMIE_TOKEN", raising=False)
    return loaded, ran


def run(*arguments, **options):
    return CliRunner().invoke(cli.app, ["serve", "--port", "0", *arguments], **options)


def test_a_token_is_generated_and_printed_with_the_address(models):
    done = run("--model", "base", "--model", "mine=runs/x", "--model", "runs/other/", "--max-body", "1")
    loaded, ((app, timeout, tls),) = models
    assert done.exit_code == 0, done.output
    assert loaded == ["base", "runs/x", "runs/other/"] and (timeout, tls) == (120.0, {})
    service = app.state.service
    assert list(service.models) == ["base", "mine", "other"] and service.settings.max_body == 1 << 20
    (token,) = service.settings.tokens
    first, second = done.output.splitlines()
    assert first.startswith("openmie serves base, mine, other at http://127.0.0.1:")
    assert first.endswith(f"/#token={token}") and second == f"token: {token}" and len(token) >= 43


def test_a_given_token_is_not_printed(models, tmp_path, monkeypatch):
    file = tmp_path / "tokens"
    file.write_text(f"{TOKEN}\n\nanother-token-here\n", encoding="utf8")
    assert TOKEN not in run("--token-file", str(file)).output
    monkeypatch.setenv("OPENMIE_TOKEN", TOKEN)
    assert TOKEN not in run().output
    tokens = [app.state.service.settings.tokens for app, *_ in models[1]]
    assert tokens == [(TOKEN, "another-token-here"), (TOKEN,)]


def test_check_loads_and_ends(models):
    done = run("--check")
    assert done.exit_code == 0 and "ready to serve base at http://127.0.0.1:" in done.output and not models[1]


def test_other_machines_are_warned_about(models):
    assert "without TLS" in run("--host", "0.0.0.0").output and "without TLS" not in run().output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--endpoint", "http://localhost:1/v1"), "without --vlm"),
        (("--tls-key", "key.pem"), "without --tls-certificate"),
        (("--tls-certificate", "nowhere.pem"), "no certificate"),
        (("--host", "192.0.2.1"), "cannot listen"),
        (("--model", "base", "--model", "base"), "two models"),
        (("--model", "a b=base"), "called 'a b'"),
        (("--token-file", "nowhere"), "No such file"),
    ],
)
def test_what_cannot_be_served_is_said_before_a_model_is_loaded(models, arguments, said):
    done = run(*arguments)
    assert done.exit_code != 0 and said in str(done.exception) and not models[0]


def test_a_taken_port_is_said(models):
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = run("--port", str(other.getsockname()[1]))
    assert "Address already in use" in str(done.exception) and not models[0]


def test_short_tokens_are_refused(models, tmp_path):
    (tmp_path / "tokens").write_text("short\n", encoding="utf8")
    assert "at least 16" in str(run("--token-file", str(tmp_path / "tokens")).exception)
