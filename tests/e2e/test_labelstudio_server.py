"""A real Label Studio server takes our tasks, is annotated by its API, and gives back what was annotated."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
from typer.testing import CliRunner

from openmie.cli import application as cli
from openmie.data.document import Document
from openmie.formats import registry as files
from openmie.formats.labelstudio_paths import BLANK
from tests.fixtures.labelstudio_posts import posts
from tests.fixtures.labelstudio_server import Server, program, running

STUB = """#!{python} -IS
import http.server, json, os, sys
typed = dict(zip(sys.argv, sys.argv[1:]))
ROOT = os.environ["LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT"]
if ROOT.endswith("broken/root"):
    sys.exit("no database")
class Api(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        told = {{"token": self.headers["Authorization"], "start": sys.argv[1], "root": ROOT}}
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())
    def log_message(self, *words):
        pass
http.server.HTTPServer((typed["--internal-host"], int(typed["--port"])), Api).serve_forever()
"""


def test_a_server_is_started_waited_for_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fixture itself, with a program that answers as the real one does, and one that ends at once."""
    stub = tmp_path / "label-studio"
    stub.write_text(STUB.format(python=sys.executable), encoding="utf8")
    stub.chmod(0o755)
    monkeypatch.setenv("OPENMIE_LABEL_STUDIO", str(stub))
    monkeypatch.delenv("OPENMIE_LABEL_STUDIO_URL", raising=False)
    for name in ("fine", "broken"):
        (tmp_path / name).mkdir()
    with running(tmp_path / "fine") as found:
        told = found.call("GET", "/api/projects/")
        assert told == {"token": f"Token {found.token}", "start": "start", "root": str(found.root)}
        assert found.root == tmp_path / "fine" / "root" and found.root.is_dir()
    with pytest.raises(URLError):
        found.call("GET", "/api/projects/")
    with pytest.raises(RuntimeError, match="did not answer: no database"), running(tmp_path / "broken"):
        pass


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server; the tests are skipped, with the reason, where Label Studio is not installed."""
    if not program() and not os.environ.get("OPENMIE_LABEL_STUDIO_URL"):
        pytest.skip(
            "no Label Studio (OPENMIE_LABEL_STUDIO, or label-studio on the PATH): 812 MB, no dependency of tests"
        )
    with running(tmp_path_factory.mktemp("labelstudio")) as found:
        yield found


@pytest.fixture
def folder(server: Server) -> Iterator[Path]:
    """A folder below the root that the server serves."""
    found = server.root / "posts of a test"
    shutil.rmtree(found, ignore_errors=True)
    found.mkdir()
    yield found
    shutil.rmtree(found)


def layers(document: Document) -> dict[str, Any]:
    """What an annotation says, whatever its ids are called."""
    ends = {m.id: (m.start, m.end) for m in document.mentions}
    return {
        "text": (document.id, document.text),
        "mentions": sorted((m.start, m.end, m.label) for m in document.mentions),
        "relations": sorted((ends[r.head], ends[r.tail], r.label) for r in document.relations),
        "regions": sorted(
            (r.image, tuple(round(x, 6) for x in r.box), r.label, ends.get(r.of)) for r in document.regions
        ),
        "images": [(i.id, i.path, i.width, i.height) for i in document.images],
    }


def written(folder: Path, *, guessed: bool) -> tuple[list[Document], list[dict[str, Any]], str]:
    """Documents whose boxes lie within their pictures, their tasks, and the configuration."""
    files.write(posts(folder), folder / "first.json", "labelstudio", config=folder / "x.xml")  # cuts boxes at borders
    made = list(files.read(folder / "first.json"))
    paths = folder / "tasks.json", folder / "tasks.xml"
    report = files.write(made, paths[0], "labelstudio", served=True, config=paths[1], predictions=guessed)
    assert not report.dropped
    return made, json.loads(paths[0].read_text(encoding="utf-8")), paths[1].read_text(encoding="utf-8")


@pytest.mark.parametrize("guessed", [False, True], ids=["annotated", "to be annotated"])
def test_import_annotate_export_and_read_back(server: Server, folder: Path, guessed: bool) -> None:
    made, tasks, config = written(folder, guessed=guessed)
    project = server.project(config, folder)
    assert server.call("POST", f"/api/projects/{project}/import", tasks)["task_count"] == len(made)
    stored = server.tasks(project)
    if guessed:  # a person takes over what the model predicted, by the API
        for task in stored:
            (guess,) = task["predictions"]
            server.call("POST", f"/api/tasks/{task['id']}/annotations/", {"result": guess["result"]})
    server.export(project, folder / "export.json")
    done = CliRunner().invoke(cli.app, ["convert", str(folder / "export.json"), str(folder / "back.jsonl")])
    assert done.exit_code == 0, done.output
    back = list(files.read(folder / "back.jsonl"))
    assert [layers(d) for d in back] == [layers(d) for d in made]
    assert not any(d.errors for d in back)
    for task in stored:
        for key in ("image", "image2"):
            if task["data"][key] != BLANK:  # the server shows the picture that the task names
                shown = server.call("GET", task["data"][key])
                assert shown in [(folder / name).read_bytes() for name in ("a 1.png", "b.png")]


def test_a_task_that_nobody_annotated_is_told(server: Server, folder: Path) -> None:
    _, tasks, config = written(folder, guessed=True)
    project = server.project(config, folder)
    server.call("POST", f"/api/projects/{project}/import", tasks)
    first = server.tasks(project)[0]
    server.call("POST", f"/api/tasks/{first['id']}/annotations/", {"result": [], "was_cancelled": True})
    server.export(project, folder / "export.json")
    done = CliRunner().invoke(cli.app, ["convert", str(folder / "export.json"), str(folder / "back.jsonl")])
    assert done.exit_code == 3 and "skipped" in done.output and "nobody annotated" in done.output
