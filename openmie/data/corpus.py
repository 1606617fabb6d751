"""Corpus: lazy splits, label sets, and records of what could not be read."""

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
    """The label set of each layer.

    Args:
        mentions: entity types, sorted.
        relations: relation types, sorted.
        chains: types of chains, sorted.
        regions: types of regions, sorted.
        symmetric: relation types without direction.
    """

    mentions: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()
    chains: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    symmetric: frozenset[str] = frozenset()

    @classmethod
    def of(cls, documents: Iterable[Document], symmetric: Iterable[str] = ()) -> Labels:
        """Collect the labels of documents.

        Args:
            documents: read once.
            symmetric: relation types without direction.
        """
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
    """The documents of one split; each iteration opens its files again.

    Args:
        name: train, dev or test.
        source: called at each iteration; yields documents, and an error record for each that cannot be read.
        skipped: where the records of the last iteration are stored, by split: of what could not be read at all, and
            those that documents carry in `errors`.
    """

    def __init__(self, name: str, source: Source, skipped: dict[str, Iterable[ErrorRecord]]) -> None:
        self.name, self._source, self._skipped = name, source, skipped

    def __iter__(self) -> Iterator[Document]:
        records: dict[ErrorRecord, None] = {}  # each once: a reader may yield what a document carries, too
        for item in self._source():
            found = (item,) if isinstance(item, ErrorRecord) else item.errors
            if found:
                records.update(dict.fromkeys(found))
                self._skipped[self.name] = records  # this pass's, so that a second pass does not count twice
            if isinstance(item, Document):
                yield item
        self._skipped[self.name] = records


@dataclass
class Corpus:
    """A dataset with lazy splits.

    Args:
        name: such as "twitter:PATH".
        sources: split -> function that opens it.
        symmetric: relation types without direction.
        declared: label sets, where the format fixes them; None: collected from train, else dev.
        published: split -> statistic -> published count.
        language: of all documents, where it is known without reading them.
    """

    name: str
    sources: Mapping[str, Source]
    symmetric: frozenset[str] = frozenset()
    declared: Labels | None = None
    published: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    language: str = ""
    _skipped: dict[str, Iterable[ErrorRecord]] = field(default_factory=dict, repr=False)

    def split(self, name: str) -> Split:
        """A split by name.

        Raises:
            CorpusError: the corpus does not have it.
        """
        if name not in self.sources:
            raise CorpusError.unknown(
                "split",
                name,
                sorted(self.sources),
                where=self.name,
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
        """The label sets, collected from train, else dev, never from test."""
        if self.declared is not None:
            return self.declared
        name = next((s for s in ("train", "dev") if s in self.sources), "")
        return Labels.of(self.split(name), self.symmetric) if name else Labels(symmetric=self.symmetric)

    @property
    def skipped(self) -> tuple[ErrorRecord, ...]:
        """What the last iteration of each split could not read: entire documents, and parts that `errors` tell of."""
        return tuple(r for name in sorted(self._skipped) for r in self._skipped[name])
