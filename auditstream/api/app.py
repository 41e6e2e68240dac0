"""The API as an application: its routes, what it says of itself, and what is mounted beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp

from auditstream.api import (
    budget_routes,
    cost_routes,
    event_routes,
    export_routes,
    finding_routes,
    health_routes,
    integrity_routes,
    objective_routes,
    problems,
    session_routes,
    tail_routes,
)
from auditstream.api.answers import Answers
from auditstream.api.descriptions import Problem
from auditstream.api.parts import Parts

PREFIX = "/api/v1"
OPENAPI = "/api/openapi.json"

Mount = tuple[str, ASGIApp]
"""Path, and the application that answers below it."""

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_ABOUT = """The record of AI actions: events, costs, findings, objectives and evidence.

Sign in with `Authorization: Bearer ast_…`. A token sees the rows of its tenants and of its period; every
question is itself recorded. Lists answer in JSON, NDJSON or CSV, as `Accept` says."""


@asynccontextmanager
async def _nothing(_app: FastAPI) -> AsyncIterator[None]:
    yield


def create_app(
    parts: Parts, *, mounts: Sequence[Mount] = (), home: str = "", lifespan: Lifespan = _nothing
) -> FastAPI:
    """Return the application.

    Args:
        parts: What it is made of.
        mounts: What answers beside the API, as the console; the API's own paths come first.
        home: Where `/` sends to; nothing is there when empty.
        lifespan: Runs around the serving.
    """
    app = FastAPI(
        title="auditstream",
        version="1",
        description=_ABOUT,
        openapi_url=None,
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.parts = parts
    problems.register(app)
    app.add_middleware(Answers, metrics=parts.metrics)
    api = APIRouter(prefix=PREFIX)
    for each in (
        event_routes,
        tail_routes,
        cost_routes,
        budget_routes,
        finding_routes,
        objective_routes,
        integrity_routes,
        export_routes,
    ):
        api.include_router(each.router)
    app.include_router(api)
    app.include_router(health_routes.router)
    app.include_router(session_routes.router)
    described = _described(app)
    app.add_api_route(OPENAPI, lambda: described, include_in_schema=False)
    if home:
        app.add_api_route("/", lambda: RedirectResponse(home), include_in_schema=False)
    for path, mounted in mounts:
        app.mount(path, mounted)
    return app


def _described(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, with problems as every route may answer them."""
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema()
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"token": []}]
    return document
