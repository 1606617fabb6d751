"""Splits of one's own posts: the same for the same ids, whatever their order, and no image in two."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

from openmie import corpora
from openmie.cli import application as cli
from openmie.data.document import Document, Image
from openmie.data.image_likeness import difference_hash, near_pairs
from openmie.datasets.own_splits import split_posts
from openmie.errors import CorpusError

POSTS = [Document(id=f"p{n}", text=f"post {n}", source={"author": n % 7}) for n in range(100)]


def ids(found: dict[str, list[Document]]) -> dict[str, set[str]]:
    return {name: {d.id for d in documents} for name, documents in found.items()}


def test_shares_seed_and_order() -> None:
    found = split_posts(POSTS, 1)
    assert {name: len(posts) for name, posts in found.items()} == {"train": 80, "dev": 10, "test": 10}
    shuffled = random.Random(0).sample(POSTS, len(POSTS))
    assert ids(split_posts(shuffled, 1)) == ids(found) != ids(split_posts(POSTS, 2))
    assert {n: len(d) for n, d in split_posts(POSTS, 0, {"train": 1, "dev": 1, "test": 0}).items()} == {
        "train": 50, "dev": 50, "test": 0,
    }  # fmt: skip
    for few in (POSTS[:2], [POSTS[0]] * 5):
        with pytest.raises(CorpusError, match="fewer splits"):
            split_posts(few)


def where(found: dict[str, list[Document]]) -> dict[str, str]:
    return {d.id: name for name, documents in found.items() for d in documents}


def test_what_is_equal_stays_together(tmp_path: Path) -> None:
    """Texts but for addresses, files of equal bytes, scaled and compressed copies, and a column's values."""
    rng = np.random.default_rng(0)
    pictures = []
    for n in range(8):
        picture = Picture.fromarray(rng.integers(0, 255, (6, 9, 3), dtype=np.uint8)).resize((240, 160), 3)
        for name, copy in {
            "a.png": picture,
            "b.png": picture,
            "c.jpg": picture,
            "d.png": picture.resize((120, 80)),
        }.items():
            copy.save(tmp_path / f"{n}{name}", quality=60)
            pictures.append(Document(id=f"{n}{name}", images=(Image(path=str(tmp_path / f"{n}{name}"), id="i"),)))
    chosen = where(split_posts(pictures, 3))
    assert all(len({split for id, split in chosen.items() if id[0] == str(n)}) == 1 for n in range(8))
    assert len({*chosen.values()}) == 3  # and different pictures do not
    texts = [Document(id=f"t{n}{m}", text=f"Same {n} https://t.co/{m}") for n in range(9) for m in range(3)]
    chosen = where(split_posts(texts))
    assert all(len({chosen[f"t{n}{m}"] for m in range(3)}) == 1 for n in range(9))
    chosen = where(split_posts(POSTS, columns=["author"]))
    assert all(len({chosen[d.id] for d in POSTS if d.source["author"] == a}) == 1 for a in range(7))


def test_near_hashes_are_those_of_a_double_loop() -> None:
    rng = random.Random(0)
    hashes: list[int | None] = [rng.getrandbits(256) for _ in range(20)]
    for n in range(40):
        value = hashes[n % 20]
        assert value is not None
        for _ in range(rng.randrange(16)):
            value ^= 1 << rng.randrange(256)
        hashes.append(value)
    hashes.append(None)
    slow = {
        (a, b)
        for b, y in enumerate(hashes)
        for a, x in enumerate(hashes[:b])
        if x is not None and y is not None and (x ^ y).bit_count() <= 8
    }
    assert {*near_pairs(hashes)} == slow and 20 < len(slow) < 200


def test_blank_pictures_say_nothing(tmp_path: Path) -> None:
    Picture.new("RGB", (30, 30), (9, 9, 9)).save(tmp_path / "a.png")
    assert difference_hash(Image(path=str(tmp_path / "a.png"))) is None
    assert difference_hash(Image(path=str(tmp_path / "none.png"))) is None


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "p.csv").write_text("id,text,image\n" + "".join(f"{n},post {n},{n}.png\n" for n in range(20)))
    for n in range(20):
        Picture.new("RGB", (4, 4), (n, 0, 0)).save(tmp_path / "in" / f"{n}.png")
    arguments = ["split", str(tmp_path / "in" / "p.csv"), "--out", str(tmp_path / "mine"), "--shares", "0.5,0.25,0.25"]
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    corpus = corpora.load(f"jsonl:{tmp_path / 'mine'}")
    splits = {name: list(corpus.split(name)) for name in ("train", "dev", "test")}
    assert {name: len(found) for name, found in splits.items()} == {"train": 10, "dev": 5, "test": 5}
    assert not corpus.skipped and all(Path(d.images[0].path).is_file() for found in splits.values() for d in found)
    assert CliRunner().invoke(cli.app, [*arguments[:-1], "1,2"]).exit_code != 0
