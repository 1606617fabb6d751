"""The service as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

import openmie
from openmie.errors import OpenMIEError
from openmie.serve import openapi, pages, routes
from openmie.serve.gate import RequestGuard
from openmie.serve.metrics import Metrics
from openmie.serve.problems import Problem, response
from openmie.serve.served_model import ServedModel
from openmie.serve.service import Service
from openmie.serve.settings import Settings


def create_application(models: Mapping[str, ServedModel], settings: Settings) -> FastAPI:
    """The service.

    Args:
        models: by the names that requests use; the first one is used where none is named.
        settings: tokens and bounds.

    Returns:
        An application whose `state.service` has models and queues. Its models are loaded; queues run while its lifespan
        does.
    """
    metrics = Metrics()
    service = Service(models, settings, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        await service.stop()

    application = FastAPI(
        title="openmie",
        version=openmie.__version__,
        description=openapi.DESCRIPTION,
        docs_url=None,  # its page loads scripts of a foreign host
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    application.state.service = service
    application.include_router(routes.router)
    application.include_router(pages.page_router(settings))
    application.openapi = partial(openapi.describe, application)  # type: ignore[method-assign]
    application.add_exception_handler(OpenMIEError, _tell_error)
    application.add_exception_handler(HTTPException, _tell_status)
    application.add_middleware(RequestGuard, settings=settings, metrics=metrics)
    return application


async def _tell_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, OpenMIEError)
    return response(Problem.of_error(error))


async def _tell_status(_: Request, error: Exception) -> Response:
    """Unknown paths, and methods that a path does not have."""
    assert isinstance(error, HTTPException)
    found = {404: "no such path", 405: "a method that this path does not have"}
    problem = Problem.of_facts(
        error.status_code,
        found.get(error.status_code, HTTPStatus(error.status_code).phrase.lower()),
        "a path and a method that /openapi.json lists",
        "compare with /openapi.json",
    )
    problem.headers.update(error.headers or {})
    return response(problem)
