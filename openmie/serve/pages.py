"""The page: its files, the cards that it shows, what it downloads, and the annotation that it saves.

Its files need no token, for they hold nothing of anybody; everything else does. The page draws posts with the cards of
`openmie view`: it sends a Document and gets the card as JSON values (`card_tree`).
"""

from __future__ import annotations

import tempfile
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from openmie.data.document import Document, Image
from openmie.data.layers import validation_error
from openmie.errors import ImageError, OpenMIEError
from openmie.report.comparison import compare, view_labels
from openmie.report.label_colours import assign_colours
from openmie.report.posts import render_cards
from openmie.report.style import style_sheet
from openmie.serve.annotations import AnnotationFolder, Saved, check_paths
from openmie.serve.card_tree import card_tree
from openmie.serve.problems import Problem
from openmie.serve.settings import Settings
from openmie.serve.uploads import check_image, decode_base64

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
Received = TypeVar("Received", bound=BaseModel)
MOST_PARTS = 5000  # entities, chains, relations and boxes of a card
SHARED = "look.js"  # of openmie.report: it draws in the pages of `openmie view`, too


class CardRequest(BaseModel):
    """A document to be drawn.

    Attributes:
        document: as JSON values.
        labels: that have a colour, whether or not the document has them: colours stay when labels go.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    document: dict[str, Any]
    labels: list[str] = []


class SaveRequest(BaseModel):
    """A document to be saved.

    Attributes:
        document: as JSON values.
        images: id -> file in base64, of images that are not stored yet.
        version: that was changed; "": a new one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    document: dict[str, Any]
    images: dict[str, str] = {}
    version: str = ""


def page_router(settings: Settings) -> APIRouter:
    """The routes of the page.

    Args:
        settings: bounds, and the folder of what is saved.
    """
    annotations = settings.annotations
    router = APIRouter(include_in_schema=False)
    _add_files(router)
    _add_cards(router, settings, annotations is not None)
    _add_annotations(router, settings, AnnotationFolder(annotations) if annotations else None)
    return router


def _add_files(router: APIRouter) -> None:
    @router.get("/")
    async def page() -> Response:
        """The page."""
        return page_file("index.html")

    @router.get("/favicon.ico")
    async def icon() -> Response:
        """The page's sign."""
        return page_file("icon.svg")

    @router.get("/page/{name}")
    async def file(name: str) -> Response:
        """A file of the page."""
        return page_file(name)


def page_file(name: str) -> Response:
    """A file of the page with its policy.

    Raises:
        Problem: no such file.
    """
    files = _files()
    if name not in files:
        raise Problem.of_facts(404, "no such file of the page", "one that the page names", "open the page again")
    return Response(files[name], headers=HEADERS, media_type=TYPES[Path(name).suffix])


@cache
def _files() -> dict[str, bytes]:
    """Name -> contents of each file of the page."""
    own = {file.name: file.read_bytes() for file in resources.files("openmie.serve").joinpath("page").iterdir()}
    shared = resources.files("openmie.report").joinpath("templates", SHARED).read_bytes()
    return {n: c for n, c in own.items() if Path(n).suffix in TYPES} | {
        SHARED: shared,
        "cards.css": style_sheet().encode(),
    }


def _add_cards(router: APIRouter, settings: Settings, saves: bool) -> None:
    @router.get("/v1/page")
    async def facts() -> Response:
        """What the page can do here."""
        limits = {"text": settings.max_text, "images": settings.max_images}
        return JSONResponse({"annotations": saves, "formats": [*FORMATS], "limits": limits})

    @router.post("/v1/page/card")
    async def card(request: Request) -> Response:
        """A document as a card."""
        sent = _parse(CardRequest, await request.body())
        return JSONResponse(await run_in_threadpool(draw_card, sent))

    @router.post("/v1/page/export/{name}")
    async def export(name: str, request: Request) -> Response:
        """A document as a file of a format."""
        if name not in FORMATS:
            raise Problem.of_error(OpenMIEError.unknown("format", name, FORMATS), 404)
        document = _document(_parse(CardRequest, await request.body()).document)
        return Response(await run_in_threadpool(FORMATS[name][1], document), media_type=FORMATS[name][0])


def draw_card(sent: CardRequest) -> dict[str, Any]:
    """The card of a document, and the number of each label's colour; no file is opened for its images."""
    document = _document(sent.document)
    parts = sum(map(len, (document.mentions, document.chains, document.relations, document.regions)))
    if parts > MOST_PARTS:
        raise Problem.of_facts(
            413, f"{parts:,} parts", f"at most {MOST_PARTS:,}", "show a part of the text", "document"
        )
    view = compare(document)
    colours = assign_colours([*sent.labels, *view_labels(view)])
    return {"card": card_tree(str(render_cards([view], 1, colours, 0, _address))), "colours": colours}


def _address(image: Image) -> tuple[str, tuple[int, int]]:
    """The page puts its own picture where this address stands."""
    if not image.width or not image.height:
        raise ImageError("no width and height", expected="those of the upright picture", where=image.id, remedy="")
    return f"image:{image.id}", (image.width, image.height)


def _csv(document: Document) -> bytes:
    from openmie.formats.csv_table import write_csv

    return _written(document, write_csv, "found.csv")


def _turtle(document: Document) -> bytes:
    from openmie.graph.build import build_graph

    return _written(document, build_graph, "found.ttl")


def _written(document: Document, write: Any, name: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="openmie-page-") as folder:
        write([document], Path(folder) / name)
        return (Path(folder) / name).read_bytes()


FORMATS: dict[str, tuple[str, Any]] = {
    "csv": ("text/csv; charset=utf-8", _csv),
    "ttl": ("text/turtle; charset=utf-8", _turtle),
}


def _add_annotations(router: APIRouter, settings: Settings, folder: AnnotationFolder | None) -> None:
    def opened() -> AnnotationFolder:
        if folder is None:
            raise Problem.of_facts(
                404, "no folder for annotation", "a server with one", "start it with --annotations FOLDER"
            )
        return folder

    @router.get("/v1/annotations")
    async def entries() -> Response:
        """What was saved: id, version, number of mentions, and the beginning of each text."""
        found = await run_in_threadpool(opened().saved)
        return JSONResponse({"annotations": [_entry(saved) for saved in found]})

    @router.get("/v1/annotations/document")
    async def read(id: str) -> Response:
        """One document with its version."""
        return _told(await run_in_threadpool(opened().find, id))

    @router.delete("/v1/annotations/document")
    async def delete(id: str, version: str) -> Response:
        """Delete one document of this version, with its images."""
        await run_in_threadpool(opened().delete, id, version)
        return JSONResponse({"deleted": id})

    @router.get("/v1/annotations/images/{name}")
    async def image(name: str) -> Response:
        """The file of an image."""
        return Response(await run_in_threadpool(opened().image, name), media_type="application/octet-stream")

    @router.post("/v1/annotations")
    async def save(request: Request) -> Response:
        """Save a document as gold."""
        target, sent = opened(), _parse(SaveRequest, await request.body())
        return _told(await run_in_threadpool(save_annotation, target, sent, settings))


def save_annotation(folder: AnnotationFolder, sent: SaveRequest, settings: Settings) -> Saved:
    """Save a document with its images.

    Args:
        folder: where to.
        sent: document, images and version.
        settings: bounds.

    Raises:
        Problem: what the page sent cannot be stored (422), or another version is stored (409).
    """
    document = _document(sent.document)
    check_paths(document)
    known = {image.id for image in document.images}
    if unknown := [id for id in sent.images if id not in known]:
        raise Problem.of_facts(422, f"an image {unknown[0][:80]!r}", "images of the document", "leave it out", "images")
    files = {}
    for id, data in sent.images.items():
        files[id] = decode_base64(data, f"images.{id[:80]}", settings)
        check_image(files[id], f"images.{id[:80]}", settings)
    return folder.save(document, files, sent.version)


def _entry(saved: Saved) -> dict[str, Any]:
    document = saved.document
    facts = {"id": document.id, "version": saved.version, "text": document.text[:80]}
    return {**facts, "mentions": len(document.mentions)}


def _told(saved: Saved) -> Response:
    body = saved.document.to_json()
    return Response(f'{{"version":"{saved.version}","document":{body}}}', media_type="application/json")


def _document(values: dict[str, Any]) -> Document:
    try:
        return Document(**values)
    except (OpenMIEError, TypeError) as error:
        known = error if isinstance(error, OpenMIEError) else OpenMIEError("other keys than those of a Document")
        raise Problem.of_error(known) from None


def _parse(kind: type[Received], body: bytes) -> Received:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        told = {"expected": "an object as the page sends it", "remedy": "load the page again"}
        raise Problem(422, validation_error("request", error).record.model_copy(update=told)) from None
