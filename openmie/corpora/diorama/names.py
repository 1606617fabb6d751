"""Made-up names. A name belongs to one split, by its checksum; nothing about it depends on what it names."""

from __future__ import annotations

from zlib import crc32

from openmie.corpora.diorama.draws import Draws

SPLITS = ("train", "dev", "test")
_OF_TEN = ("train",) * 6 + ("dev",) * 2 + ("test",) * 2
_STARTS = ("ba", "bel", "bro", "cal", "cor", "da", "dor", "el", "fa", "fen", "gal", "gri", "hal", "hu", "il", "jo",
           "ka", "kel", "la", "lor", "ma", "mir", "na", "nor", "or", "pa", "pel", "qua", "ra", "ros", "sa", "sol",
           "ta", "tor", "ul", "va", "ver", "wen", "xa", "yor", "za", "zor")
_MIDDLES = ("", "da", "fe", "gu", "ka", "li", "mo", "ne", "pi", "ra", "se", "tu", "va", "wi", "zo")
_ENDS = ("bek", "dan", "dra", "fin", "gor", "kin", "las", "len", "mar", "mun", "nia", "nok", "quin", "rel", "ris",
         "sha", "sten", "tas", "tel", "vane", "vik", "wen", "xan", "zel")


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
