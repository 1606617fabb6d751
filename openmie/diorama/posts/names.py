"""Made-up names. A name belongs to one split, by its checksum, and is independent of the entity that it names."""

from __future__ import annotations

from zlib import crc32

from openmie.diorama.rng import RandomStream

SPLITS = ("train", "dev", "test")
_OF_TEN = ("train",) * 6 + ("dev",) * 2 + ("test",) * 2
_STARTS = (
    "bel",
    "bro",
    "cal",
    "dor",
    "fen",
    "gal",
    "hu",
    "jo",
    "kel",
    "lor",
    "mir",
    "na",
    "pel",
    "qua",
    "ros",
    "sol",
    "tor",
    "ver",
    "xa",
    "zor",
)
_MIDDLES = ("", "da", "ka", "li", "mo", "ra", "va")
_ENDS = ("bek", "dan", "fin", "gor", "len", "mun", "nia", "quin", "ris", "tas", "vane", "zel")
# no character stands in two of the three, so that no name is a part of another
_PARTS = {
    "en": (_STARTS, _MIDDLES, _ENDS),
    "zh": (tuple("贝布卡多芬加胡乔凯洛米娜佩奎罗索托维夏佐"), ("", *"达里莫拉瓦蒂"), tuple("克丹戈伦蒙尼斯塔温泽琳恩")),
}


def split_of(name: str) -> str:
    """The only split in which this word can be a name."""
    return _OF_TEN[crc32(name.encode()) % 10]


def word(rng: RandomStream, split: str, language: str = "en") -> str:
    """A made-up word that no other split uses: capitalised, or of two or three Chinese characters."""
    starts, middles, ends = _PARTS[language]
    while True:
        name = (rng.choice(starts) + rng.choice(middles) + rng.choice(ends)).capitalize()
        if split_of(name) == split:
            return name


def distinct(rng: RandomStream, split: str, n: int, language: str = "en") -> list[str]:
    """n different words."""
    out: list[str] = []
    while len(out) < n:
        name = word(rng, split, language)
        if name not in out:
            out.append(name)
    return out
