"""What goes out of a picture: the file's own bytes where they do, else little; boxes come back in the original."""

import base64
import io

import numpy as np
import pytest
from PIL import Image as Picture

from openmie.data.document import Document, Image
from openmie.errors import ImageError
from openmie.vlm import sent_picture as sent
from openmie.vlm.backends.openai_protocol import data_url
from openmie.vlm.boxes.families import ADAPTERS
from openmie.vlm.generate import Answer
from openmie.vlm.prompting.options import PromptOptions
from openmie.vlm.prompting.predict import predict
from tests.fixtures.prompting_stub import Stub

PLACE = Picture.Exif()
PLACE[0x0110] = "a camera of mine"
TURNED = Picture.Exif()
TURNED[0x0112] = 6


def photograph(width=64, height=48):
    across = np.linspace(0, 255, width, dtype=np.uint8)
    return Picture.fromarray(np.stack([np.tile(across, (height, 1))] * 3, axis=-1))


def load(path, max_side=2048):
    image = Image(id="i", path=str(path))
    return sent.picture_to_send(Document(id="d", images=(image,)), image, {}, max_side)


@pytest.mark.parametrize(("name", "kind"), [("a.jpg", "jpeg"), ("a.png", "png"), ("a.webp", "webp")])
def test_an_upright_file_goes_out_as_it_is(tmp_path, name, kind):
    photograph().save(tmp_path / name)
    found = load(tmp_path / name)
    assert sent.encoded(found, "auto") == ((tmp_path / name).read_bytes(), kind)
    assert found.size == found.original == (64, 48)
    assert data_url(found, "auto") == f"data:image/{kind};base64,{base64.b64encode(found.data).decode()}"
    assert sent.encoded(found, "png")[1] == "png" and found.decoded().size == (64, 48)


def test_what_a_server_would_read_otherwise_is_made_anew(tmp_path, monkeypatch):
    photograph().save(tmp_path / "turned.jpg", exif=TURNED)
    photograph().convert("RGBA").save(tmp_path / "alpha.png")
    photograph().save(tmp_path / "two.webp", save_all=True, append_images=[photograph().rotate(9)])
    photograph().save(tmp_path / "grey.bmp")
    photograph().convert("CMYK").save(tmp_path / "ink.jpg")
    photograph().save(tmp_path / "told.webp", exif=PLACE)
    for path in tmp_path.iterdir():
        found = load(path)
        data, kind = sent.encoded(found, "auto")
        assert not found.data and kind == "jpeg", path.name
        assert found.size == found.original == Picture.open(io.BytesIO(data)).size
        assert found.size == ((48, 64) if "turned" in path.name else (64, 48)), path.name
    photograph().save(tmp_path / "large.jpg")
    monkeypatch.setattr(sent, "MAX_OWN_BYTES", 10)
    assert sent.encoded(load(tmp_path / "large.jpg"), "auto")[1] == "jpeg" and not load(tmp_path / "large.jpg").data


def test_place_and_camera_stay_here(tmp_path):
    photograph().save(tmp_path / "a.jpg", exif=PLACE, comment=b"my own words")
    data = load(tmp_path / "a.jpg").data
    assert data and b"a camera of mine" not in data and b"my own words" not in data
    with Picture.open(tmp_path / "a.jpg") as before:
        assert np.array_equal(np.asarray(Picture.open(io.BytesIO(data))), np.asarray(before))


def test_a_large_picture_is_made_smaller(tmp_path):
    photograph(1300, 1000).save(tmp_path / "a.png")
    found = load(tmp_path / "a.png", 650)
    assert (found.size, found.original) == ((650, 500), (1300, 1000))
    assert len(sent.encoded(found, "auto")[0]) < 20_000
    assert load(tmp_path / "a.png", 0).size == (1300, 1000)
    assert max(load(tmp_path / "a.png", 649).size) == 649


def test_a_broken_file_is_not_sent(tmp_path):
    photograph(600, 400).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:2000])
    assert isinstance(load(tmp_path / "a.jpg"), ImageError) and isinstance(load(tmp_path / "none.jpg"), ImageError)


@pytest.mark.parametrize("family", ["pixels", "qwen2.5-vl", "gemini", "llava"])
@pytest.mark.parametrize("turned", [False, True])
def test_boxes_are_in_pixels_of_the_original(tmp_path, family, turned):
    photograph(1600, 900).save(tmp_path / "a.jpg", **({"exif": TURNED} if turned else {}))
    whole = (900, 1600) if turned else (1600, 900)
    box = (90.0, 160.0, 720.0, 810.0)

    def says(request):
        (picture,) = request.images
        shown = tuple(x * part / side for x, part, side in zip(box, picture.size * 2, whole * 2))
        assert max(picture.size) == 400
        values = list(ADAPTERS[family].encode(shown, picture.size))
        return Answer(text=f'{{"boxes": [{{"image": 1, "box": {values}, "label": "PER"}}]}}')

    document = Document(id="d", text="Ada", images=(Image(id="i", path=str(tmp_path / "a.jpg")),))
    options = PromptOptions(max_side=400, family=family)
    (found,) = predict(Stub(says), [document], "schema", {"regions": ["PER"]}, "boxes", options)
    assert not found.errors and found.regions[0].box == pytest.approx(box, abs=1600 / 400 + 1)
