"""Layers of a Document: words, images, mentions, chains, relations and regions, as frozen values."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator

from openmie.data.json_values import validate_json
from openmie.errors import DocumentError

ImageKind = Literal["main", "object", "patch", "frame", "generated"]
USER_CAPTION = "given"  # name of a caption that a user gave, whoever or whatever wrote it
Status = Literal["located", "orphan", "unlocated"]
Box = tuple[float, float, float, float]


def _checked(value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
    return validate_json(value, str(info.field_name)) if value else value


JsonObject = Annotated[dict[str, Any], AfterValidator(_checked)]


class Word(NamedTuple):
    """One word of the text.

    Attributes:
        start: first code point.
        end: code point after the last one.
    """

    start: int
    end: int


class TimeSpan(NamedTuple):
    """When a part of the text was spoken.

    Attributes:
        start: first code point of the part.
        end: code point after its last one.
        start_time: in seconds from the beginning of the video.
        end_time: in seconds.
    """

    start: int
    end: int
    start_time: float
    end_time: float


class RecordSpan(NamedTuple):
    """Where a value of a record stands in the text.

    Attributes:
        path: of the value in the record's data, a JSON Pointer (RFC 6901) such as "/items/0/price".
        start: first code point; equal to `end` for a value that was looked for and is not in the text.
        end: code point after the last one.
    """

    path: str
    start: int
    end: int


class Layer(BaseModel):
    """Frozen; `score` and `pixels` do not affect equality."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False,
                              str_min_length=0)  # fmt: skip  # has every text looked at for lone surrogates

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise validation_error(type(self).__name__, error) from None

    def _key(self) -> tuple[Any, ...]:
        return tuple(v for k, v in self.__dict__.items() if k not in ("score", "pixels"))

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Layer) and type(self) is type(other) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(v for v in self._key() if not isinstance(v, dict)))


def validation_error(what: str, error: ValidationError) -> DocumentError:
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


class Image(Layer):
    """An image of the document: a file, pixels in memory, or a box in another image.

    Attributes:
        path: of the file; "" for none.
        kind: main image, detected object, patch, video frame, or generated image.
        id: unique in the document; default: the path, or the kind.
        parent: id of the image that an object or patch was cut from; "": the main image.
        box: where in the parent, as xyxy pixels of the upright original.
        time: of a frame, in seconds.
        width: of the upright original in pixels, where known without decoding.
        height: in pixels.
        relevance: (name, score) of image-text relevance, where a corpus provides it.
        pixels: (H, W, 3) uint8; never written to files.

    Raises:
        DocumentError: a value of the wrong type.
    """

    path: str = ""
    kind: ImageKind = "main"
    id: str = ""
    parent: str = ""
    box: Box | None = None
    time: float | None = None
    width: int | None = Field(default=None, gt=0, lt=1 << 63)
    height: int | None = Field(default=None, gt=0, lt=1 << 63)
    relevance: tuple[tuple[str, float], ...] = ()
    pixels: Any = Field(default=None, exclude=True, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _name(cls, data: Any) -> Any:
        if isinstance(data, dict) and not data.get("id"):
            data = {**data, "id": str(data.get("path") or data.get("kind") or "main")}
        return data


class Mention(Layer):
    """A span of the text that names an entity.

    Attributes:
        id: unique among the mentions and chains of the document.
        start: first code point.
        end: code point after the last one.
        label: entity type; "" where the corpus has none.
        text: the surface form; filled in from the document.
        attributes: what is said of it beside its type, by name; JSON values.
        status: "located"; "orphan" for an `I-` run without its `B-`, which strict scoring leaves out; "unlocated" for
            a name that a model predicted and the text does not contain (`start == end`, the name is in `text`).
        score: confidence of a prediction.
    """

    id: str
    start: int
    end: int
    label: str = ""
    text: str = ""
    status: Status = "located"
    score: float | None = None
    attributes: JsonObject = Field(default={})


class Chain(Layer):
    """A coreference chain: mentions of one entity.

    Attributes:
        id: unique among the mentions and chains of the document.
        mentions: their ids.
        label: entity type.
        score: confidence of a prediction.
    """

    id: str
    mentions: tuple[str, ...] = ()
    label: str = ""
    score: float | None = None


class Relation(Layer):
    """A relation between two mentions or chains.

    Attributes:
        head: id of the first argument.
        tail: id of the second argument.
        label: relation type.
        score: confidence of a prediction.
    """

    head: str
    tail: str
    label: str = ""
    score: float | None = None


class Record(Layer):
    """Structured data that the text states, in the form of a JSON Schema of the user's own.

    Attributes:
        label: name of the schema.
        data: the object.
        spans: where its values stand in the text, of those that are copied from it.
        score: confidence of a prediction.
    """

    label: str = ""
    data: JsonObject = Field(default={})
    spans: tuple[RecordSpan, ...] = ()
    score: float | None = None


class Region(Layer):
    """A box in an image, grounded in the text where `of` names a mention or chain.

    Attributes:
        image: id of the image.
        box: xyxy pixels of the upright original.
        label: entity type.
        of: id of the mention or chain that it shows; "" for none.
        text: words that stand in the box, such as those of a sign; "" for none.
        score: confidence of a prediction.
    """

    image: str
    box: Box
    label: str = ""
    of: str = ""
    text: str = ""
    score: float | None = None


class Phrase(Layer):
    """The query that an object image was detected with.

    Attributes:
        text: the query.
        image: id of the object image; "": nothing was detected.
    """

    text: str
    image: str = ""
