"""The OpenAPI description of the service: what each route takes and answers, with examples."""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.responses import Response

from openmie.data.document import Document
from openmie.serve.post_request import PostRequest
from openmie.serve.problems import MEDIA_TYPE, Problem, body_of

DESCRIPTION = (
    "Multimodal information extraction: a post with images in; entities, relations and boxes out, as a Document. "
    "Offsets are half-open and count Unicode code points. Every request but those for health carries the header "
    "`Authorization: Bearer TOKEN`. An error says where it arose, what was found, what was expected and what to do."
)
TEXT = "Ada Lovelace spoke in Turin"
DOT = (  # a PNG of one pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)
POSTS: dict[str, dict[str, Any]] = {
    "text": {"text": TEXT},
    "labels": {
        "text": TEXT,
        "labels": {"PER": "a person", "CITY": "a city or town"},
        "relations": [],
        "options": {"threshold": 0.5},
    },
    "image": {"id": "7", "text": "Ada at home", "images": [DOT]},
}
ANSWER = {
    "id": "post",
    "text": TEXT,
    "mentions": [
        {"id": "m0", "start": 0, "end": 12, "label": "PER", "text": "Ada Lovelace", "score": 0.97},
        {"id": "m1", "start": 22, "end": 27, "label": "LOC", "text": "Turin", "score": 0.95},
    ],
}
PROBLEM = body_of(
    Problem.of_facts(422, "an address or a path", "the file itself in base64", "send the file", "images[0]")
)
_STATUSES = {
    400: "A request that is no HTTP.",
    401: "No token, or a wrong one.",
    408: "The body did not arrive in time.",
    413: "Beyond the bounds of the service.",
    415: "Another media type.",
    422: "A request that cannot be answered.",
    429: "Too many requests at once; `Retry-After` says when to try again.",
    500: "An error of the server.",
    504: "No prediction in time.",
}
_POST_STATUSES = tuple(_STATUSES)
_GET_STATUSES = (401, 413, 415, 429, 500)


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    content = {MEDIA_TYPE: {"schema": _ref("Problem"), "example": PROBLEM}}
    return {status: {"description": _STATUSES[status], "content": content} for status in statuses}


def _answers(description: str, media_type: str, example: Any, schema: dict[str, Any] | None = None) -> dict[Any, Any]:
    content = {media_type: {"schema": schema or {"type": "object"}, "example": example}}
    return {200: {"description": description, "content": content}}


def _route(responses: dict[Any, Any], body: dict[str, Any] | None = None, *, is_open: bool = False) -> dict[str, Any]:
    extra: dict[str, Any] = {"requestBody": {"required": True, "content": body}} if body else {}
    if is_open:
        extra["security"] = []
    return {"responses": responses, "openapi_extra": extra, "response_class": Response}


_FORM = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string"},
        "text": {"type": "string"},
        "lang": {"type": "string"},
        "image": {"type": "array", "items": {"type": "string", "format": "binary"}},
        **{
            name: {"type": "string", "contentMediaType": "application/json"}
            for name in ("words", "captions", "times", "labels", "relations", "options")
        },
    },
}
_EXAMPLES = {name: {"value": value} for name, value in POSTS.items()}
EXTRACT = _route(
    _answers("The predicted Document.", "application/json", ANSWER, _ref("Document")) | _problems(*_POST_STATUSES),
    {
        "application/json": {"schema": _ref("PostRequest"), "examples": _EXAMPLES},
        "multipart/form-data": {"schema": _FORM, "example": {"text": TEXT, "labels": '{"PER": "a person"}'}},
    },
)
_LINES = {"type": "string", "description": "JSON lines, a post each"}
BATCH = _route(
    _answers(
        "A Document a line, in the order of the posts; that of a post with an error has `errors`.",
        "application/jsonl",
        json.dumps(ANSWER) + "\n",
        {"type": "string"},
    )
    | _problems(401, 408, 413, 415, 429, 500),
    {"application/jsonl": {"schema": _LINES, "example": json.dumps(POSTS["text"]) + "\n"}},
)
MODELS = _route(_answers("The models.", "application/json", {"models": []}) | _problems(*_GET_STATUSES))
LABELS = _route(_answers("The labels.", "application/json", {"labels": []}) | _problems(*_GET_STATUSES))
METRICS = _route(_answers("Prometheus metrics.", "text/plain", "", {"type": "string"}) | _problems(*_GET_STATUSES))
HEALTH = _route(_answers("It answers.", "application/json", {"status": "ok"}), is_open=True)
READY = _route(
    _answers("Requests are taken.", "application/json", {"status": "ready"})
    | {503: {"description": "No requests are taken, or not any more.", "content": {"application/json": {}}}},
    is_open=True,
)


def describe(application: FastAPI) -> dict[str, Any]:
    """The description, made once.

    Args:
        application: with its routes.
    """
    if application.openapi_schema is None:
        found = get_openapi(
            title=application.title,
            version=application.version,
            description=application.description,
            routes=application.routes,
        )
        _, models = models_json_schema(
            [(PostRequest, "validation"), (Document, "serialization")], ref_template="#/components/schemas/{model}"
        )
        texts = ("type", "title", "detail", "where", "found", "expected", "remedy")
        problem = {
            "type": "object",
            "required": [*texts, "status"],
            "properties": {**{name: {"type": "string"} for name in texts}, "status": {"type": "integer"}},
        }
        found["components"] = {
            "schemas": {**models["$defs"], "Problem": problem},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        }
        found["security"] = [{"token": []}]
        application.openapi_schema = found
    return application.openapi_schema
