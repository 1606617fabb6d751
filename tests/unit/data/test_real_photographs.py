"""The real photographs that MNRE's and GMNER's folders hold: each is read, and each truncated copy is refused."""

import pytest

from openmie.data.images import load_image
from openmie.errors import ImageError

NUM_PHOTOGRAPHS = {"mnre": 39, "gmner": 6}


@pytest.mark.real
def test_each_is_read_and_its_truncated_copy_refused(corpora, tmp_path):
    found = {name: sorted((corpora / name / "images").rglob("*.jpg")) for name in NUM_PHOTOGRAPHS}
    assert {name: len(files) for name, files in found.items()} == NUM_PHOTOGRAPHS
    half = tmp_path / "half.jpg"
    for path in (path for files in found.values() for path in files):
        picture, data = load_image(path), path.read_bytes()
        assert picture.mode == "RGB" and min(picture.size) > 50
        half.write_bytes(data[: len(data) // 2])
        with pytest.raises(ImageError, match="a broken file") as refused:
            load_image(half)
        assert "half.jpg" in refused.value.record.where
