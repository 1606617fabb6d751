"""Document: the waist for people and files.

Text, its words and images, and what is said about them, as frozen layers. All offsets are half-open and count Unicode
code points of `text`, so `text[start:end]` is always the surface form. Gold and prediction are two Documents with one
id; `score` takes no part in equality, so a prediction equals its gold twin. What can be made can be written: numbers
are finite, texts hold whole characters, `source` holds JSON values only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from openmie.data.json_values import check_acyclic, validate_json
from openmie.errors import DocumentError, ErrorRecord

ImageKind = Literal["main", "object", "patch", "frame", "generated"]
USER_CAPTION = "given"  # name of a caption that a user gave, whoever or whatever wrote it
Status = Literal["located", "orphan", "unlocated"]
Box = tuple[float, float, float, float]


class Word(NamedTuple):
    """One word of the text, as half-open code points."""

    start: int
    end: int


class TimeSpan(NamedTuple):
    """`text[start:end]` was spoken from second `start_time` to second `end_time`."""

    start: int
    end: int
    start_time: float
    end_time: float


class _Layer(BaseModel):
    """Frozen; `score` and pixels take no part in equality."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False,
                              str_min_length=0)  # fmt: skip  # has every text looked at for lone surrogates

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise _validation_error(type(self).__name__, error) from None

    def _key(self) -> tuple[Any, ...]:
        return tuple(v for k, v in self.__dict__.items() if k not in ("score", "pixels"))

    def __eq__(self, other: object) -> bool:
        return (
            self._key() == other._key() if isinstance(other, _Layer) and type(self) is type(other) else NotImplemented
        )

    def __hash__(self) -> int:
        return hash(self._key())


def _validation_error(what: str, error: ValidationError) -> DocumentError:
    first = error.errors(include_url=False)[0]
    where = what + "".join(f".{part}" for part in first["loc"])
    said = first["msg"]
    if first["type"] == "string_unicode" or "hex escape" in said:
        said = "a lone surrogate (half of a UTF-16 pair)"
    try:
        shown = repr(str(first.get("input"))[:120])
    except (ValueError, RecursionError):  # a number of thousands of digits, a list that holds itself
        shown = f"a {type(first.get('input')).__name__}"
    return DocumentError(
        f"{shown}: {said}",
        expected="the fields of the published schema, finite numbers, whole characters",
        where=where,
        remedy="compare with openmie.data.document.json_schema()",
    )


class Image(_Layer):
    """A picture of the document: a file, or pixels in memory (`(H, W, 3)` uint8, never written to JSON)."""

    path: str = ""
    kind: ImageKind = "main"
    id: str = ""  # default: the path, or the kind
    parent: str = ""  # image that an object or patch was cut from
    box: Box | None = None  # where in the parent: absolute xyxy pixels of the upright original
    time: float | None = None  # second of a frame
    width: int | None = Field(default=None, gt=0, lt=1 << 63)  # of the upright original, where known without decoding
    height: int | None = Field(default=None, gt=0, lt=1 << 63)
    relevance: tuple[tuple[str, float], ...] = ()  # (name, score) of image-text relevance, where a corpus has them
    pixels: Any = Field(default=None, exclude=True, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _name(cls, data: Any) -> Any:
        if isinstance(data, dict) and not data.get("id"):
            data = {**data, "id": str(data.get("path") or data.get("kind") or "main")}
        return data


class Mention(_Layer):
    """A span of the text that names something; `label=""` where the corpus does not type it.

    `status`: `orphan`, an `I-` run without its `B-` (strict scoring leaves it out); `unlocated`, named by a model but
    not found in the text (`start == end`, the name is kept in `text`).
    """

    id: str
    start: int
    end: int
    label: str = ""
    text: str = ""
    status: Status = "located"
    score: float | None = None


class Chain(_Layer):
    """Mentions of one thing."""

    id: str
    mentions: tuple[str, ...] = ()
    label: str = ""
    score: float | None = None


class Relation(_Layer):
    """`label` holds from `head` to `tail`, each the id of a mention or of a chain."""

    head: str
    tail: str
    label: str = ""
    score: float | None = None


class Region(_Layer):
    """A box in an image (absolute xyxy pixels of the upright original) and the mention or chain that it shows."""

    image: str
    box: Box
    label: str = ""
    of: str = ""
    score: float | None = None


class Phrase(_Layer):
    """The words that an object image was found by."""

    text: str
    image: str = ""


def _accept_word_strings(value: Any, info: Any) -> Any:
    """Accept words as strings too: each is found in the text, left to right."""
    value = tuple(value or ())
    if not value or not isinstance(value[0], str):
        return value
    return locate_words(info.data.get("text", ""), value)


def locate_words(text: str, words: Sequence[str]) -> tuple[Word, ...]:
    """Offsets of `words` in `text`, left to right; a `DocumentError` names the first word that is not there."""
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


class Document(_Layer):
    """One post, row, news item or transcript, with all that is known or predicted about it."""

    id: str
    text: str = ""
    words: Annotated[tuple[Word, ...], BeforeValidator(_accept_word_strings)] = ()
    images: tuple[Image, ...] = ()
    mentions: tuple[Mention, ...] = ()
    chains: tuple[Chain, ...] = ()
    relations: tuple[Relation, ...] = ()
    regions: tuple[Region, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    captions: dict[str, str] = {}  # generator -> text
    summary: str = ""
    times: tuple[TimeSpan, ...] = ()
    lang: str = ""
    source: dict[str, Any] = {}  # where it came from; JSON values only
    errors: tuple[ErrorRecord, ...] = ()  # what could not be read or done for this document

    _index: dict[str, Mention | Chain] | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _check(self) -> Self:
        n = len(self.text)
        for start, end, *_ in (*self.words, *self.times):
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
        """A document whose text is the words joined by single blanks."""
        spans, at = [], 0
        for word in words:
            spans.append(Word(at, at + len(word)))
            at += len(word) + 1
        return cls(id=id, text=" ".join(words), words=tuple(spans), **layers)

    def word_texts(self) -> tuple[str, ...]:
        return tuple(self.text[w.start : w.end] for w in self.words)

    def find(self, id: str) -> Mention | Chain | None:
        """The mention or chain of this id."""
        if self._index is None:
            self._index = {**{m.id: m for m in self.mentions}, **{c.id: c for c in self.chains}}
        return self._index.get(id)

    def image(self, id: str) -> Image | None:
        return next((i for i in self.images if i.id == id), None)

    @property
    def main_image(self) -> Image | None:
        """The first image of kind `main`."""
        return next((i for i in self.images if i.kind == "main"), None)

    def caption(self, name: str) -> str:
        """The caption of a generator, or the one that a user gave in its place, or nothing."""
        return self.captions.get(name, "") or self.captions.get(USER_CAPTION, "")

    def replace(self, **layers: Any) -> Self:
        """A validated copy with these layers changed."""
        return type(self)(**{**{k: getattr(self, k) for k in type(self).model_fields}, **layers})

    def without_gold(self) -> Self:
        """Text, words, images, phrases, captions and times: what a system may read.

        All annotation is gone, and `source`, where a corpus may keep facts beside it (Diorama keeps its hidden ones).
        """
        return self.replace(mentions=(), chains=(), relations=(), regions=(), summary="", errors=(), source={})

    def dangling(self) -> list[ErrorRecord]:
        """References that lead nowhere: of chains, relations, regions, object images and phrases."""
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
        """Canonical JSON on one line; empty layers are left out. `DocumentError` for NaN and what JSON cannot hold."""
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
        try:
            return cls.model_validate_json(line)
        except ValidationError as error:
            readable = _validation_error("Document", error)
        with suppress(ValueError, RecursionError):  # what the standard parser reads can be told by its name
            validate_json(json.loads(line), "Document", depth=-1)
        raise readable


def _canonical(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of a Document."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Document.model_json_schema()}
