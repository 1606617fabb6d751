"""Fixtures that several test files share."""

from __future__ import annotations

import gc
import os
import socket
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.fixtures.forked_python import ForkedPython

# CI runs the same examples each time; `make test-long` draws new ones under many seeds
settings.register_profile("ci", derandomize=True, deadline=None, database=None)
settings.register_profile("long", max_examples=500, deadline=None, print_blob=True)
os.environ["OPENMIE_ANSWERS"] = "none"  # no test reads or writes the answers of who runs it
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_collection_finish() -> None:
    """Collect garbage seldom, and never among modules and tests: a sixth of the time of tests that read corpora."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)


_opened: list[str] | None = None


def _audit(event: str, args: tuple[object, ...]) -> None:
    if event == "open" and _opened is not None:
        _opened.append(str(args[0]))


sys.addaudithook(_audit)  # a hook cannot be taken away again, so one serves all tests


@pytest.fixture
def corpora(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the real corpora; the test is skipped, with the reason, where it is absent."""
    from tests.fixtures.real_corpora import parse_once

    named = os.environ.get("OPENMIE_CORPORA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "corpora"
    if not folder.is_dir():
        pytest.skip(f"no real corpora at {folder}: name their folder with OPENMIE_CORPORA")
    parse_once(monkeypatch, folder)
    return folder


@pytest.fixture(scope="session")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a very small BERT, loaded as any hub model is."""
    from tests.fixtures import small

    return small.save_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a very small LLaVA that names the colours of its pictures (`tests/fixtures/vlm_small.py`).

    It is taught once: the workers of one run share the folder above their own.
    """
    from filelock import FileLock

    from tests.fixtures import vlm_small as lvlm_small

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "colours"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            made = folder.with_name("colours being taught")
            made.mkdir(exist_ok=True)
            lvlm_small.taught(made)
            made.rename(folder)
    return str(folder)


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkedPython]:
    """Processes that have imported what trains and loads models, for all tests that start one."""
    from tests.fixtures.forked_python import ForkedPython

    env = {"HF_MODULES_CACHE": str(tmp_path_factory.mktemp("modules")), "HF_HUB_OFFLINE": "1"}
    openmie = ("cli", "train", "model.backbones", "inference.detector", "video.transcribe", "vlm.sft.finetune")
    trainer = ("openmie.vlm.sft.trainer",) if find_spec("trl") else ()
    with ForkedPython(*(f"openmie.{m}" for m in openmie), *trainer, "tests.fixtures.small", env=env) as processes:
        yield processes


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """The names of all files that are opened while the test runs."""
    global _opened
    _opened = []
    yield _opened
    _opened = None


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any connection is an error, and any look-up of a host."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)  # or a machine without a name server hides the connection
