"""The routes of the service: extraction of one post and of many, models, labels, health and metrics."""

from __future__ import annotations

import asyncio
from asyncio import to_thread
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

import openmie
from openmie.base.labels import LABELS, RELATIONS
from openmie.data.document import Document
from openmie.errors import OpenMIEError
from openmie.serve import metrics, openapi
from openmie.serve.connection import while_connected
from openmie.serve.multipart import parse_multipart
from openmie.serve.post_request import make_post, parse_post, parse_request
from openmie.serve.problems import Problem, without_paths
from openmie.serve.service import Service

router = APIRouter()
JSON_LINES = "application/jsonl"
LARGE = 1 << 16  # bytes of a body that is read in a thread
_JSON_LINES = (JSON_LINES, "application/x-ndjson", "application/json-lines", "application/jsonlines")


def _service(request: Request) -> Service:
    return request.app.state.service


@router.post("/v1/extract", **openapi.EXTRACT)
async def extract(request: Request) -> Response:
    """Extract from one post."""
    service, kind = _service(request), _media_type(request)
    if kind == "multipart/form-data":
        post = await parse_multipart(request, service.settings)
    elif kind == "application/json":
        body = await request.body()
        in_thread = len(body) > LARGE  # which would hold up all others
        post = await to_thread(parse_post, body, service.settings) if in_thread else parse_post(body, service.settings)
    else:
        raise _other_type(kind, ("application/json", "multipart/form-data"))
    found = await while_connected(request, service.predict(post))
    return Response(_json(found), media_type="application/json")


@router.post("/v1/extract/batch", **openapi.BATCH)
async def extract_batch(request: Request) -> Response:
    """Extract from many posts: JSON lines in, JSON lines out, in the same order, each as soon as it is there."""
    kind = _media_type(request)
    if kind not in _JSON_LINES:
        raise _other_type(kind, _JSON_LINES)
    lines = (await request.body()).split(b"\n")
    return StreamingResponse(_answers(_service(request), lines), media_type=JSON_LINES)


async def _answers(service: Service, lines: Iterable[bytes]) -> AsyncIterator[bytes]:
    """A line for each line that is not blank: the Document, or an empty one whose errors say what was wrong."""
    window = 2 * service.settings.batch_size
    running: deque[asyncio.Task[Document]] = deque()
    try:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            running.append(asyncio.create_task(_answer(service, line, number)))
            if len(running) >= window:
                yield _json(await running.popleft()) + b"\n"
        while running:
            yield _json(await running.popleft()) + b"\n"
    finally:
        for task in running:  # the client has gone
            task.cancel()


async def _answer(service: Service, line: bytes, number: int) -> Document:
    id = f"unread-{number}"
    try:
        request = parse_request(line)
        id = request.id
        post = (
            await to_thread(make_post, request, service.settings)
            if len(line) > LARGE
            else make_post(request, service.settings)
        )
        return await service.predict(post, patient=True)
    except OpenMIEError as error:
        where = f"line {number}, {error.record.where}".rstrip(", ")
        record = error.record if isinstance(error, Problem) else without_paths(error.record)
        return Document(id=id, errors=(record.model_copy(update={"where": where}),))


@router.get("/v1/models", **openapi.MODELS)
async def models(request: Request) -> Response:
    """The models, the first of which is used where none is named."""
    return JSONResponse({"models": _service(request).describe(), "version": openmie.__version__})


@router.get("/v1/labels", **openapi.LABELS)
async def labels() -> Response:
    """The built-in entity types and relations of openmie-base, with their descriptions."""
    return JSONResponse(
        {
            "labels": [{"name": name, **_texts(label)} for name, label in LABELS.items()],
            "relations": [
                {"name": name, **_texts(r), "head": r.head, "tail": r.tail, "symmetric": r.symmetric}
                for name, r in RELATIONS.items()
            ],
        }
    )


def _texts(label: Any) -> dict[str, str]:
    return {name: getattr(label, name) for name in ("words", "description", "words_zh", "description_zh")}


@router.get("/health", **openapi.HEALTH)
async def health() -> Response:
    """Whether the process answers."""
    return JSONResponse({"status": "ok"})


@router.get("/ready", **openapi.READY)
async def ready(request: Request) -> Response:
    """Whether requests are taken; no longer once the service stops."""
    is_ready = _service(request).is_ready
    return JSONResponse({"status": "ready" if is_ready else "not ready"}, 200 if is_ready else 503)


@router.get("/metrics", **openapi.METRICS)
async def read_metrics(request: Request) -> Response:
    """Prometheus metrics."""
    return Response(_service(request).metrics.text(), media_type=metrics.MEDIA_TYPE)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _other_type(found: str, known: Iterable[str]) -> Problem:
    shown = found[:60] if found else "no Content-Type"
    return Problem.of_facts(415, shown, f"one of: {', '.join(known)}", "name it in Content-Type", "Content-Type")


def _json(document: Document) -> bytes:
    return document.to_json().encode()
