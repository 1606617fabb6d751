"""Made-up names. A name belongs to one split, by its checksum; nothing about it depends on what it names."""

from __future__ import annotations

from zlib import crc32

from openmie.corpora.diorama.draws import Draws

SPLITS = ("train", "dev", "test")
_OF_TEN = ("train",) * 6 + ("dev",) * 2 + ("test",) * 2
_STARTS = ("bel", "bro", "cal", "dor", "fen", "gal", "hu", "jo", "kel", "lor", "mir", "na", "pel", "qua", "ros", "sol",
           "tor", "ver", "xa", "zor")
_MIDDLES = ("", "da", "ka", "li", "mo", "ra", "va")
_ENDS = ("bek", "dan", "fin", "gor", "len", "mun", "nia", "quin", "ris", "tas", "vane", "zel")


def split_of(name: str) -> str:
    """The one split in which this word may be a name."""
    return _OF_TEN[crc32(name.encode()) % 10]


def word(draws: Draws, split: str) -> str:
    """A capitalised made-up word that no other split uses."""
    while True:
        made = (draws.pick(_STARTS) + draws.pick(_MIDDLES) + draws.pick(_ENDS)).capitalize()
        if split_of(made) == split:
            return made


def distinct(draws: Draws, split: str, n: int) -> list[str]:
    """n different words."""
    out: list[str] = []
    while len(out) < n:
        made = word(draws, split)
        if made not in out:
            out.append(made)
    return out
