"""A post as a form (`multipart/form-data`): fields as in JSON, images as files, all of it held in memory."""

from __future__ import annotations

import json
from asyncio import to_thread
from typing import Any

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from openmie.serve.post_request import Post, make_post, parse_request
from openmie.serve.problems import Problem
from openmie.serve.settings import Settings

TEXTS = ("id", "text", "lang")
VALUES = ("words", "captions", "times", "labels", "relations", "options")  # in JSON
FILES = ("image", "images")


class _InMemory(MultiPartParser):
    """Writes no file: the body was bounded before, so that its parts are."""

    spool_max_size = 1 << 40


async def parse_multipart(request: Request, settings: Settings) -> Post:
    """A post from a form.

    Args:
        request: with the form; `text`, `id` and `lang` are texts, `labels`, `relations`, `options` and the like JSON,
            and each `image` is a file.
        settings: bounds.

    Raises:
        Problem: a broken form, another field (422), or something beyond the bounds (413).
    """
    parser = _InMemory(
        request.headers,
        request.stream(),
        max_files=settings.max_images + 1,
        max_fields=len(TEXTS) + len(VALUES),
        max_part_size=settings.max_body,
    )
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError, UnicodeError):
        raise Problem.of_facts(
            422,
            "a form that cannot be read, or one with too many parts",
            f"at most {settings.max_images} files, and the fields {', '.join((*TEXTS, *VALUES))}",
            "let a library make the form",
            "form",
        ) from None
    data: dict[str, Any] = {}
    uploaded: list[bytes] = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile) and name in FILES:
            uploaded.append(await value.read())
        elif isinstance(value, str) and name in TEXTS and name not in data:
            data[name] = value
        elif isinstance(value, str) and name in VALUES and name not in data:
            data[name] = _value(name, value)
        else:
            raise Problem.of_facts(
                422,
                f"the field {name[:60]!r}" + (" twice" if name in data else ""),
                f"one of: {', '.join((*TEXTS, *VALUES, *FILES))}",
                "send images as files of the field image, everything else as texts, each once",
                "form",
            )
    return await to_thread(make_post, parse_request(_encoded(data)), settings, tuple(uploaded))


def _value(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Problem.of_facts(
            422, "no JSON", "JSON in this field of the form", "write null to leave it out", name
        ) from None


def _encoded(data: dict[str, Any]) -> bytes:
    """The fields as JSON; ASCII, so that half a character is told as such."""
    return json.dumps(data).encode()
