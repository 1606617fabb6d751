"""Document: text with images, and its annotation, the one data structure of readers, models and writers.

Annotation is a set of frozen layers. All offsets are half-open and count Unicode code points of `text`, so
`text[start:end]` is always the surface form. Gold and prediction are two Documents with the same id; `score` does not
affect equality, so a correct prediction equals its gold. A Document that can be created can be written: numbers are
finite, texts hold no lone surrogates, `source` holds JSON values only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError, model_validator

from openmie.data.json_values import check_acyclic, validate_json
from openmie.data.layers import (
    USER_CAPTION,
    Box,
    Chain,
    Image,
    ImageKind,
    Layer,
    Mention,
    Phrase,
    Record,
    RecordSpan,
    Region,
    Relation,
    Status,
    TimeSpan,
    Word,
    validation_error,
)
from openmie.errors import DocumentError, ErrorRecord

__all__ = [
    "USER_CAPTION",
    "Box",
    "Chain",
    "Document",
    "Image",
    "ImageKind",
    "Mention",
    "Phrase",
    "Record",
    "RecordSpan",
    "Region",
    "Relation",
    "Status",
    "TimeSpan",
    "Word",
    "json_schema",
    "locate_words",
]


def _accept_word_strings(value: Any, info: Any) -> Any:
    """Accept words as strings: each is located in the text, from left to right."""
    if value is None:
        return ()
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        return value  # which is refused
    value = tuple(value)
    return locate_words(info.data.get("text", ""), value) if value and all(isinstance(w, str) for w in value) else value


def locate_words(text: str, words: Sequence[str]) -> tuple[Word, ...]:
    """Locate words in a text, from left to right.

    Args:
        text: the text.
        words: in text order.

    Returns:
        Their half-open offsets.

    Raises:
        DocumentError: the first word that does not follow.
    """
    found, at = [], 0
    for word in words:
        start = text.find(word, at)
        if start < 0:
            raise DocumentError(
                f"word {word!r}, not in the text after offset {at}",
                expected="words in text order",
                remedy="pass (start, end) offsets, or build the document with Document.from_words",
            )
        at = start + len(word)
        found.append(Word(start, at))
    return tuple(found)


class Document(Layer):
    """One post, news item or transcript with its images, and its gold or predicted annotation.

    Attributes:
        id: unique in its corpus.
        text: the text.
        words: offsets, or strings that are located in the text.
        images: any number; `main_image` is the first of kind "main".
        mentions: entity mentions.
        chains: coreference chains.
        relations: between mentions or chains.
        regions: boxes in the images.
        records: structured data by a schema of the user's own.
        phrases: queries that object images were detected with.
        captions: generator -> caption of the main image.
        summary: of text and images.
        times: when parts of the text were spoken.
        lang: language code; "" for unknown.
        source: where the document comes from; JSON values only.
        errors: what could not be read, or computed, for this document.

    Raises:
        DocumentError: offsets outside the text, an id used twice, a mention whose text differs, values that JSON
            cannot hold.
    """

    id: str
    text: str = ""
    words: Annotated[tuple[Word, ...], BeforeValidator(_accept_word_strings)] = ()
    images: tuple[Image, ...] = ()
    mentions: tuple[Mention, ...] = ()
    chains: tuple[Chain, ...] = ()
    relations: tuple[Relation, ...] = ()
    regions: tuple[Region, ...] = ()
    records: tuple[Record, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    captions: dict[str, str] = Field(default={})
    summary: str = ""
    times: tuple[TimeSpan, ...] = ()
    lang: str = ""
    source: dict[str, Any] = Field(default={})
    errors: tuple[ErrorRecord, ...] = ()

    _index: dict[str, Mention | Chain] | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _check(self) -> Self:
        n = len(self.text)
        of_records = [(s.start, s.end) for r in self.records for s in r.spans]
        for start, end, *_ in (*self.words, *self.times, *of_records):
            if not 0 <= start <= end <= n:
                raise self._error(f"span {start}:{end} in a text of {n} code points")
        for m in self.mentions:
            if not 0 <= m.start <= m.end <= n:
                raise self._error(f"mention {m.id!r} at {m.start}:{m.end} in a text of {n} code points")
            if m.status == "unlocated":
                continue
            surface = self.text[m.start : m.end]
            if m.start == m.end:
                raise self._error(f"mention {m.id!r} is empty", 'or status="unlocated" for a name not in the text')
            if not m.text:
                m.__dict__["text"] = surface
            elif m.text != surface:
                raise self._error(f"mention {m.id!r} says {m.text!r}, the text at {m.start}:{m.end} says {surface!r}")
        self._unique("mention or chain", [m.id for m in self.mentions] + [c.id for c in self.chains])
        self._unique("image", [x.id for x in self.images])
        if parents := {x.id: x.parent for x in self.images if x.parent}:
            check_acyclic(parents, f"document {self.id}, images.parent")
        if self.source:
            self.__dict__["source"] = validate_json(self.source, f"document {self.id}, source")
        return self

    def _error(self, found: str, hint: str = "") -> DocumentError:
        return DocumentError(
            found,
            expected="half-open code-point offsets into text " + hint,
            where=f"document {self.id}",
            remedy="count code points, not bytes or UTF-16 units, and check the reader that made them",
        )

    def _unique(self, what: str, ids: list[str]) -> None:
        if len(set(ids)) != len(ids):
            twice = sorted({i for i in ids if ids.count(i) > 1})
            raise DocumentError(
                f"{what} ids {twice} are used twice",
                expected="one id each",
                where=f"document {self.id}",
                remedy="give every one an id of its own",
            )

    def _key(self) -> tuple[Any, ...]:
        return tuple(v for v in self.__dict__.values())

    def __hash__(self) -> int:
        return hash((self.id, self.text))

    @classmethod
    def from_words(cls, id: str, words: Sequence[str], **layers: Any) -> Self:
        """Create a document from words.

        Args:
            id: of the document.
            words: joined by single blanks, they are its text.
            **layers: further fields.
        """
        spans, at = [], 0
        for word in words:
            spans.append(Word(at, at + len(word)))
            at += len(word) + 1
        return cls(id=id, text=" ".join(words), words=tuple(spans), **layers)

    def word_texts(self) -> tuple[str, ...]:
        """The surface forms of the words."""
        return tuple(self.text[w.start : w.end] for w in self.words)

    def find(self, id: str) -> Mention | Chain | None:
        """The mention or chain with this id; None where there is none."""
        if self._index is None:
            self._index = {**{m.id: m for m in self.mentions}, **{c.id: c for c in self.chains}}
        return self._index.get(id)

    def image(self, id: str) -> Image | None:
        """The image with this id; None where there is none."""
        return next((i for i in self.images if i.id == id), None)

    @property
    def main_image(self) -> Image | None:
        """The first image of kind `main`."""
        return next((i for i in self.images if i.kind == "main"), None)

    def caption(self, name: str) -> str:
        """The caption of a generator, else the one that a user provided, else ""."""
        return self.captions.get(name, "") or self.captions.get(USER_CAPTION, "")

    def replace(self, **layers: Any) -> Self:
        """A validated copy with other values of these fields."""
        return type(self)(**{**{k: getattr(self, k) for k in type(self).model_fields}, **layers})

    def without_gold(self) -> Self:
        """A copy with the input of a system only: text, words, images, phrases, captions and times.

        All annotation is removed, and so is `source`, where a corpus may store more (Diorama its latent state).
        """
        none: dict[str, Any] = dict.fromkeys(("mentions", "chains", "relations", "regions", "records", "errors"), ())
        return self.replace(**none, summary="", source={})

    def to_spacy(self, nlp: Any = None) -> Any:
        """The text with its mentions as spans of a `spacy.tokens.Doc`; see `openmie.data.spacy_doc.to_spacy`.

        Args:
            nlp: a pipeline that tokenizes and annotates the text; None: tokens that fit the mentions exactly.

        Raises:
            MissingPackageError: spaCy is not installed.
        """
        from openmie.data.spacy_doc import to_spacy

        return to_spacy(self, nlp)

    def _repr_html_(self) -> str:
        """The document in a notebook: text with its mentions, images with boxes, relations and chains."""
        from openmie.report.notebook import notebook_html

        return notebook_html(self)

    def dangling(self) -> list[ErrorRecord]:
        """Records of ids that the document does not have, in chains, relations, regions, images and phrases."""
        images, named = {i.id for i in self.images}, {*(m.id for m in self.mentions), *(c.id for c in self.chains)}
        refs: Iterable[tuple[str, str, set[str]]] = [
            *(("chain " + c.id, m, named) for c in self.chains for m in c.mentions),
            *(("relation " + r.label, x, named) for r in self.relations for x in (r.head, r.tail)),
            *(("region of " + r.of, r.image, images) for r in self.regions),
            *(("region in " + r.image, r.of, named) for r in self.regions if r.of),
            *(("image " + i.id, i.parent, images) for i in self.images if i.parent),
            *(("phrase " + p.text, p.image, images) for p in self.phrases if p.image),
        ]
        return [
            ErrorRecord(
                where=f"document {self.id}, {what}",
                found=f"id {ref!r}",
                expected="an id of this document",
                remedy="add what it names, or drop the reference",
            )
            for what, ref, known in refs
            if ref not in known
        ]

    def to_json(self) -> str:
        """Canonical JSON on one line, without empty layers.

        Raises:
            DocumentError: a value that JSON cannot hold, such as NaN.
        """
        data = self.model_dump(mode="json", exclude_defaults=True, exclude={"source"})
        source = {"source": self.source} if self.source else {}
        try:
            return _canonical({"id": self.id, "text": self.text, **data, **source})
        except (ValueError, TypeError, RecursionError) as error:
            raise DocumentError(
                f"a value that JSON cannot hold ({error})",
                expected="finite numbers and JSON values",
                where=f"document {self.id}",
                remedy="look for NaN in boxes, scores and source",
            ) from None

    @classmethod
    def from_json(cls, line: str | bytes) -> Self:
        """Parse what `to_json` returns.

        Raises:
            DocumentError: no JSON, or not a Document.
        """
        try:
            return cls.model_validate_json(line)
        except ValidationError as error:
            readable = validation_error("Document", error)
        with suppress(ValueError, RecursionError):  # what the standard parser reads can be told by its name
            validate_json(json.loads(line), "Document", depth=-1)
        raise readable


def _canonical(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of a Document."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Document.model_json_schema()}
