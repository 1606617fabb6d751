"""Images that cannot be read: told with the real reason, and judged by their share, before the first step."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image as Picture

from openmie import corpora
from openmie.data.document import Document, Image
from openmie.datasets.audit.doctor import examine
from openmie.errors import TrainError
from openmie.recipe import Recipe, set_field
from openmie.train.unreadable_images import check_images
from tests.fixtures import small

RECIPE = small.recipe("ner")


def linked(folder: Path, posts: int) -> Path:
    """A corpus whose image folder is a symbolic link to another place."""
    (folder / "elsewhere").mkdir()
    (folder / "mine").mkdir()
    os.symlink(folder / "elsewhere", folder / "mine" / "images")
    rows = []
    for number, document in enumerate(small.documents(posts)):
        Picture.new("RGB", (8, 8)).save(folder / "elsewhere" / f"{number}.png")
        rows.append(document.replace(images=(Image(path=f"images/{number}.png", id="main"),)).to_json() + "\n")
    (folder / "mine" / "train.jsonl").write_text("".join(rows))
    return folder / "mine"


def test_a_linked_image_folder_is_told_before_the_first_step(tmp_path: Path) -> None:
    mine = linked(tmp_path, 3)
    report = examine(f"jsonl:{mine}")
    assert len(report.lost) == 3 and "symbolic link" in report.lost[0].found and "elsewhere" in report.lost[0].remedy
    train = corpora.load(f"jsonl:{mine}").train
    with pytest.raises(TrainError, match=r"3 of 3 images .* symbolic link .*--image-dir"):
        check_images(RECIPE, train)
    check_images(limited(0), corpora.load(f"jsonl:{mine}", images=str(tmp_path / "elsewhere" / "..")).train)


def limited(most: float) -> Recipe:
    return set_field(RECIPE, "training.max_unreadable_images", str(most))


def test_the_share_can_be_set(tmp_path: Path) -> None:
    broken = Document(id="b", text="Ada", images=(Image(path=str(tmp_path / "none.png")),))
    documents = [*small.documents(3), broken]
    check_images(RECIPE, documents)  # a quarter
    with pytest.raises(TrainError, match="1 of 4 images"):
        check_images(limited(0.2), documents)
    check_images(limited(1), [broken])
    text = set_field(small.recipe("ner", "text"), "training.max_unreadable_images", "0")
    check_images(text, [broken])  # a recipe that reads none
    check_images(limited(0), [Document(id="t", text="Ada")])  # a post without an image lacks nothing
