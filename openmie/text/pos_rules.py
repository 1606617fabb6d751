"""The tag set, and parts of speech that follow from the characters of a word, in any language."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from unicodedata import category, normalize

from openmie.text.character_references import unescape

Words = tuple[str, ...]
Tagger = Callable[[Words], Sequence[str]]  # a tag of TAGS for each word

TAGS: tuple[str, ...] = (
    "ADJ",
    "ADP",
    "ADV",
    "AUX",
    "CCONJ",
    "DET",
    "INTJ",
    "NOUN",
    "NUM",
    "PART",
    "PRON",
    "PROPN",
    "PUNCT",
    "SCONJ",
    "SYM",
    "VERB",
    "X",
)

_ADDRESS = re.compile(
    r"(?:https?|ftp)(?::.*|…|\.{3})?|www\..+|[\w.%+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|(?:[a-z0-9-]+\.)+(?:com|net|org|gov|edu|info|io|ly|tv|co|gl|be|me|uk|de|cn)(?:/.*)?",
    re.I,
)
_EMOTICON = re.compile(
    r"[<>]?[:;=][-'^o]?[)(\]\[DPpOo/\\|3*@$]+|[(\[][-^]?[:;=]|[xX]D+|</?3+"
    r"|[\^\-oOTuU>.;]_+[\^\-oOTuU<.;]"
)
_NUMBER = re.compile(r"[-+±~]?[$€£¥₹#]?\d+(?:[.,:/⁄x×–-]\d+)*[.]?[%‰]?[+]?")
_ORDINAL = re.compile(r"\d*(?:1st|2nd|3rd|\dth)", re.I)
_ONE_SYMBOL = {"&": "CCONJ", "#": "SYM", "@": "SYM", "%": "SYM", "§": "SYM", "`": "PUNCT", "´": "PUNCT", "|": "PUNCT"}


@lru_cache(maxsize=1 << 16)
def rule_based_tag(word: str) -> str:
    """The tag of a word that no statistics are needed for, "" for all others.

    As UD's treebanks of tweets have it: X for addresses, #tags, RT and what shows nothing; PROPN for @names; SYM for
    emoji, emoticons and signs; NUM for digits, with a currency or per cent too; ADJ for 1st; PUNCT; CCONJ for &.
    """
    text = unescape(word)
    plain = normalize("NFKC", text).strip()
    if plain in _ONE_SYMBOL:
        return _ONE_SYMBOL[plain]
    kinds = {_kind(character) for character in text}
    if not plain or kinds <= {"C", "Z", "M"}:  # controls, blanks, lone marks
        return "X"
    if kinds <= {"S", "C", "M", "Z"} or "\u20e3" in text or _EMOTICON.fullmatch(plain):
        return "SYM"
    if kinds <= {"P", "S", "C", "M", "Z"}:
        return "PUNCT"
    if plain in ("RT", "rt") or (re.match(r"#\w", plain) and not plain[1:].isdigit()) or _ADDRESS.fullmatch(plain):
        return "X"
    if re.fullmatch(r"@\w+:?", plain):
        return "PROPN"
    return "NUM" if _NUMBER.fullmatch(plain) else "ADJ" if _ORDINAL.fullmatch(plain) else ""


def _kind(character: str) -> str:
    """The first letter of the Unicode category; emoji newer than this Python's tables are symbols too."""
    return "S" if "\U0001f000" <= character <= "\U0001faff" else category(character)[0]


def starts_nominal(tags: Sequence[str]) -> bool:
    """Whether the first tag can begin or continue a noun phrase."""
    return bool(tags) and tags[0] in ("ADJ", "NOUN", "PROPN", "NUM")
