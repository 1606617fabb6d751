"""A typed client of `openmie serve`: Documents in, predicted Documents out. Needs httpx (extra `serve`), and no torch.

from openmie.client import Client

with Client("http://127.0.0.1:8000", token) as client:
    document = client.extract("Ada Lovelace spoke in Turin", ["photo.jpg"])
    for document in client.predict(documents): ...          # many, in order
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from openmie.data.document import USER_CAPTION, Document, Image
from openmie.data.image_places import refuse_url
from openmie.errors import ErrorRecord, ImageError, MissingPackageError, OpenMIEError

if TYPE_CHECKING:
    import httpx

URL = "http://127.0.0.1:8000"
TOKEN = "OPENMIE_TOKEN"  # variable of the environment
LINES, BYTES = 256, 8 << 20  # of one request of many posts, at most
LONGEST_WAIT = 60.0  # seconds between two tries
ImageSource = str | os.PathLike[str] | bytes  # a file, or the contents of one
LabelTexts = Mapping[str, str] | Sequence[str] | None


class ServiceError(OpenMIEError):
    """The service refused a request, or does not answer.

    Args:
        record: the four facts, as the service tells them.
        status: HTTP status; 0: there was no answer.
    """

    def __init__(self, record: ErrorRecord, status: int = 0) -> None:
        super().__init__(record.found, expected=record.expected, remedy=record.remedy, where=record.where)
        self.status = status


class Client:
    """A connection to a service; usable from one thread at a time.

    Args:
        url: of the service.
        token: that it printed; "": of the variable OPENMIE_TOKEN.
        timeout: seconds that an answer may take.
        tries: how often a request is sent that the service is too busy for, or that no answer came to.
        transport: of httpx, for tests.

    Raises:
        MissingPackageError: httpx is not installed.
    """

    def __init__(
        self,
        url: str = URL,
        token: str = "",
        *,
        timeout: float = 180.0,
        tries: int = 5,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        try:
            import httpx
        except ModuleNotFoundError as error:
            raise MissingPackageError.of_import(error) or error from None
        headers = {"Authorization": f"Bearer {token or os.environ.get(TOKEN, '')}"}
        self.url, self.tries, self._httpx = url, max(tries, 1), httpx
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def extract(
        self,
        text: str = "",
        images: Sequence[ImageSource] = (),
        *,
        labels: LabelTexts = None,
        relations: LabelTexts = None,
        threshold: float | Mapping[str, float] | None = None,
        model: str = "",
        caption: str = "",
    ) -> Document:
        """Extract from one post.

        Args:
            text: the text.
            images: files, or the contents of files.
            labels: entity types, label -> description or labels; None: the model's own.
            relations: the same for relations; an empty list: none.
            threshold: least score, a number or label -> number; None: calibrated.
            model: a name of `models`; "": the first one.
            caption: of the first image.

        Returns:
            The predicted Document. Its images have no paths.

        Raises:
            ServiceError: what the service refuses, or no answer.
            ImageError: a file that cannot be read.
        """
        captions = {USER_CAPTION: caption} if caption else {}
        post = {"text": text, "images": [_encoded(image) for image in images], "captions": captions}
        asked = _query(labels, relations, threshold, model)
        return Document.from_json(self._send("POST", "/v1/extract", json={**post, **asked}).content)

    def predict(
        self,
        documents: Iterable[Document],
        *,
        labels: LabelTexts = None,
        relations: LabelTexts = None,
        threshold: float | Mapping[str, float] | None = None,
        model: str = "",
    ) -> Iterator[Document]:
        """Predict documents, as a model's `predict` does: one for one, in order, by many at a time.

        Args:
            documents: with texts, images with paths, or both. No annotation is sent.
            labels: as in `extract`.
            relations: as in `extract`.
            threshold: as in `extract`.
            model: as in `extract`.

        Yields:
            The predicted Document, with the images of its input. What went wrong with one is in its `errors`.

        Raises:
            ServiceError: what the service refuses as a whole, or no answer.
        """
        asked = _query(labels, relations, threshold, model)
        for some in _portions((_sent(document, asked) for document in documents), LINES, BYTES):
            body = b"".join(one.line for one in some)
            answer = self._send("POST", "/v1/extract/batch", content=body, type="application/jsonl").content
            found = [Document.from_json(line) for line in answer.split(b"\n") if line]
            if len(found) != len(some):
                raise ServiceError(
                    ErrorRecord(
                        found=f"{len(found)} answers to {len(some)} posts",
                        expected="one for each",
                        remedy="send the posts again: the service was stopped",
                    )
                )
            for sent, one in zip(some, found):
                images = _with_sizes(sent.document.images, one.images)
                yield one.replace(id=sent.document.id, images=images, errors=(*sent.errors, *one.errors))

    def models(self) -> list[dict[str, Any]]:
        """The models of the service: `name`, `kind`, `takes_labels`, `reads_images`, `labels`, `relations`."""
        return self._send("GET", "/v1/models").json()["models"]

    def labels(self) -> dict[str, Any]:
        """The built-in entity types and relations of openmie-base, with their descriptions."""
        return self._send("GET", "/v1/labels").json()

    def is_ready(self) -> bool:
        """Whether the service takes requests."""
        try:
            return self._http.get("/ready").status_code == 200
        except self._httpx.HTTPError:
            return False

    def _send(self, method: str, path: str, *, type: str = "application/json", **content: Any) -> httpx.Response:
        """An answer with status 200; a request that finds the service busy is sent again when it says."""
        headers = {"Content-Type": type} if method == "POST" else {}
        for left in range(self.tries - 1, -1, -1):
            try:
                answer = self._http.request(method, path, headers=headers, **content)
            except self._httpx.HTTPError as error:
                if left and isinstance(error, self._httpx.ConnectError):
                    time.sleep(0.2)
                    continue
                raise ServiceError(_no_answer(self.url, error)) from None
            if answer.status_code == 200:
                return answer
            if answer.status_code not in (429, 503) or not left:
                raise ServiceError(_record(answer), answer.status_code)
            time.sleep(min(_seconds(answer.headers.get("Retry-After", "")), LONGEST_WAIT))
        raise AssertionError("at least one try")


def _query(labels: LabelTexts, relations: LabelTexts, threshold: Any, model: str) -> dict[str, Any]:
    named = {"labels": labels, "relations": relations}
    asked = {name: x if x is None or isinstance(x, Mapping) else list(x) for name, x in named.items()}
    return {**asked, "options": {"model": model, "threshold": threshold}}


@dataclass(frozen=True)
class _Sent:
    """A document, the line that is sent of it, and what is wrong with its images."""

    document: Document
    line: bytes
    errors: tuple[ErrorRecord, ...]


def _sent(document: Document, asked: Mapping[str, Any]) -> _Sent:
    """What is sent of a document; an image that cannot be read is left out, and told."""
    images, errors = [], []
    for x in document.images:
        if x.path and x.kind in ("main", "frame"):
            try:
                images.append({"data": _encoded(x.path), "id": x.id, "time": x.time, "kind": x.kind})
            except ImageError as error:
                errors.append(error.record.model_copy(update={"where": f"document {document.id}, image {x.id}"}))
    told = json.loads(document.without_gold().replace(images=(), phrases=()).to_json())
    return _Sent(document, json.dumps({**told, **asked, "images": images}).encode() + b"\n", tuple(errors))


def _encoded(image: ImageSource) -> str:
    """A file in base64."""
    if isinstance(image, bytes):
        return base64.b64encode(image).decode()
    refuse_url(os.fspath(image))
    try:
        return base64.b64encode(Path(image).read_bytes()).decode()
    except OSError as error:
        raise ImageError(
            error.strerror or "a file that cannot be read",
            expected="an image file",
            where=f"image {os.fspath(image)}",
            remedy="check the path",
        ) from None


def _with_sizes(given: Sequence[Image], answered: Sequence[Image]) -> tuple[Image, ...]:
    sizes = {x.id: {"width": x.width, "height": x.height} for x in answered}
    return tuple(x.model_copy(update=sizes.get(x.id, {})) for x in given)


def _portions(items: Iterable[_Sent], most: int, size: int) -> Iterator[list[_Sent]]:
    """The items in portions of so many, or of so many bytes."""
    portion: list[_Sent] = []
    held = 0
    for one in items:
        if portion and (len(portion) == most or held + len(one.line) > size):
            yield portion
            portion, held = [], 0
        portion.append(one)
        held += len(one.line)
    if portion:
        yield portion


def _record(answer: httpx.Response) -> ErrorRecord:
    """What the service says of an error; of something else than a service its status."""
    try:
        told = answer.json()
        where, found, expected, remedy = (str(told[name]) for name in ("where", "found", "expected", "remedy"))
        return ErrorRecord(where=where, found=found, expected=expected, remedy=remedy)
    except (ValueError, KeyError, TypeError):
        return ErrorRecord(
            found=f"status {answer.status_code}", expected="an answer of openmie serve", remedy="check the address"
        )


def _no_answer(url: str, error: Exception) -> ErrorRecord:
    return ErrorRecord(
        where=url,
        found=f"no answer ({type(error).__name__})",
        expected="a service that answers in time",
        remedy="start it with `openmie serve`, or pass a longer timeout",
    )


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else 1.0
