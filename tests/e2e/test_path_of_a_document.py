"""The page that shows the way of a document names real stations, in the order in which they are entered."""

import re
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
import torch

import openmie
from openmie.model.pretrained import Model
from tests.fixtures import small

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "concepts" / "path-of-a-document.md"
STATIONS = re.findall(r"^\| \d+ \| `([\w/]+)\.py` \| `(\w+)` \|", PAGE.read_text(encoding="utf8"), re.M)


def floors():
    """Package -> height, from the layers contract."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c["type"] == "layers")
    return {name: -i for i, layer in enumerate(layers) for name in re.findall(r"\w+", layer)}


def test_at_most_fourteen_stations_and_five_climbs():
    height = floors()
    way = [height[module.split("/")[1]] for module, _ in STATIONS]
    assert 10 <= len(STATIONS) <= 14
    climbs = sum(b > a for a, b in pairwise(way))
    assert climbs == 2 <= 5


@pytest.fixture
def trace():
    """Module and function of all calls inside the package, in order."""
    calls = []

    def note(frame, event, _):
        if event == "call" and (name := frame.f_globals.get("__name__", "")).startswith("openmie."):
            calls.append((name.replace(".", "/"), frame.f_code.co_name))

    yield lambda: sys.setprofile(note), calls
    sys.setprofile(None)


def test_stations_are_entered_in_this_order(tmp_path, trace):
    torch.manual_seed(0)
    model = Model.new(small.recipe("ner"))
    openmie.write([small.document(0, image=False)], tmp_path / "post.jsonl")
    start, calls = trace
    start()
    documents = [d for d in openmie.read(tmp_path / "post.jsonl")]  # noqa: C416 - one at a time, as it is read
    model.predict(documents)
    sys.setprofile(None)
    rest = iter(calls)
    for station in STATIONS:
        assert any(call == station for call in rest), f"{station} is not entered, or earlier than the page says"
