"""Large pictures made small while they are read: the same picture, upright, within a tolerance."""

from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageFile
import pytest

from openmie.data import images, small_pictures
from openmie.data.document import Document, Image
from openmie.data.images import crop, image_or_crop, load_image, load_small
from openmie.data.small_pictures import FULL, MinSize, sizes_of_crops
from openmie.errors import ImageError

PHOTOGRAPH = Path(__file__).parents[3] / "docs" / "collins.jpg"


@pytest.fixture(scope="module")
def photograph():
    """A photograph of 1,600 pixels and more a side."""
    with PIL.Image.open(PHOTOGRAPH) as picture:
        return picture.convert("RGB").resize((1600, 2000))


def saved(picture, path, **options):
    picture.save(path, **options)
    return str(path)


def difference(a, b):
    gap = np.abs(np.asarray(a, dtype=float) - np.asarray(b, dtype=float))
    return gap.mean(), gap.max()


@pytest.mark.parametrize("format", ["jpg", "png"])
@pytest.mark.parametrize("side", [64, 224])
def test_what_a_model_reads_differs_little_from_the_full_size(photograph, tmp_path, format, side):
    path = saved(photograph, tmp_path / f"a.{format}")
    small, size = load_small(path, MinSize(shorter=3 * side))
    assert size == (1600, 2000) and 3 * side <= min(small.size) < 1600
    both = [picture.resize((side, side), 2) for picture in (small, load_image(path))]
    mean, most = difference(*both)
    assert mean < 0.5 and most <= 8  # of 255: docs/guides/limits.md


def test_a_jpeg_is_decoded_small(photograph, tmp_path, monkeypatch):
    decoded, load = [], PIL.ImageFile.ImageFile.load

    def watched(picture):
        decoded.append(picture.size)
        return load(picture)

    monkeypatch.setattr(PIL.ImageFile.ImageFile, "load", watched)
    load_small(saved(photograph, tmp_path / "a.jpg"), MinSize(shorter=192))
    assert set(decoded) == {(200, 250)}


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA", "I;16", "CMYK", "1"])
def test_other_modes_and_formats_are_the_mean_of_squares(photograph, tmp_path, monkeypatch, mode):
    monkeypatch.setattr(small_pictures, "WHOLE", 100)
    monkeypatch.setattr(small_pictures, "STRIP", 1000)  # several strips
    small = photograph.resize((96, 120))
    if mode == "I;16":
        made = PIL.Image.fromarray((np.asarray(small.convert("L")).astype(np.uint16) << 8) + 77)
    elif mode in ("RGBA", "LA"):
        made = small.convert(mode)
        made.putalpha(small.convert("L").point(lambda x: x // 2))
    else:
        made = small.convert(mode)
    path = saved(made, tmp_path / ("a.tiff" if mode == "CMYK" else "a.png"))
    found, size = load_small(path, MinSize(longer=30))
    assert found.mode == "RGB" and found.size == (24, 30) and size == (96, 120)
    assert difference(found, load_image(path).reduce(4))[1] <= 1


@pytest.mark.parametrize("turn", range(1, 9))
def test_small_pictures_are_upright(photograph, tmp_path, monkeypatch, turn):
    monkeypatch.setattr(small_pictures, "WHOLE", 100)
    exif = PIL.Image.Exif()
    exif[0x0112] = turn
    path = saved(photograph.resize((96, 120)), tmp_path / "a.png", exif=exif)
    found, size = load_small(path, MinSize(shorter=24))
    whole = load_image(path)
    assert size == whole.size == images.image_size(path) and difference(found, whole.reduce(4))[1] <= 1
    jpeg = saved(photograph, tmp_path / "a.jpg", exif=exif)
    found, size = load_small(jpeg, MinSize(shorter=400))
    whole = load_image(jpeg)
    assert size == whole.size and difference(found, whole.reduce(4))[0] < 1


def test_a_small_picture_and_one_that_is_needed_whole_are_not_changed(photograph, tmp_path):
    path = saved(photograph.resize((900, 1100)), tmp_path / "a.jpg")
    assert load_small(path, MinSize(shorter=64)).picture == load_image(path)
    large = saved(photograph, tmp_path / "b.jpg")
    assert load_small(large, FULL).picture == load_image(large)
    assert load_small(large, MinSize(shorter=900)).picture == load_image(large)


def test_pixels_in_memory_are_made_small_too(photograph):
    found = load_small(Image(pixels=np.asarray(photograph), id="x"), MinSize(shorter=400))
    assert found.size == (1600, 2000) and difference(found.picture, photograph.reduce(4)) == (0, 0)


def test_refused_pictures_are_refused_before_they_are_decoded(photograph, tmp_path):
    path = saved(photograph, tmp_path / "a.jpg")
    with pytest.raises(ImageError, match="1600 x 2000"):
        load_small(path, MinSize(shorter=64), max_pixels=1000)
    (tmp_path / "b.jpg").write_bytes(Path(path).read_bytes()[:4000])
    with pytest.raises(ImageError, match="end before the picture of 1600 x 2000"):
        load_small(str(tmp_path / "b.jpg"), MinSize(shorter=64))


def post(path, *boxes):
    parts = [Image(kind="object", id=f"o{i}", parent="main", box=box) for i, box in enumerate(boxes)]
    return Document(id="d", images=(Image(path=path, id="main"), *parts))


def test_a_crop_is_cut_at_its_box_of_the_original(photograph, tmp_path):
    path = saved(photograph, tmp_path / "a.png")
    document = post(path, (200.0, 400.0, 1000.0, 1600.0))
    min_size, known = MinSize(shorter=200), {}
    found = image_or_crop(document, document.images[1], known, min_size)
    whole = image_or_crop(document, document.images[1], {})
    assert found.size == (200, 300) and whole.size == (800, 1200)
    assert difference(found, whole.reduce(4))[1] <= 1
    assert image_or_crop(document, document.images[0], known, min_size).size == (400, 500)


def test_a_small_crop_keeps_its_pixels(photograph, tmp_path):
    path = saved(photograph, tmp_path / "a.png")
    document = post(path, (200.0, 400.0, 1000.0, 1600.0), (10.0, 10.0, 250.0, 250.0))
    known = {}
    assert [image_or_crop(document, x, known, MinSize(shorter=200)).size for x in document.images] == [
        (1600, 2000), (800, 1200), (240, 240),
    ]  # fmt: skip
    nested = document.replace(images=(*document.images, Image(kind="object", id="n", parent="o0", box=(0, 0, 60, 50))))
    assert sizes_of_crops(nested, nested.images[0]) == [(800, 1200), (240, 240), (60, 50)]


def test_a_box_outside_is_told_in_pixels_of_the_original(photograph):
    small = photograph.reduce(4)
    with pytest.raises(ImageError, match="1600 x 2000"):
        crop(small, Image(kind="object", id="o", box=(1700, 0, 1800, 10)), (1600, 2000))
