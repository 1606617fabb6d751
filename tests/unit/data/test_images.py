"""Images: upright, RGB, refused before decoding where they are too large, and an ImageError for all that is broken."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from PIL import ImageOps

from openmie.data import image_pixels, images
from openmie.data.document import Image
from openmie.errors import ImageError
from openmie.formats import yolo

ORIENTATION = 0x0112


def corners(width: int = 48, height: int = 32) -> PIL.Image.Image:
    """A picture that no turn or flip leaves as it is: a quarter of another colour in three of its corners."""
    picture = PIL.Image.new("RGB", (width, height), (255, 255, 255))
    for colour, x, y in (((200, 0, 0), 0, 0), ((0, 200, 0), width // 2, 0), ((0, 0, 200), 0, height // 2)):
        picture.paste(colour, (x, y, x + width // 2, y + height // 2))
    return picture


def saved(picture: PIL.Image.Image, path: Path, orientation: int = 1, **options: Any) -> Path:
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    picture.save(path, exif=exif, **options)
    return path


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright(tmp_path: Path, ending: str, orientation: int) -> None:
    path = saved(corners(), tmp_path / f"a.{ending}", orientation)
    upright = images.load_image(path)
    with PIL.Image.open(path) as raw:
        expected = ImageOps.exif_transpose(raw).convert("RGB")
    assert upright.size == images.image_size(path) == images.image_size(Image(path=str(path)))
    assert upright.size == ((48, 32) if orientation < 5 else (32, 48))
    assert np.array_equal(np.asarray(upright), np.asarray(expected))
    red = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}[orientation]
    x, y = (side * edge * 3 // 4 + edge // 8 for side, edge in zip(red, upright.size))
    assert np.abs(np.asarray(upright)[y, x].astype(int) - (200, 0, 0)).max() < 40  # by the EXIF standard, not by Pillow


def test_exif_behind_the_pixels_of_a_png(tmp_path: Path) -> None:
    plain, exif = tmp_path / "plain.png", PIL.Image.Exif()
    corners().save(plain)
    exif[ORIENTATION] = 6
    late = chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    raw = plain.read_bytes()
    (tmp_path / "late.png").write_bytes(raw[:-12] + late + raw[-12:])
    assert images.image_size(tmp_path / "late.png") == images.load_image(tmp_path / "late.png").size == (32, 48)


def test_modes(tmp_path: Path) -> None:
    grey = np.full((4, 6), 0x8040, dtype=np.uint16)
    PIL.Image.fromarray(grey).save(tmp_path / "sixteen.png")
    assert np.asarray(images.load_image(tmp_path / "sixteen.png")).tolist() == [[[0x80] * 3] * 6] * 4
    PIL.Image.fromarray(grey).save(tmp_path / "sixteen.tiff")
    assert np.asarray(images.load_image(tmp_path / "sixteen.tiff"))[0, 0, 0] == 0x80
    corners().convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    assert np.abs(np.asarray(images.load_image(tmp_path / "cmyk.jpg"))[4, 4].astype(int) - (200, 0, 0)).max() < 12
    corners().quantize(8).save(tmp_path / "palette.png")
    assert np.array_equal(np.asarray(images.load_image(tmp_path / "palette.png")), np.asarray(corners()))
    half = PIL.Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    half.putpixel((1, 0), (0, 0, 0, 0))
    half.save(tmp_path / "alpha.png")
    half.save(tmp_path / "alpha.webp", lossless=True)
    for name in ("alpha.png", "alpha.webp"):
        assert np.asarray(images.load_image(tmp_path / name)).tolist() == [[[255, 0, 0], [255, 255, 255]]]
    see_through = PIL.Image.new("P", (2, 1), 0)
    see_through.putpalette([0, 0, 0, 0, 0, 255])
    see_through.putpixel((1, 0), 1)
    see_through.save(tmp_path / "palette.gif", transparency=0)
    assert np.asarray(images.load_image(tmp_path / "palette.gif")).tolist() == [[[255, 255, 255], [0, 0, 255]]]
    for mode in ("1", "L", "LA"):
        PIL.Image.new(mode, (3, 2)).save(tmp_path / f"{mode}.png")
        assert images.load_image(tmp_path / f"{mode}.png").mode == "RGB"
    PIL.Image.fromarray(np.ones((2, 2), np.float32)).save(tmp_path / "float.tiff")
    with pytest.raises(ImageError, match="floating-point"):
        images.load_image(tmp_path / "float.tiff")


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_goes_onto_white_in_strips_as_in_one_piece(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (37, 11, 4), dtype=np.uint8)
    picture = PIL.Image.fromarray(pixels, "RGBA")
    picture = picture.convert("RGB").quantize(9) if mode == "P" else picture.convert(mode)
    if mode == "P":
        picture.info["transparency"] = 3
    white = PIL.Image.new("RGBA", picture.size, "white")
    whole = PIL.Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
    monkeypatch.setattr(image_pixels, "_STRIP", 50)  # four rows of eleven
    assert np.array_equal(np.asarray(image_pixels.to_rgb(picture, Path("x"))), np.asarray(whole))


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "tiff"])
def test_first_frame_only(tmp_path: Path, ending: str) -> None:
    frames = [PIL.Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")]
    options: dict[str, Any] = {"lossless": True} if ending == "webp" else {}
    frames[0].save(tmp_path / f"a.{ending}", save_all=True, append_images=frames[1:], **options)
    assert np.asarray(images.load_image(tmp_path / f"a.{ending}")).tolist() == [[[255, 0, 0]] * 8] * 8


def test_pixels_in_memory() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    image = Image(id="x", pixels=pixels)
    assert np.array_equal(np.asarray(images.load_image(image)), pixels) and images.image_size(image) == (4, 2)
    for wrong in (pixels.astype(float), pixels[..., :2], pixels[0], pixels[:0], "pixels"):
        with pytest.raises(ImageError, match="uint8"):
            images.load_image(Image(id="x", pixels=wrong))
    with pytest.raises(ImageError, match="at most 7 pixels"):
        images.load_image(image, max_pixels=7)
    with pytest.raises(ImageError, match="neither a file nor pixels"):
        images.load_image(Image(id="x"))
    assert images.image_size(Image(path="not there.png", width=3, height=5)) == (3, 5)


def broken(folder: Path) -> dict[str, str]:
    """File name -> what its error says."""
    corners(200, 200).save(folder / "whole.png")
    corners(200, 200).save(folder / "whole.jpg")
    png, jpg = (folder / "whole.png").read_bytes(), (folder / "whole.jpg").read_bytes()
    contents = {
        "cut.png": png[:-60],
        "cut.jpg": jpg[:400],
        "head.png": png[:20],
        "empty.jpg": b"",
        "text.jpg": b"no image",
        "page.png": b"<html></html>",
        "script.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9",
        "noise.jpg": b"\xff\xd8\xff" + bytes(range(256)),
        "flipped.png": png[:60] + b"\0\0\0\0" + png[64:],
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    return {
        "cut.png": "broken",
        "cut.jpg": "broken",
        "head.png": "",
        "empty.jpg": "an empty file",
        "text.jpg": "no image",
        "page.png": "no image",
        "script.eps": "no image",
        "noise.jpg": "",
        "flipped.png": "broken",
        "folder.png": "a folder",
        "pipe.png": "no plain file",
        "missing.png": "no such file",
    }


def test_broken_files(tmp_path: Path) -> None:
    for name, said in broken(tmp_path).items():
        with pytest.raises(ImageError) as error:
            images.load_image(tmp_path / name)
        record = error.value.record
        assert name in record.where and said in record.found and record.expected and record.remedy, name


def test_wrong_ending_is_read_by_content(tmp_path: Path) -> None:
    corners().save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert np.array_equal(np.asarray(images.load_image(tmp_path / "a.jpg")), np.asarray(corners()))


@pytest.mark.parametrize(
    "path",
    [
        "http://a.b/c.png",
        "HTTPS://a.b/c.png",
        "ftp://a/b",
        "file:///etc/hosts",
        "//a.b/c.png",
        "data:image/png;base64,AA",
        "s3://bucket/key",
        "file:/etc/hosts",
    ],
)
def test_no_url_is_opened(path: str, tmp_path: Path) -> None:
    for call in (images.load_image, images.image_size):
        with pytest.raises(ImageError, match="a URL"):
            call(path)
        with pytest.raises(ImageError, match="a URL"):
            call(Image(path=path), base=tmp_path)


def test_paths_stay_in_their_base(tmp_path: Path) -> None:
    base, evil = tmp_path / "data", tmp_path / "data_evil"
    base.mkdir()
    evil.mkdir()
    for folder in (base, evil):
        corners().save(folder / "a.png")
    (base / "out").symlink_to(evil)
    (base / "link.png").symlink_to(evil / "a.png")
    (base / "here.png").symlink_to(base / "a.png")
    for fine in ("a.png", "here.png", "./a.png", str(base / "a.png")):
        assert images.load_image(fine, base=base).size == (48, 32)
    for path in (
        "../data_evil/a.png",
        str(evil / "a.png"),
        "link.png",
        "out/a.png",
        "../../etc/hosts",
        "/etc/hosts",
        "a\0.png",
        "",
        "x/../../data_evil/a.png",
    ):
        with pytest.raises(ImageError):
            images.load_image(path, base=base)
    with pytest.raises(ImageError):
        images.load_image("a\0.png")


def bombs(folder: Path) -> None:
    """A PNG of 30,000 x 30,000 that really holds its pixels, and a JPEG that says it has 200 megapixels."""
    packer, rows = zlib.compressobj(9), []
    for _ in range(30_000):
        rows.append(packer.compress(bytes(3751)))
    data = b"".join(rows) + packer.flush()
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 1, 0, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", data), chunk(b"IEND", b"")]
    (folder / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    corners().save(folder / "bomb.jpg")
    raw = bytearray((folder / "bomb.jpg").read_bytes())
    at = raw.index(b"\xff\xc0")
    raw[at + 5 : at + 9] = struct.pack(">HH", 10_000, 20_000)
    (folder / "bomb.jpg").write_bytes(raw)


def test_bombs_are_refused_before_decoding(tmp_path: Path) -> None:
    bombs(tmp_path)
    corners().save(tmp_path / "small.png")
    code = """
import resource, sys
from openmie.data import image_pixels, images
from openmie.errors import ImageError
images.load_image(sys.argv[1] + "/small.png")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for name in ("bomb.png", "bomb.jpg"):
    try:
        images.load_image(sys.argv[1] + "/" + name)
    except ImageError as error:
        assert "pixels" in str(error), error
    else:
        raise SystemExit(name + " was decoded")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 50 * 1024  # KiB
    with pytest.raises(ImageError, match=r"48 x 32 pixels.*at most 1,000"):
        images.load_image(tmp_path / "small.png", max_pixels=1000)
    assert images.load_image(tmp_path / "small.png", max_pixels=48 * 32).size == (48, 32)


def test_importing_is_light() -> None:
    code = (
        "import sys, openmie.data.images, openmie.formats.registry; "
        "print({'PIL', 'numpy', 'pyarrow', 'torch'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_box_shares_on_turned_images(tmp_path: Path) -> None:
    """R9: shares are of the upright image; encoding and decoding is off by less than a pixel, EXIF or not."""
    draw, worst = random.Random(0), 0.0
    for number in range(1000):
        width, height = draw.randint(1, 9000), draw.randint(1, 9000)
        if number % 50 == 0:
            width, height = draw.randint(2, 60), draw.randint(2, 60)
            path = saved(PIL.Image.new("L", (width, height)), tmp_path / "a.jpg", number // 50 % 8 + 1)
            width, height = images.image_size(path)
            assert (width, height) == images.load_image(path).size
        x, y = sorted(draw.uniform(0, width) for _ in "ab"), sorted(draw.uniform(0, height) for _ in "ab")
        box = (x[0], y[0], x[1], y[1])
        shares = [float(f"{s:.9f}") for s in yolo.encode_box(box, width, height)]
        worst = max(worst, *(abs(a - b) for a, b in zip(box, yolo.decode_box(shares, width, height))))
    assert worst < 1e-3
