"""Coreference of names: which entity mentions of a text name the same thing, by their words.

Two mentions of one label are of a chain if their names are equal but for case, accents, possessives, legal forms and
titles; if one is a person's name and the other begins or ends it ("Ada Lovelace", "Lovelace"); or if one is the
initials of the other ("World Health Organization", "WHO"). A part of several persons' names belongs to the one that was
named last before it. Pronouns and nouns are not resolved.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

PERSONS = frozenset({"per", "person", "people", "人物", "人名", "人", "peop"})
TITLES = frozenset(
    (
        "mr", "mrs", "ms", "miss", "dr", "prof", "professor", "sir", "lord", "lady", "dame", "king", "queen",
        "prince", "princess", "president", "senator", "sen", "rep", "gov", "governor", "captain", "capt", "general",
        "gen", "colonel", "col", "lieutenant", "lt", "sgt", "sergeant", "pope", "saint", "st", "mayor", "judge",
    )
)  # fmt: skip
FORMS = frozenset(
    (
        "inc", "corp", "co", "ltd", "llc", "plc", "gmbh", "ag", "sa", "nv", "bv", "kg", "limited", "incorporated",
        "corporation", "company", "the",
    )
)  # fmt: skip
_WORD = re.compile(r"[^\W_]+(?:['’.&-][^\W_]+)*")


class Named(Protocol):
    """A mention: half-open code points, and a label."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def label(self) -> str: ...


def chains_of(text: str, mentions: Sequence[Named]) -> list[list[int]]:
    """Numbers of the mentions of each chain of two or more, ascending, in the order of their first mentions.

    Args:
        text: that the mentions are of.
        mentions: in any order.
    """
    order = sorted(range(len(mentions)), key=lambda i: (mentions[i].start, mentions[i].end))
    chains: list[list[int]] = []
    known: dict[tuple[str, tuple[str, ...]], int] = {}  # (label, form of a name) -> the chain that used it last
    for i in order:
        label = mentions[i].label
        words = name_words(text[mentions[i].start : mentions[i].end], label)
        keys = [(label, form) for form in _forms(words, label)]
        asked = keys[:1] if label.casefold() in PERSONS else keys
        at = next((known[key] for key in asked if key in known), None)
        if at is None:
            at = len(chains)
            chains.append([])
        chains[at].append(i)
        known.update(dict.fromkeys(keys, at))
    return [sorted(chain) for chain in chains if len(chain) > 1]


@lru_cache(maxsize=1 << 14)
def name_words(name: str, label: str = "") -> tuple[str, ...]:
    """The words of a name that tell it from others: folded, without possessives, titles and legal forms."""
    plain = unicodedata.normalize("NFKD", re.sub(r"['’]s$", "", name)).casefold()
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    words = tuple(_WORD.findall(plain)) or (plain,)
    left_out = TITLES if label.casefold() in PERSONS else FORMS
    return tuple(w for w in words if w.strip(".") not in left_out) or words


def _forms(words: tuple[str, ...], label: str) -> list[tuple[str, ...]]:
    """What a later mention may call it, its whole name first."""
    forms = [words]
    if label.casefold() in PERSONS:
        forms += [words[-1:], words[:1]] if len(words) > 1 else []
    elif len(words) > 2:
        forms.append(("".join(w[0] for w in words),))
        small = [w for w in words if w not in ("of", "the", "and", "for", "de", "in")]
        forms.append(("".join(w[0] for w in small),))
    return forms
