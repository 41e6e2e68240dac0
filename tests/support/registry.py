"""A small Confluent-compatible registry on loopback that can be told to fail.

It checks nothing about the schemas it is given. `tests/contract/schemas` has Confluent's own client speak to
it, so that what it answers is what a registry answers.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class RegistryDouble:
    """State of the registry, to look at and to change from a test.

    Attributes:
        failures: Answers to give to the next requests instead of the real one: a status, or `cut` to close
            the connection, `html` for a proxy's page, `list` for JSON that is no object.
        hold: When set, requests wait for it, so that a test can have several under way.
        arrived: Set once a request has arrived.
        requests: Method and path of every request that arrived.
        expected_authorization: Authorization header to insist on.
        tokens: Access tokens given out, newest last.
        token_life_s: `expires_in` of the tokens.
        retry_after: Retry-After header of failures.
    """

    url: str = ""
    schemas: dict[int, dict[str, object]] = field(default_factory=dict)
    subjects: dict[str, list[int]] = field(default_factory=dict)
    levels: dict[str, str] = field(default_factory=dict)
    incompatible: tuple[str, ...] = ()
    failures: list[int | str] = field(default_factory=list)
    hold: asyncio.Event | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    requests: list[str] = field(default_factory=list)
    expected_authorization: str | None = None
    tokens: list[str] = field(default_factory=list)
    token_forms: list[dict[str, str]] = field(default_factory=list)
    token_life_s: float = 300.0
    token_failure: int | str | None = None
    retry_after: str | None = None

    def add(self, subject: str, text: str, **more: object) -> int:
        """Put a schema into a subject and return its id; `more` goes into the answers as it is."""
        guid = uuid.UUID(bytes=hashlib.md5(text.encode(), usedforsecurity=False).digest())
        known = [i for i, s in self.schemas.items() if s["guid"] == str(guid)]
        schema_id = known[0] if known else len(self.schemas) + 1
        self.schemas[schema_id] = {"schema": text, "guid": str(guid)} | more
        versions = self.subjects.setdefault(subject, [])
        if schema_id not in versions:
            versions.append(schema_id)
        return schema_id

    def guid(self, schema_id: int) -> uuid.UUID:
        """Return a schema's GUID."""
        return uuid.UUID(str(self.schemas[schema_id]["guid"]))


@asynccontextmanager
async def running_registry() -> AsyncIterator[RegistryDouble]:
    """Run a registry on a free port of loopback."""
    double = RegistryDouble()
    runner = web.AppRunner(_application(double), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    double.url = f"http://{host}:{port}"
    try:
        yield double
    finally:
        await runner.cleanup()


def _application(double: RegistryDouble) -> web.Application:
    application = web.Application(middlewares=[_faults(double)])
    routes = _Routes(double)
    application.router.add_get("/schemas/ids/{id:[0-9]+}", routes.by_id)
    application.router.add_get("/schemas/guids/{guid}", routes.by_guid)
    application.router.add_post("/subjects/{subject}/versions", routes.register)
    application.router.add_post("/subjects/{subject}", routes.look_up)
    application.router.add_get("/subjects/{subject}/versions/latest", routes.latest)
    application.router.add_post("/compatibility/subjects/{subject}/versions", routes.check)
    application.router.add_put("/config/{subject}", routes.set_level)
    application.router.add_post("/token", routes.token)
    return application


def _faults(double: RegistryDouble) -> object:
    @web.middleware
    async def middleware(request: web.Request, handler: object) -> web.StreamResponse:
        if request.path == "/token":
            return await handler(request)  # type: ignore[operator, no-any-return]
        double.requests.append(f"{request.method} {request.path}")
        double.arrived.set()
        if double.hold is not None:
            await double.hold.wait()
        if double.failures:
            return _failure(request, double.failures.pop(0), double.retry_after)
        expected = double.expected_authorization
        if expected is not None and request.headers.get("Authorization") != expected:
            return _error(401, 40101, "unauthorized")
        try:
            return await handler(request)  # type: ignore[operator, no-any-return]
        except web.HTTPNotFound:
            return _error(404, 404, "HTTP 404 Not Found")

    return middleware


def _failure(request: web.Request, failure: int | str, retry_after: str | None) -> web.Response:
    if failure == "cut":
        assert request.transport is not None
        request.transport.abort()
        return web.Response()
    if failure == "html":
        return web.Response(status=404, text="<h1>Not Found</h1>", content_type="text/html")
    if failure == "list":
        return web.json_response([])
    if failure == "empty":
        return web.json_response({})
    assert isinstance(failure, int)
    headers = {"Retry-After": retry_after} if retry_after else None
    return web.json_response(
        {"error_code": failure, "message": "told to fail"}, status=failure, headers=headers
    )


def _error(status: int, code: int, message: str) -> web.Response:
    return web.json_response({"error_code": code, "message": message}, status=status)


class _Routes:
    def __init__(self, double: RegistryDouble) -> None:
        self._double = double

    async def by_id(self, request: web.Request) -> web.Response:
        schema = self._double.schemas.get(int(request.match_info["id"]))
        return _error(404, 40403, "Schema not found") if schema is None else web.json_response(schema)

    async def by_guid(self, request: web.Request) -> web.Response:
        for schema_id, schema in self._double.schemas.items():
            if schema["guid"] == request.match_info["guid"]:
                return web.json_response(schema | {"id": schema_id})
        return _error(404, 40403, "Schema not found")

    async def register(self, request: web.Request) -> web.Response:
        text = (await request.json())["schema"]
        subject = request.match_info["subject"]
        try:
            json.loads(text)
        except ValueError:
            return _error(422, 42201, "Invalid schema")
        if self._double.incompatible:
            return _error(409, 409, "Schema being registered is incompatible")
        schema_id = self._double.add(subject, text)
        version = self._double.subjects[subject].index(schema_id) + 1
        return web.json_response(self._version(subject, version))

    async def look_up(self, request: web.Request) -> web.Response:
        text = (await request.json())["schema"]
        subject = request.match_info["subject"]
        if subject not in self._double.subjects:
            return _error(404, 40401, "Subject not found")
        for number, schema_id in enumerate(self._double.subjects[subject], start=1):
            if self._double.schemas[schema_id]["schema"] == text:
                return web.json_response(self._version(subject, number))
        return _error(404, 40403, "Schema not found")

    async def latest(self, request: web.Request) -> web.Response:
        subject = request.match_info["subject"]
        versions = self._double.subjects.get(subject)
        if not versions:
            return _error(404, 40401, "Subject not found")
        return web.json_response(self._version(subject, len(versions)))

    async def check(self, request: web.Request) -> web.Response:
        if request.match_info["subject"] not in self._double.subjects:
            return _error(404, 40401, "Subject not found")
        messages = list(self._double.incompatible)
        return web.json_response({"is_compatible": not messages, "messages": messages})

    async def set_level(self, request: web.Request) -> web.Response:
        level = (await request.json())["compatibility"]
        self._double.levels[request.match_info["subject"]] = level
        return web.json_response({"compatibility": level})

    async def token(self, request: web.Request) -> web.Response:
        double = self._double
        if double.token_failure is not None:
            return _failure(request, double.token_failure, None)
        double.token_forms.append({key: str(value) for key, value in (await request.post()).items()})
        if request.headers.get("Authorization") != basic("client", "s%26cr%3At"):
            return web.json_response({"error": "invalid_client"}, status=401)
        double.tokens.append(f"token-{len(double.tokens) + 1}")
        return web.json_response({"access_token": double.tokens[-1], "expires_in": double.token_life_s})

    def _version(self, subject: str, version: int) -> dict[str, object]:
        schema_id = self._double.subjects[subject][version - 1]
        return {"subject": subject, "version": version, "id": schema_id} | self._double.schemas[schema_id]


def basic(username: str, password: str) -> str:
    """Return an HTTP Basic Authorization header (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
