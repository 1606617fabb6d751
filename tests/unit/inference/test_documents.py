"""`openmie extract` with a model for documents: every kind of row comes out, offsets exact, in any format."""

import csv
import io
import json

import pytest
import torch
from PIL import Image as Pictures
from typer.testing import CliRunner

from openmie import diorama
from openmie.cli.application import app
from openmie.data.document import Document, Image
from openmie.model.pretrained import Model
from openmie.papers import m3d
from openmie.recipe import set_field
from tests.fixtures import small

TEXTS = {
    "words": "Ada met Bo in Rome in 1976 .",
    "one": "Ada",
    "long": " ".join(f"w{i % 89}" for i in range(4000)),
    "zh": "他👨‍👩‍👧住在北京👍🏽é，1976年生于上海。",
    "blank": "",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, bert):
    """A random model, and a file of rows with frames beside it, one of which is broken."""
    place = tmp_path_factory.mktemp("extract")
    recipe = m3d.recipe(diorama.corpus(diorama.Config(documents=True), train=1), text=bert)
    for path, value in {"complete.prompt_length": "2", "heads.3.width": "32", "fuse.0.latent": "16"}.items():
        recipe = set_field(recipe, path, value)
    torch.manual_seed(0)
    model = Model.new(recipe)
    model.extractor.heads[3].label.bias.data[-1] = -9.0
    model.save_pretrained(place / "model")
    for i in range(2):
        Pictures.fromarray(small.picture(i)).save(place / f"frame{i}.png")
    (place / "frame2.png").write_bytes(b"no picture")
    rows = []
    for name, text in TEXTS.items():
        for frames in ((), (0, 1), (0, 2)):
            images = [Image(id=f"f{i}", kind="frame", path=f"frame{i}.png", time=float(i)) for i in frames]
            rows.append(Document(id=f"{name}-{len(frames)}-{2 in frames}", text=text, images=images).to_json())
    posts = ['{"text": 3}', '{"text": "just a post"}']
    (place / "rows.jsonl").write_text("\n".join([*rows, *posts]), encoding="utf8")
    (place / "few.jsonl").write_text("\n".join([*rows[:3], *posts]), encoding="utf8")
    return place


def run(folder, name, *more):
    return CliRunner().invoke(app, ["extract", str(folder / name), "--model", str(folder / "model"), *more])


@pytest.mark.slow
def test_all_rows_come_out_with_exact_offsets(folder):
    done = run(folder, "rows.jsonl", "--out", str(folder / "out.jsonl"))
    assert done.exit_code == 3, done.output  # broken frames, and a row that is none
    lines = (folder / "out.jsonl").read_text(encoding="utf8").splitlines()
    found = {d.id: d for d in map(Document.from_json, lines)}
    assert len(lines) == 3 * len(TEXTS) + 2
    for name, text in TEXTS.items():
        for kind in ("0-False", "2-False", "2-True"):
            d = found[f"{name}-{kind}"]
            assert d.text == text and all(d.text[m.start : m.end] == m.text for m in d.mentions)
            assert sorted(m for c in d.chains for m in c.mentions) == sorted(m.id for m in d.mentions)
            assert not d.dangling() and bool(d.regions) == (kind != "0-False")
            assert {r.image for r in d.regions} <= {"f0", "f1"}
            for r in d.regions:
                assert 0 <= r.box[0] < r.box[2] <= 50 and 0 <= r.box[1] < r.box[3] <= 40
            assert ("frame2.png" in str(d.errors)) == (kind == "2-True")
        assert bool(text) == bool(found[f"{name}-0-False"].mentions)
    covered = max(m.end for m in found["long-0-False"].mentions)
    assert covered > 0.9 * len(TEXTS["long"])
    assert found["blank-0-False"].source["masked"] == ["vision", "text"]


@pytest.mark.parametrize("format", ["csv", "table"])
def test_tables_hold_chains_relations_and_regions(folder, format):
    done = run(folder, "few.jsonl", "--format", format, "--out", str(folder / f"out.{format}"))
    text = (folder / f"out.{format}").read_text(encoding="utf8")
    assert done.exit_code == 3 and "chain" in text and ("region" if format == "csv" else "link") in text
    if format == "csv":
        kinds = {row["kind"] for row in csv.DictReader(io.StringIO(text))}
        assert {"mention", "chain", "region", "error"} <= kinds


def test_a_recipe_of_documents_is_shown_and_read_back(folder):
    data = json.loads((folder / "model" / "recipe.json").read_text(encoding="utf8"))
    assert data["encode"]["kind"] == "Hierarchical"
    asked = ["--corpus", "diorama:documents=true,train=1", "--ablate", "w/o MMCM"]
    done = CliRunner().invoke(app, ["show", "m3d", *asked])
    assert done.exit_code == 0 and "Blank" in done.output
