"""Boxes without area and over the border, in each reader of boxes: left out and told, or cut with a note."""

import json
from pathlib import Path

import pytest

from openmie.formats import registry

WIDTH, HEIGHT = 640, 480
CUT = [
    ((10, 10, 660, 100), (10, 10, 640, 100)),
    ((-20, -0.5, 60, 40), (0, 0, 60, 40)),
    ((600, 400, 660, 490), (600, 400, 640, 480)),
]
NONE = [(700, 10, 720, 60), (600, 10, 700, 60), (30, 10, 30, 60), (40, 10, 30, 60), (30, 10, 60, 10)]


def coco(folder: Path, *boxes):
    rows = [
        {"id": n, "image_id": 1, "category_id": 1, "bbox": [x, y, right - x, bottom - y]}
        for n, (x, y, right, bottom) in enumerate(boxes)
    ]
    image = {"id": 1, "file_name": "a.png", "width": WIDTH, "height": HEIGHT}
    data = {"images": [image], "annotations": rows, "categories": [{"id": 1, "name": "PER"}]}
    (folder / "a.json").write_text(json.dumps(data), encoding="utf8")
    return folder / "a.json"


def yolo(folder: Path, *boxes):
    (folder / "labels").mkdir()
    (folder / "classes.txt").write_text("PER\n", encoding="utf8")
    entry = {"labels": "a", "document": "a", "image": "a", "path": "a.png", "width": WIDTH, "height": HEIGHT}
    (folder / "index.jsonl").write_text(json.dumps(entry) + "\n", encoding="utf8")
    rows = [
        f"0 {(x + r) / 2 / WIDTH:.12f} {(y + b) / 2 / HEIGHT:.12f} {(r - x) / WIDTH:.12f} {(b - y) / HEIGHT:.12f}\n"
        for x, y, r, b in boxes
    ]
    (folder / "labels" / "a.txt").write_text("".join(rows), encoding="utf8")
    return folder


def labelstudio(folder: Path, *boxes):
    result = [
        {
            "id": f"r{n}",
            "from_name": "box",
            "to_name": "image",
            "type": "rectanglelabels",
            "original_width": WIDTH,
            "original_height": HEIGHT,
            "value": {
                "x": 100 * x / WIDTH,
                "y": 100 * y / HEIGHT,
                "width": 100 * (r - x) / WIDTH,
                "height": 100 * (b - y) / HEIGHT,
                "rotation": 0,
                "rectanglelabels": ["PER"],
            },
        }
        for n, (x, y, r, b) in enumerate(boxes)
    ]
    task = {"id": 1, "data": {"text": "Ada", "image": "a.png"}, "annotations": [{"result": result}]}
    (folder / "a.json").write_text(json.dumps([task]), encoding="utf8")
    return folder / "a.json"


WRITERS = {"coco": coco, "yolo": yolo, "labelstudio": labelstudio}


@pytest.mark.parametrize("format", WRITERS)
@pytest.mark.parametrize("given, cut", CUT)
def test_a_box_over_the_border_is_cut_with_a_note(tmp_path, format, given, cut):
    (found,) = registry.read(WRITERS[format](tmp_path, given), format)
    assert [r.box for r in found.regions] == [pytest.approx(cut, abs=1e-6)]
    (record,) = found.errors
    assert record.note and "cut at the border" in record.remedy


@pytest.mark.parametrize("format", WRITERS)
@pytest.mark.parametrize("given", NONE)
def test_a_box_without_area_or_mostly_outside_is_left_out_and_told(tmp_path, format, given):
    (found,) = registry.read(WRITERS[format](tmp_path, given, (1, 1, 5, 5)), format)
    assert [r.box for r in found.regions] == [pytest.approx((1, 1, 5, 5), abs=1e-6)]
    (record,) = found.errors
    assert not record.note and str(record.where)


@pytest.mark.parametrize("format", WRITERS)
def test_a_box_that_rounding_put_on_the_border_is_no_news(tmp_path, format):
    (found,) = registry.read(WRITERS[format](tmp_path, (0, 0, WIDTH, HEIGHT)), format)
    assert [r.box for r in found.regions] == [pytest.approx((0, 0, WIDTH, HEIGHT), abs=1e-6)] and not found.errors
