"""The end of the demo: posts with photographs of an installed package, and what is said where they are missing."""

import importlib

import numpy as np
import pytest
from PIL import Image as Picture

from openmie.base import loading
from openmie.cli import demo, demo_posts
from openmie.data.images import load_image
from openmie.errors import ModelError
from tests.fixtures.base_stub import KNOWN, stub_base


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package as scikit-image is: its data beside its code, which breaks when it is imported."""
    folder = tmp_path / "photographs_of_a_package"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    for name in demo_posts.POSTS:
        Picture.fromarray(np.full((6, 9, 3), 90, np.uint8)).save(folder / "data" / name)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(demo_posts, "PACKAGE", folder.name)
    importlib.invalidate_caches()
    return folder


@pytest.fixture
def base(monkeypatch):
    made = stub_base()
    monkeypatch.setattr(loading, "shipped", lambda: made)
    return made


def test_photographs_come_from_the_package_which_is_not_imported(package):
    posts, missing = demo_posts.demo_posts()
    assert missing == "" and [len(p.images) for p in posts] == [1, 1, 1] and len({p.text for p in posts}) == 3
    assert all(load_image(p.images[0]).size == (9, 6) for p in posts)


def test_a_package_that_carries_them_no_longer(package):
    (package / "data" / "coffee.png").unlink()
    posts, missing = demo_posts.demo_posts()
    assert [len(p.images) for p in posts] == [1, 1, 0]
    assert "coffee.png" in missing and "astronaut" not in missing and "openmie[demo]" in missing


def test_without_the_package_texts_are_read_alone(monkeypatch, capsys, base):
    monkeypatch.setattr(demo_posts, "PACKAGE", "no_package_of_this_name")
    monkeypatch.setitem(KNOWN, "NASA", {"ORG": 0.9})
    demo._extract_from_posts()
    said = capsys.readouterr().out
    assert "pip install 'openmie[demo]'" in said and all(text in said for text in demo_posts.POSTS.values())
    assert "entity" in said and "NASA" in said


def test_a_model_that_is_not_there_ends_no_demo(monkeypatch, capsys, package):
    def broken():
        raise ModelError("no weights", expected="some", remedy="install openmie again")

    monkeypatch.setattr(loading, "shipped", broken)
    demo._extract_from_posts()
    assert "No weights. Expected some. Install openmie again." in capsys.readouterr().out


def test_scikit_image_carries_them():
    pytest.importorskip("skimage", reason="the extra `demo` is not installed")
    assert demo_posts.demo_posts()[1] == ""
