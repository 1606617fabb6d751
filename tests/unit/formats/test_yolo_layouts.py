"""YOLO folders as CVAT, Ultralytics and Roboflow lay them out: class names, label files, pictures."""

from pathlib import Path

import pytest
from PIL import Image as Picture

from openmie.errors import CorpusError
from openmie.formats import registry
from openmie.formats.yolo_layouts import yaml_names

ROW = "0 0.5 0.5 0.2 0.2\n"
LAYOUTS = {  # files of text, pictures, and the document's id
    "openmie": ({"classes.txt": "PER\n", "labels/a.txt": ROW}, ["images/a.png"], "a"),
    "LabelImg": ({"classes.txt": "PER\n", "a.txt": ROW}, ["a.png"], "a"),
    "LabelImg's labels": ({"labels/classes.txt": "PER\n", "labels/a.txt": ROW}, ["images/a.png"], "a"),
    "CVAT": (
        {
            "obj.data": "classes = 1\nnames = data/obj.names\n",
            "obj.names": "PER\n",
            "train.txt": "data/obj_train_data/a.png\n",
            "obj_train_data/a.txt": ROW,
        },
        ["obj_train_data/a.png"],
        "a",
    ),
    "Ultralytics": (
        {"data.yaml": "path: .\ntrain: images/train\nnames:\n  0: PER\n", "labels/train/a.txt": ROW},
        ["images/train/a.png"],
        "train/a",
    ),
    "Roboflow": (
        {"data.yaml": "train: ../train/images\nnc: 1\nnames: ['PER']\n", "train/labels/a.txt": ROW},
        ["train/images/a.png"],
        "a",
    ),
}


def lay_out(folder: Path, name: str) -> Path:
    files, pictures, _ = LAYOUTS[name]
    for file in (*files, *pictures):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        (folder / file).write_text(text)
    for file in pictures:
        Picture.new("RGB", (200, 100)).save(folder / file)
    return folder


@pytest.mark.parametrize("name", LAYOUTS)
def test_one_box_of_each_tool(tmp_path, name):
    _, (picture,), id = LAYOUTS[name]
    folder = lay_out(tmp_path, name)
    assert registry.guess(folder, reading=True) == "yolo"
    (found,) = registry.read(folder)
    assert (found.id, found.images[0].path, found.errors) == (id, str(folder / picture), ())
    assert [(r.label, r.box) for r in found.regions] == [("PER", pytest.approx((80, 40, 120, 60)))]


@pytest.mark.parametrize("name", ["CVAT", "Roboflow", "Ultralytics"])
def test_one_name_in_two_subsets_is_two_documents(tmp_path, name):
    folder = lay_out(tmp_path, name)
    for file in list(folder.rglob("a.*")):
        other = Path(str(file).replace("train", "valid"))
        other.parent.mkdir(parents=True, exist_ok=True)
        other.write_bytes(file.read_bytes())
    found = list(registry.read(folder))
    assert [(d.id, len(d.regions), bool(d.images[0].path)) for d in found] == [
        ("train/a", 1, True),
        ("valid/a", 1, True),
    ]


@pytest.mark.parametrize(
    "text, names",
    [
        ("names:\n  0: PER\n  1: 'New York'  # a city\nnc: 2\n", ["PER", "New York"]),
        ("nc: 2\nnames:\n- PER\n- LOC\n", ["PER", "LOC"]),
        ('names: [PER, "a, b"]  # two\n', ["PER", "a, b"]),
        ("names: [PER,\n  LOC]\ntrain: x\n", ["PER", "LOC"]),
        ("names: {0: PER, 1: LOC}\n", ["PER", "LOC"]),
        ("names:\n\n  # comment\n  1: LOC\n  0: PER\n", ["PER", "LOC"]),
        ("train: x\n", []),
        ("names: coco.names\n", []),
    ],
)
def test_names_of_a_data_file(text, names):
    assert yaml_names(text) == names


def test_names_that_do_not_count_from_0(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "data.yaml").write_text("names:\n  1: PER\n")
    with pytest.raises(CorpusError, match="count from 0"):
        list(registry.read(tmp_path, "yolo"))


def test_no_class_names_say_which_files_would_do(tmp_path):
    (tmp_path / "labels").mkdir()
    with pytest.raises(CorpusError, match=r"(?s)obj\.names.*classes\.txt, one a line"):
        list(registry.read(tmp_path, "yolo"))
