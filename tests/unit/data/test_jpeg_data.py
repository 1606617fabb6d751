"""JPEG files whose data end early, and HEIC photographs: told, whatever a decoder makes of them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from openmie.data import heic
from openmie.data.images import image_size, load_image
from openmie.errors import ImageError

NOISE = Picture.fromarray(np.random.default_rng(0).integers(0, 255, (12, 18, 3), dtype=np.uint8)).resize((180, 120))
GREY = (128, 128, 128)


def jpeg(picture: Picture.Image, **how: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", **how)
    return file.getvalue()


def cut(data: bytes, share: float) -> bytes:
    """A part of a file, closed by an end marker, so that nothing seems to be missing."""
    return data[: int(len(data) * share)] + b"\xff\xd9"


def declared(data: bytes, side: int) -> bytes:
    """The file with another size in its header."""
    at = next(i for i in range(len(data)) if data[i : i + 2] in (b"\xff\xc0", b"\xff\xc2"))
    return data[: at + 5] + side.to_bytes(2) * 2 + data[at + 9 :]


RESTARTS = jpeg(NOISE, restart_marker_rows=1)
HALF = NOISE.copy()
HALF.paste(GREY, (0, 60, 180, 120))
DAMAGED = {
    "2 kB that declare 9,400 x 9,400": declared(jpeg(NOISE.resize((16, 16))), 9400),
    "progressive": declared(jpeg(NOISE.resize((16, 16)), progressive=True), 9400),
    "larger by a third": declared(jpeg(NOISE), 240),
    "one half": cut(jpeg(NOISE), 0.5),
    "nine tenths": cut(jpeg(NOISE), 0.9),
    "the beginning of a progressive one": cut(jpeg(NOISE, progressive=True), 0.13),
    "grey": cut(jpeg(NOISE.convert("L")), 0.5),
    "four colours": cut(jpeg(NOISE.convert("CMYK")), 0.5),
    "restart intervals": cut(RESTARTS, 0.5),
    "at a restart marker": RESTARTS[: RESTARTS.find(b"\xff\xd3")] + b"\xff\xd9",
}
WHOLE = {
    "noise": jpeg(NOISE),
    "progressive": jpeg(NOISE, progressive=True),
    "restart intervals": RESTARTS,
    "all of the fill's grey": jpeg(Picture.new("RGB", (400, 300), GREY), optimize=True),
    "grey at the end": jpeg(HALF),
    "grey at the end, progressive": jpeg(HALF, progressive=True),
    "grey at the end, restart intervals": jpeg(HALF, restart_marker_rows=1),
    "bytes behind the end": jpeg(HALF) + b"\xff\xd9 trailer",
    "a pixel": jpeg(Picture.new("L", (1, 1), 128)),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_data_that_end_early_are_an_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(DAMAGED[name])
    with pytest.raises(ImageError, match="end before the picture"):
        load_image(tmp_path / "a.jpg")


@pytest.mark.parametrize("name", WHOLE)
def test_whole_pictures_are_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(WHOLE[name])
    assert load_image(tmp_path / "a.jpg").size == image_size(tmp_path / "a.jpg")


def test_heic(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    heic.register_heic()
    NOISE.save(tmp_path / "a.heic", quality=90)
    found = load_image(tmp_path / "a.heic")
    assert found.size == NOISE.size == image_size(tmp_path / "a.heic") and found.mode == "RGB"
    assert np.abs(np.asarray(found, float) - np.asarray(NOISE, float)).mean() < 12


def test_heic_without_its_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"x" * 50)
    monkeypatch.setattr("openmie.data.images.register_heic", lambda: False)
    monkeypatch.setattr(heic, "register_heic", lambda: False)
    monkeypatch.setattr("openmie.data.images._formats", lambda: ["JPEG", "PNG"])
    with pytest.raises(ImageError, match=r"openmie\[heic\]"):
        load_image(tmp_path / "a.heic")
