"""Examples in prompts (few-shot): annotated documents, rendered as answers are parsed, checked in their own text.

    openmie extract posts.jsonl --system schema --examples examples.jsonl ...

An example is an annotated Document. Its answer is written by the writer whose parser reads the model's answers, and is
read back once: a name that the example's own text does not contain is an error before anything is asked.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import log, sqrt
from pathlib import Path

from openmie.data.document import Document
from openmie.errors import CorpusError, ErrorRecord, RecipeError
from openmie.vlm.generate import Answer
from openmie.vlm.prompting.given_layers import given_content
from openmie.vlm.prompting.parsing import parse_answer
from openmie.vlm.prompting.rendering import render_answer
from openmie.vlm.prompting.schema import LAYERS, Schema

Render = Callable[[Document], str]
_WORD = re.compile(r"\w+")


@dataclass
class ExampleSet:
    """Examples, of which those nearest to a text are shown, or always the same.

    Nearness is the cosine of the texts' vectors of words and of letters in threes, weighted by tf-idf over the
    examples: log(1 + tf) * log((1 + n) / (1 + df)) + 1e-6.

    Args:
        documents: annotated documents.
        render: document -> the answer.
        shown: examples in one prompt; of fewer, all.
        nearest: whether the nearest are shown, the nearest last; else the first of the file.
    """

    documents: Sequence[Document]
    render: Render
    shown: int = 3
    nearest: bool = True
    _vectors: list[dict[str, float]] = field(default_factory=list, init=False)
    _idf: dict[str, float] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        counts = [_features(d.text) for d in self.documents]
        frequency = Counter(name for one in counts for name in one)
        self._idf = {name: log((1 + len(counts)) / (1 + df)) + 1e-6 for name, df in frequency.items()}
        self._vectors = [self._vector(one) for one in counts]

    def chosen(self, text: str) -> list[tuple[str, str]]:
        """(text, answer) of the examples of a prompt about a text; an example with the very text is never shown."""
        return [(d.text, self.render(d)) for d in self.nearest_to(text)]

    def nearest_to(self, text: str) -> list[Document]:
        """The examples of a prompt about a text, in the order in which they are shown."""
        others = [n for n, d in enumerate(self.documents) if d.text != text]
        if self.nearest and len(others) > self.shown:
            vector = self._vector(_features(text))
            others = sorted(others, key=lambda n: (-_cosine(vector, self._vectors[n]), n))[: self.shown][::-1]
        return [self.documents[n] for n in others[: self.shown]]

    def _vector(self, counts: Counter[str]) -> dict[str, float]:
        found = {name: log(1 + n) * self._idf[name] for name, n in counts.items() if name in self._idf}
        length = sqrt(sum(x * x for x in found.values()))
        return {name: x / length for name, x in found.items()} if length else {}


def _features(text: str) -> Counter[str]:
    words = _WORD.findall(text.casefold())
    return Counter([*words, *(f"^{w}$"[i : i + 3] for w in words for i in range(len(w)))])


def _cosine(a: dict[str, float], b: dict[str, float]) -> float:
    return sum(x * b[name] for name, x in a.items() if name in b)


def read_examples(path: Path) -> list[Document]:
    """The annotated documents of a file, in any format that can be read.

    Raises:
        CorpusError: a row that cannot be read, a file without documents that have a text.
    """
    from openmie.formats.registry import read_items

    found = []
    for item in read_items(path):
        if isinstance(item, ErrorRecord):
            raise CorpusError.of(item)
        found.append(item)
    if not any(d.text.strip() for d in found):
        raise CorpusError(
            "no example with a text",
            expected="annotated documents, as JSON lines or in another format that can be read",
            where=str(path),
            remedy="annotate a few posts, or leave --examples out",
        )
    return [d for d in found if d.text.strip()]


def labels_of(documents: Iterable[Document]) -> dict[str, dict[str, str]]:
    """The labels that examples have, by layer and in their order, without descriptions; layers without any left out."""
    found: dict[str, dict[str, str]] = {layer: {} for layer in LAYERS}
    for document in documents:
        for layer in LAYERS:
            found[layer].update({item.label: "" for item in getattr(document, layer) if item.label})
    return {layer: labels for layer, labels in found.items() if labels}


def check_examples(documents: Sequence[Document], schema: Schema, where: str = "--examples") -> None:
    """Check that what each example says is in its own text, and that the examples teach what is asked for.

    The answer of each example is rendered and parsed as a model's.

    Raises:
        RecipeError: a name that is not in its text, an answer that its own parser does not take, or no example with any
            of the labels that are asked for.
    """
    shown = 0
    for document in documents:
        answer = Answer(text=render_answer(document, schema))
        wanted = Schema.of(schema, [t for t in schema.tasks if t != "boxes"]) if schema.tasks != ("boxes",) else schema
        content = given_content(document, schema)
        parsed = parse_answer(answer, wanted, content, lambda values, size: None, where=f"{where}, {document.id}")
        lost = [m.text for m in parsed.mentions if m.status == "unlocated"]
        lost += [f"the value of {s.path}" for r in parsed.records for s in r.spans if s.start == s.end]
        if lost or parsed.errors:
            raise RecipeError(
                f"{lost[0]!r}, which its text does not contain" if lost else str(parsed.errors[0]),
                expected="examples whose names are words of their own text, as answers must be",
                where=f"{where}, example {document.id!r}",
                remedy="correct the example: copy the name from the text, with its capitals",
            )
        shown += bool(parsed.mentions or parsed.chains or parsed.relations or parsed.records or parsed.summary)
    if documents and not shown:
        raise RecipeError(
            f"{len(documents)} examples without anything that is asked for",
            expected=f"annotation of the tasks {', '.join(schema.tasks)} with the labels that are asked for",
            where=where,
            remedy="give examples with these labels, or leave --label out: the examples' own labels are then taken",
        )
