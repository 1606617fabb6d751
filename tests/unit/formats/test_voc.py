"""Pascal VOC as LabelImg and its like leave it: the picture beside the file, boxes over the border."""

from pathlib import Path

import pytest
from PIL import Image as Picture

from openmie.data.document import Document
from openmie.formats import registry


def page(folder: Path, *boxes: tuple[float, float, float, float], filename: str = "a.png", size=(640, 480)) -> Path:
    folder.mkdir(exist_ok=True)
    objects = "".join(
        f"<object><name>PER</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for a, b, c, d in boxes
    )
    (folder / "a.xml").write_text(
        f"<annotation><filename>{filename}</filename><size><width>{size[0]}</width><height>{size[1]}</height></size>"
        f"{objects}</annotation>"
    )
    return folder


def read(folder: Path, **options) -> Document:
    (document,) = registry.read(folder, "voc", **options)
    return document


@pytest.mark.parametrize(
    "filename", ["a.png", "a", "C:\\\\pictures\\\\a.png", "/home/x/a.png", "", "elsewhere.jpg", "a.jpg"]
)
def test_the_picture_lies_beside_its_file(tmp_path, filename):
    """By the name that the file says, with or without an ending and a folder; else by the name of the file itself."""
    folder = page(tmp_path / "voc", (10, 10, 40, 60), filename=filename, size=(200, 100))
    Picture.new("RGB", (200, 100)).save(folder / "a.png")
    assert Path(read(folder).images[0].path) == folder / "a.png"
    (tmp_path / "pictures").mkdir()
    Picture.new("RGB", (200, 100)).save(tmp_path / "pictures/a.png")
    assert Path(read(folder, images=tmp_path / "pictures").images[0].path) == tmp_path / "pictures/a.png"


def test_a_picture_is_not_taken_from_elsewhere(tmp_path):
    Picture.new("RGB", (200, 100)).save(tmp_path / "secret.png")
    folder = page(tmp_path / "voc", filename="../secret.png")
    assert read(folder).images[0].path == ""
    (folder / "a.png").symlink_to(tmp_path / "secret.png")
    assert read(folder).images[0].path == ""


@pytest.mark.parametrize(
    "given, cut",
    [
        ((618.69, 214.7, 640.0000001, 234.6), (618.69, 214.7, 640, 234.6)),
        ((10, 10, 641, 100), (10, 10, 640, 100)),
        ((-1, -0.5, 30, 40), (0, 0, 30, 40)),
        ((600, 400, 660, 490), (600, 400, 640, 480)),
    ],
)
def test_a_box_beyond_the_border_is_cut_with_a_note(tmp_path, given, cut):
    found = read(page(tmp_path / "voc", given))
    assert [r.box for r in found.regions] == [cut]
    (record,) = found.errors
    assert record.note and f"{given[2]:.12g}" in record.found and "cut at the border" in record.remedy


@pytest.mark.parametrize("given", [(700, 10, 720, 60), (600, 10, 700, 60), (30, 10, 30, 60), (40, 10, 30, 60)])
def test_a_box_without_area_or_mostly_outside_is_left_out_and_told(tmp_path, given):
    found = read(page(tmp_path / "voc", given, (1, 1, 5, 5)))
    assert len(found.regions) == 1 and len(found.errors) == 1 and not found.errors[0].note
