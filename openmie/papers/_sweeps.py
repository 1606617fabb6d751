"""A sweep of a page: one setting of its recipe at several values, those of the paper's figure or any other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from openmie.data.corpus import Corpus
from openmie.data.document import Document
from openmie.errors import RecipeError
from openmie.recipe import Recipe, set_field


class FieldSweep(Mapping[str, Any]):
    """Value -> recipe, for the values of the paper; `at` takes any other.

    Args:
        recipe: in which the setting is changed.
        fields: paths of the fields that get the value, such as `align.0.weight`.
        values: those of the paper's figure or table, as text.
        of_corpus: the values that a corpus has, such as `caption_generators`; None: those of the paper, for any corpus.
    """

    def __init__(
        self,
        recipe: Recipe,
        fields: tuple[str, ...],
        values: tuple[Any, ...],
        of_corpus: Callable[[Corpus], tuple[str, ...]] | None = None,
    ) -> None:
        self.recipe, self.fields, self.of_corpus = recipe, fields, of_corpus
        self.printed = tuple(v if isinstance(v, str) else f"{v:g}" for v in values)

    def at(self, value: str) -> Recipe:
        """The recipe at a value. Raises: RecipeError: the field does not take it."""
        found = self.recipe
        for field in self.fields:
            found = set_value(found, field, value)
        return found

    def values_for(self, corpus: Corpus) -> tuple[str, ...]:
        """The values to run on a corpus; empty where it has none."""
        return self.of_corpus(corpus) if self.of_corpus else self.printed

    def __getitem__(self, value: str) -> Recipe:
        if value not in self.printed:
            raise KeyError(value)
        return self.at(value)

    def __iter__(self) -> Iterator[str]:
        return iter(self.printed)

    def __len__(self) -> int:
        return len(self.printed)


def set_value(recipe: Any, field: str, value: str) -> Any:
    """The recipe with a field set to a value in JSON, or to the text as it stands where the field holds texts.

    Args:
        recipe: of either kind.
        field: its path, such as `training.train_fraction`.
        value: as it is typed; a caption generator may be called `true`.

    Raises:
        RecipeError: no such field, or a value that it does not take.
    """
    try:
        return set_field(recipe, field, value)
    except RecipeError as error:
        try:
            return set_field(recipe, field, json.dumps(value))
        except RecipeError:
            raise error from None


def caption_generators(corpus: Corpus) -> tuple[str, ...]:
    """Names of the caption generators of a corpus, in the order in which they come.

    Those of its first 200 training documents with captions: a generator captions every image, and a corpus may be long.
    """
    told = islice((d for d in _documents(corpus) if d.captions), 200)
    return tuple(dict.fromkeys(name for document in told for name in document.captions))


def has_captions(corpus: Corpus, generator: str) -> bool:
    """Whether any training document has a caption of a generator."""
    return any(generator in d.captions for d in _documents(corpus))


def _documents(corpus: Corpus) -> Iterable[Document]:
    split = next((s for s in ("train", "dev") if s in corpus.sources), "")
    return corpus.split(split) if split else ()
