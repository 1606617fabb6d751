"""Noun phrases of a text, from its words and their parts of speech: what a picture of it may show.

    phrases(Document(id="a", text="Two red kites above Zorvane Tower"))   -> "Two red kites", "Zorvane Tower"

A phrase is a longest run of words tagged ADJ, NOUN, PROPN or NUM, less what stands behind its last NOUN or PROPN.
Determiners, possessives and what hangs on a preposition are no part of it ("the tower of London": tower, London).
A run ends where anything but white space lies between two words, and before an @name, which names an account and
nothing to be seen. Of phrases that differ in case and blanks only the first is kept. Annotation is never read.

Tags are those of `openmie.text.pos`: a text in a language without a tagger has no phrases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from openmie.data.document import Document, Word
from openmie.text import pos
from openmie.text.words import split_words

HEADS = frozenset(("NOUN", "PROPN"))
TAGS = HEADS | {"ADJ", "NUM"}


class NounPhrase(NamedTuple):
    """Half-open code points of the document's text, and what stands there."""

    start: int
    end: int
    text: str

    @property
    def plain(self) -> str:
        """Lower case, single blanks: how it is compared, and asked for."""
        return " ".join(self.text.split()).lower()


def noun_phrases(document: Document, tagger: str = "") -> list[NounPhrase]:
    """The noun phrases of a document, each once, in text order.

    `tagger` is a name of `openmie.text.pos`, "" for the default of the document's language. A document without
    words is split into words. CorpusError: a tagger that is needed and is not installed.
    """
    text, words = document.text, document.words or split_words(document.text)
    words = tuple(w for w in words if text[w.start : w.end].strip())
    tags = pos.tag([[text[w.start : w.end] for w in words]], document.lang, tagger)[0]
    found: dict[str, NounPhrase] = {}
    for first, last in _runs(text, words, tags):
        start, end = words[first].start, words[last].end
        phrase = NounPhrase(start, end, text[start:end])
        found.setdefault(phrase.plain, phrase)
    return list(found.values())


def _runs(text: str, words: Sequence[Word], tags: Sequence[str]) -> Iterator[tuple[int, int]]:
    """First and last word of each phrase."""
    start, head = -1, -1  # the run's first word, and its last noun so far
    for i, (word, name) in enumerate(zip(words, tags)):
        inside = name in TAGS and text[word.start] not in "@＠"
        joined = start >= 0 and word.start >= words[i - 1].end and not text[words[i - 1].end : word.start].strip()
        if start >= 0 and not (inside and joined):
            if head >= 0:
                yield start, head
            start = head = -1
        if inside:
            start = i if start < 0 else start
            head = i if name in HEADS else head
    if head >= 0:
        yield start, head
