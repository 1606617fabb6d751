"""Converting into another folder: images are copied, linked or found where they are, in every format that has them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

from openmie.cli import application as cli
from openmie.data.document import Document, Image, Region
from openmie.errors import CorpusError, OpenMIEError
from openmie.formats import registry as files
from openmie.formats.image_placement import ImagePlacement

TARGETS = {"jsonl": "a.jsonl", "json": "a.json", "parquet": "a.parquet", "coco": "coco.json", "labelstudio": "ls.json"}
FOLDERS = ("yolo", "voc")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two posts whose images have one name in two folders."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    rows = []
    for number, name in enumerate("ab"):
        (tmp_path / "in" / name).mkdir(parents=True)
        Picture.new("RGB", (20 + number, 10)).save(tmp_path / "in" / name / "x.png")
        image = Image(path=f"{name}/x.png", id="x")
        rows.append(
            Document(id=name, text="Ada", images=(image,), regions=(Region(image="x", box=(1, 1, 5, 5), label="P"),))
        )
    (tmp_path / "in" / "p.jsonl").write_text("".join(row.to_json() + "\n" for row in rows))
    return tmp_path


def convert(*arguments: str) -> str:
    result = CliRunner().invoke(cli.app, ["convert", *arguments])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


@pytest.mark.parametrize("how", ["copy", "link"])
@pytest.mark.parametrize("format", [*TARGETS, *FOLDERS])
def test_every_format(format: str, how: str, here: Path) -> None:
    target = str(Path("out") / TARGETS.get(format, format))
    assert "outside" not in convert("in/p.jsonl", target, "--to", format, "--images", how)
    found = [d for d in files.read(target, format) if isinstance(d, Document)]
    widths = sorted(Picture.open(i.path).width for d in found for i in d.images)
    assert widths == [20, 21] and not any(d.errors for d in found)
    placed = [Path(i.path) for d in found for i in d.images]
    assert all(os.path.samefile(p, f"in/{'ab'[Picture.open(p).width - 20]}/x.png") == (how == "link") for p in placed)


def test_images_that_are_kept_are_found_by_their_folder(here: Path) -> None:
    said = convert("in/p.jsonl", "out/a.jsonl")
    assert said.count("outside the folder") == 2 and "--images copy" in said
    assert json.loads(Path("out/a.jsonl").read_text().splitlines()[0])["images"][0]["path"] == "../in/a/x.png"
    assert all(os.path.isfile(d.images[0].path) and not d.errors for d in files.read("out/a.jsonl", images="in"))


def test_again_and_beside_others(here: Path) -> None:
    (here / "out" / "images").mkdir()
    (here / "out" / "images" / "x.png").write_bytes(b"another")
    for _ in range(2):
        convert("in/p.jsonl", "out/a.jsonl", "--images", "copy")
    assert sorted(p.name for p in (here / "out" / "images").iterdir()) == ["x-2.png", "x-3.png", "x.png"]
    convert("out/a.jsonl", "out/b.jsonl", "--images", "copy")  # they lie there already
    assert len(list((here / "out" / "images").iterdir())) == 3


def test_what_cannot_be_placed_is_told(here: Path) -> None:
    (here / "in" / "a" / "x.png").unlink()
    result = CliRunner().invoke(cli.app, ["convert", "in/p.jsonl", "out/a.jsonl", "--images", "copy"])
    assert result.exit_code == cli.PARTIAL and "no such file" in result.output
    for wrong in (["-", "--images", "copy"], ["out/b.jsonl", "--images", "move"]):
        assert isinstance(CliRunner().invoke(cli.app, ["convert", "in/p.jsonl", *wrong]).exception, OpenMIEError)
    with pytest.raises(CorpusError):
        ImagePlacement("out", "move")


def test_coco_entries_without_a_file(here: Path) -> None:
    data = {
        "images": [{"id": 5, "width": 9, "height": 7}],
        "annotations": [{"id": 1, "image_id": 5, "bbox": [1, 1, 2, 2], "category_id": 1}],
        "categories": [{"id": 1, "name": "P"}],
    }
    Path("c.json").write_text(json.dumps(data))
    (found,) = files.read_items("c.json", "coco")
    assert isinstance(found, Document) and len(found.regions) == 1 and "file_name" in found.errors[0].expected
    unknown = Document(id="d", images=(Image(id="i"),), regions=(Region(image="i", box=(0, 0, 1, 1), label="P"),))
    written = files.write([unknown], "d.json", "coco")
    assert written.dropped == {"images": 1, "regions": 1} and not json.loads(Path("d.json").read_text())["images"]
