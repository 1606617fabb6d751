"""Entity types that a sentence says of a name: "the Liberal Party", "Ada, a mathematician", "Turin is a city".

A name's own last word and a noun behind it are looked up in WordNet, and the name has that noun's type and all types
above it. Hearst: Automatic acquisition of hyponyms from large text corpora, COLING 1992, has the idea of such patterns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from functools import cache

from openmie.base.examples import Example, Span
from openmie.base.lexicon import KINDS, Lexicon, Synset, singular

OPENINGS = frozenset(("is a", "is an", "was a", "was an", "is the", "was the", ", a", ", an", ", the"))
ENDS = frozenset(
    (
        "of", "in", "who", "that", "which", "from", "for", "at", "by", "on", "with", "and", "or", "to",
        "where", "when", "near", "located", "based", "born", "'s", "is", "was", "are",
        "were", ",", ".", ";", ":", "(", ")",
    )
)  # fmt: skip
SENSES = 2  # of a noun, that are looked at
SHORTEST = 4  # letters of a noun
LONGEST = 8  # words of such a noun phrase


class Nouns:
    """Nouns of WordNet with their senses, the most frequent one first.

    Args:
        synsets: as `lexicon.read` returns them.
        order: word -> places of its senses, as `lexicon.read_order` returns them.
    """

    def __init__(self, synsets: Mapping[str, Synset], order: Mapping[str, Sequence[str]]) -> None:
        self.synsets, self.order = synsets, order

    def sense(self, phrase: Sequence[str], coarse: frozenset[str]) -> str | None:
        """The place of the first sense of a noun that fits, of the last two words together or else of the last one.

        Args:
            phrase: words that end with the noun.
            coarse: kinds of thing that it may be; empty: any.
        """
        for number in (2, 1):
            if len(phrase) < number:
                continue
            words = [word.lower() for word in phrase[-number:]]
            for last in singular(words[-1]):
                if len(last) < SHORTEST:
                    continue
                for place in self.order.get(" ".join([*words[:-1], last]), ())[:SENSES]:
                    kinds = KINDS.get(self.synsets[place].file, "").split()
                    if kinds and not self.synsets[place].instance and (not coarse or coarse & {*kinds}):
                        return place
        return None


def noun_of(words: Sequence[str], span: Span, nouns: Nouns) -> str | None:
    """The sense that a sentence says of a span: by the noun that it is defined with, or by its own last word."""
    opening = " ".join(words[span.end : span.end + 2]).lower()
    if opening in OPENINGS:
        phrase: list[str] = []
        for word in words[span.end + 2 : span.end + 2 + LONGEST]:
            if word.lower() in ENDS:
                break
            phrase.append(word)
        else:
            phrase = []
        if phrase and phrase[-1].islower() and (found := nouns.sense(phrase, span.coarse)):
            return found
    name = list(words[span.start : span.end])
    lower = [word.lower() for word in name]
    head = name[: lower.index("of")] if "of" in lower[1:] else name
    if len(name) < 2 or not head or "person" in span.coarse:
        return None
    return nouns.sense(head, span.coarse) if span.coarse else None


def count(examples: Iterable[Example], nouns: Nouns) -> Counter[str]:
    """How often each sense is said of a span."""
    return Counter(
        place for e in examples for s in e.spans for place in [noun_of(e.words, s, nouns)] if place is not None
    )


def described(examples: Iterable[Example], nouns: Nouns, lexicon: Lexicon, annotated: Set[str]) -> list[Example]:
    """The examples, whose spans have the types too that their sentence says of them.

    What is no person has no types beside those that it is known to have: a university is no party. A person may have
    several trades.

    Args:
        examples: English, with kinds of their spans.
        nouns: of the lexicon.
        lexicon: whose types are taken.
        annotated: types that corpora annotate, of which only they say where they are.
    """
    places: dict[str, list[str]] = {}
    for sense, name in lexicon.types.items():
        places.setdefault(name, []).append(sense)
    compatible = cache(lambda senses: frozenset().union(*(lexicon.compatible(sense) for sense in senses)))
    found = []
    for example in examples:
        spans = []
        for span in example.spans:
            place = noun_of(example.words, span, nouns)
            if place is not None:
                own = {lexicon.types[place]} if place in lexicon.types else set()
                kinds = frozenset(KINDS[nouns.synsets[place].file].split())
                narrow = (span.coarse & kinds) or span.coarse
                labels = span.labels | (lexicon.held(place) | own).difference(annotated)
                span = replace(span, labels=labels, coarse=narrow)
            senses = [place] if place else [s for key in sorted(span.labels - annotated) for s in places.get(key, ())]
            if senses and span.possible is None and "person" not in span.coarse:
                span = replace(span, possible=compatible(tuple(senses)) | span.labels)
            spans.append(span)
        found.append(replace(example, spans=tuple(spans)))
    return found
