"""Training sentences: words, spans with labels, and what of them is known.

A corpus annotates some labels and is silent on others, and a relation's sentence marks two spans and is silent on the
rest of its words. Silence is not a negative: what nobody looked at is masked (`Example.known`), never learnt as O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

COARSE = ("person", "location", "organization", "work", "product", "event", "time", "number", "other")


@dataclass(frozen=True, kw_only=True)
class Label:
    """An entity type as the model is taught it.

    Attributes:
        key: its name in the build.
        texts: names and descriptions; one of them is drawn at every step.
        coarse: the kinds of thing that it can be, of `COARSE`; empty: not known. Two labels without a common kind
            exclude each other.
    """

    key: str
    texts: tuple[str, ...]
    coarse: frozenset[str] = frozenset()
    lexical: bool = False  # a type of the lexicon, which says of all of its words whether they are of it


@dataclass(frozen=True, kw_only=True)
class Span:
    """A marked span.

    Attributes:
        start: first word.
        end: word after the last one.
        labels: keys of labels that hold for it.
        possible: of the lexicon's types, the only ones that may hold; None: any of them.
        coarse: what it can be; empty: not known.
    """

    start: int
    end: int
    labels: frozenset[str]
    possible: frozenset[str] | None = None
    coarse: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Example:
    """One sentence.

    Attributes:
        words: of the sentence.
        spaced: whether a blank stands before each word; None: before every one.
        spans: marked spans.
        open: first word, and the one after the last, of stretches of which nothing is known but `spans`: those of a
            mention that was refused.
        annotated: labels that were looked for in the whole sentence: outside its spans they do not hold.
        lower_is_none: words that begin with a small letter and are not marked are of no label.
        guideline: whose annotation it follows.
    """

    words: tuple[str, ...]
    spans: tuple[Span, ...]
    open: tuple[tuple[int, int], ...] = ()
    annotated: frozenset[str] = frozenset()
    lower_is_none: bool = False
    guideline: str = "names"
    spaced: tuple[bool, ...] | None = None
    states: object = field(default=None, compare=False)


def targets(example: Example, labels: Sequence[Label]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What holds for an example, and what is known of it.

    Args:
        example: of T words.
        labels: L labels.

    Returns:
        positive: (P, 3) start, end and label of the spans that hold.
        inside: (T, L) whether a word is within a span of a label.
        known: (T, L) whether it is known that the word is, or is not, within one.
    """
    words, keys = len(example.words), {label.key: i for i, label in enumerate(labels)}
    inside = np.zeros((words, len(labels)), bool)
    known = np.zeros((words, len(labels)), bool)
    columns = [keys[key] for key in example.annotated if key in keys]
    known[:, columns] = True
    if example.lower_is_none:
        lower = [not word[:1].isupper() and not word[:1].isdigit() for word in example.words]
        known |= np.array(lower)[:, None]
    for start, end in example.open:
        known[start:end] = False
    positive = []
    for span in example.spans:
        for column, label in enumerate(labels):
            if label.key in span.labels:
                inside[span.start : span.end, column] = known[span.start : span.end, column] = True
                positive.append((span.start, span.end, column))
            elif (label.lexical and span.possible is not None and label.key not in span.possible) or (
                span.coarse and label.coarse and not span.coarse & label.coarse
            ):
                known[span.start : span.end, column] = True
            elif label.key not in example.annotated:
                known[span.start : span.end, column] = False
    return np.array(positive, np.int64).reshape(-1, 3), inside, known


def coarse_of(names: Mapping[str, str]) -> Mapping[str, frozenset[str]]:
    """Kinds by label from a table such as {"PER": "person", "MISC": "work event product other"}."""
    return {name: frozenset(kinds.split()) for name, kinds in names.items()}
