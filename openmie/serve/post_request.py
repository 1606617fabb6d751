"""The body of a request: a post, what to extract from it, and with which model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from openmie.data.document import Document, Image, TimeSpan, Word
from openmie.data.layers import validation_error
from openmie.errors import OpenMIEError
from openmie.serve.problems import Problem
from openmie.serve.settings import Settings
from openmie.serve.uploads import check_image, decode_base64

Probability = Annotated[float, Field(ge=0, le=1)]
LabelTexts = dict[str, str] | list[str]


class _Input(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, str_min_length=0)


class ImageInput(_Input):
    """An image of a post.

    Attributes:
        data: the file, such as a JPEG or a PNG, in base64. No address: nothing is fetched.
        id: unique in the post; "": main for the first one, image2 for the second, ...
        kind: main, or a frame of a video.
        time: of a frame, in seconds.
    """

    data: str
    id: str = ""
    kind: Literal["main", "frame"] = "main"
    time: float | None = None


class Options(_Input):
    """How a post is read.

    Attributes:
        model: a name that /v1/models lists; "": the first one.
        threshold: least score of entities and relations, a number or label -> number; null: calibrated.
    """

    model: str = ""
    threshold: Probability | dict[str, Probability] | None = None


class PostRequest(_Input):
    """A post, and what to extract from it.

    Attributes:
        id: of the Document that is answered.
        text: the text.
        words: half-open offsets of its words, in code points, where they are known.
        images: files in base64.
        captions: who or what wrote it -> caption of the main image.
        times: when parts of the text were spoken.
        lang: language code; "" for unknown.
        labels: entity types, label -> description or labels; null: the model's own.
        relations: the same for relations; an empty list: none.
        options: model and threshold.
    """

    id: str = "post"
    text: str = ""
    words: tuple[Word, ...] = ()
    images: list[str | ImageInput] = []
    captions: dict[str, str] = {}
    times: tuple[TimeSpan, ...] = ()
    lang: str = ""
    labels: LabelTexts | None = None
    relations: LabelTexts | None = None
    options: Options = Options()


@dataclass(frozen=True, kw_only=True)
class Post:
    """A post as it was received.

    Attributes:
        document: without pixels and paths.
        files: the contents of its images, in order.
        request: what is to be extracted.
    """

    document: Document
    files: tuple[bytes, ...]
    request: PostRequest


def parse_post(body: bytes, settings: Settings) -> Post:
    """A post from a JSON object.

    Args:
        body: JSON in UTF-8.
        settings: bounds.

    Raises:
        Problem: no such JSON (422), an image that is an address or no image, or something beyond the bounds (413).
    """
    return make_post(parse_request(body), settings)


def parse_request(body: bytes) -> PostRequest:
    """A request from a JSON object, its images not decoded.

    Raises:
        Problem: status 422.
    """
    try:
        return PostRequest.model_validate_json(body)
    except ValidationError as error:
        record = validation_error("request", error).record
        told = {"expected": "an object as /openapi.json describes it", "remedy": "correct this field"}
        raise Problem(422, record.model_copy(update=told)) from None


def make_post(request: PostRequest, settings: Settings, uploaded: tuple[bytes, ...] = ()) -> Post:
    """The post of a request, its images decoded from base64 and checked by their headers.

    Args:
        request: what was asked.
        settings: bounds.
        uploaded: contents of further images.

    Raises:
        Problem: as `parse_post`.
    """
    _check_bounds(request, settings, len(uploaded))
    given = [x if isinstance(x, ImageInput) else ImageInput(data=x) for x in request.images]
    files = (*(decode_base64(x.data, f"images[{i}]", settings) for i, x in enumerate(given)), *uploaded)
    given += [ImageInput(data="")] * len(uploaded)
    images = []
    for i, (image, file) in enumerate(zip(given, files, strict=True)):
        width, height = check_image(file, f"images[{i}]", settings)
        name = image.id or ("main" if i == 0 else f"image{i + 1}")
        images.append(Image(id=name, kind=image.kind, time=image.time, width=width, height=height))
    try:
        document = Document(
            id=request.id, text=request.text, words=request.words, images=tuple(images),
            captions=request.captions, times=request.times, lang=request.lang,
        )  # fmt: skip
    except OpenMIEError as error:
        raise Problem.of_error(error) from None
    return Post(document=document, files=files, request=request)


def _check_bounds(request: PostRequest, settings: Settings, uploaded: int) -> None:
    counts = (
        (len(request.text), settings.max_text, "code points", "text"),
        (len(request.images) + uploaded, settings.max_images, "images", "images"),
        (len(request.labels or ()), settings.max_labels, "labels", "labels"),
        (len(request.relations or ()), settings.max_labels, "relations", "relations"),
    )
    for found, most, what, where in counts:
        if found > most:
            raise Problem.of_facts(413, f"{found:,} {what}", f"at most {most:,}", "send less at a time", where)
    if not (request.text or request.images or uploaded):
        raise Problem.of_facts(422, "neither text nor image", "a text, images, or both", "send one of them", "request")
