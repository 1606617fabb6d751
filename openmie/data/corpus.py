"""Corpus: three lazy splits, a label set, and what was skipped on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from openmie.data.document import Document
from openmie.errors import CorpusError, ErrorRecord

Item = Document | ErrorRecord
Source = Callable[
    [], Iterable[Item]
]  # opened anew at each iteration; yields a record where a document could not be read


@dataclass(frozen=True)
class Labels:
    """The labels of each layer, sorted; `symmetric` are the relations whose direction means nothing."""

    mentions: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()
    chains: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    symmetric: frozenset[str] = frozenset()

    @classmethod
    def of(cls, documents: Iterable[Document], symmetric: Iterable[str] = ()) -> Labels:
        found: dict[str, set[str]] = {"mentions": set(), "relations": set(), "chains": set(), "regions": set()}
        for document in documents:
            for layer, seen in found.items():
                seen.update(x.label for x in getattr(document, layer) if x.label)
        return cls(**{k: tuple(sorted(v)) for k, v in found.items()}, symmetric=frozenset(symmetric))  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self.mentions, *self.relations, *self.chains, *self.regions}))

    def __contains__(self, label: object) -> bool:
        return label in set(self)


class Split:
    """Documents of one split, read anew at each iteration; nothing is opened before that."""

    def __init__(self, name: str, source: Source, skipped: dict[str, list[ErrorRecord]]) -> None:
        self.name, self._source, self._skipped = name, source, skipped

    def __iter__(self) -> Iterator[Document]:
        records: list[ErrorRecord] = []
        for item in self._source():
            if isinstance(item, ErrorRecord):
                records.append(item)
                self._skipped[self.name] = records  # this pass's, so that a second pass does not count twice
            else:
                yield item
        self._skipped[self.name] = records


@dataclass
class Corpus:
    """`train`, `dev` and `test` can each be iterated again; a split that the corpus lacks raises when asked for."""

    name: str
    sources: Mapping[str, Source]
    symmetric: frozenset[str] = frozenset()
    declared: Labels | None = None  # where the format fixes its labels; else they are read off train (or dev)
    published: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # split -> statistic -> count
    language: str = ""  # of all documents, where it is one and known without reading them
    _skipped: dict[str, list[ErrorRecord]] = field(default_factory=dict, repr=False)

    def split(self, name: str) -> Split:
        if name not in self.sources:
            raise CorpusError(
                f"no split {name!r} in {self.name}",
                expected=f"one of {sorted(self.sources)}",
                remedy="some corpora publish only part of their splits: see `openmie doctor`",
            )
        return Split(name, self.sources[name], self._skipped)

    @property
    def train(self) -> Split:
        return self.split("train")

    @property
    def dev(self) -> Split:
        return self.split("dev")

    @property
    def test(self) -> Split:
        return self.split("test")

    @property
    def generated(self) -> bool:
        """Whether this is Diorama, the built-in corpus, whose distributions are known. No recipe depends on it."""
        return self.name.startswith("diorama")

    @cached_property
    def labels(self) -> Labels:
        """Read off train, else dev: never off test."""
        if self.declared is not None:
            return self.declared
        name = next((s for s in ("train", "dev") if s in self.sources), "")
        return Labels.of(self.split(name), self.symmetric) if name else Labels(symmetric=self.symmetric)

    @property
    def skipped(self) -> tuple[ErrorRecord, ...]:
        """What the last pass over each split could not read."""
        return tuple(r for name in sorted(self._skipped) for r in self._skipped[name])
