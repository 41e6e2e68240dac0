"""The routes of Confluent's Schema Registry that its clients and Avro (de)serializers use.

Nothing can be deleted: replays read all history. Schemas are Avro and stand alone (no references).
Source: Confluent Schema Registry API reference; the tests have Confluent's own client speak to it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from auditstream.embedded.registry_contents import RegistryContents, StoredSchema, Version
from auditstream.embedded.registry_errors import (
    RegistryRefusalError,
    invalid_schema,
    invalid_version,
    no_own_level,
    no_own_mode,
)

_MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
_LAST_VERSION = 2**31 - 1
_MAX_BODY_BYTES = 4 * 1024 * 1024

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(contents: RegistryContents) -> web.Application:
    """Return the registry as an application."""
    app = web.Application(middlewares=[_errors], client_max_size=_MAX_BODY_BYTES)
    routes, settings = _SchemaRoutes(contents), _SettingRoutes(contents)
    app.add_routes(
        [
            web.get("/", routes.root),
            web.get("/schemas/types", routes.types),
            web.get(r"/schemas/ids/{id:\d+}", routes.by_id),
            web.get(r"/schemas/ids/{id:\d+}/schema", routes.text_by_id),
            web.get(r"/schemas/ids/{id:\d+}/subjects", routes.subjects_of_id),
            web.get(r"/schemas/ids/{id:\d+}/versions", routes.versions_of_id),
            web.get("/schemas/guids/{guid}", routes.by_guid),
            web.get("/subjects", routes.subjects),
            web.post("/subjects/{subject}", routes.look_up),
            web.get("/subjects/{subject}/versions", routes.versions),
            web.post("/subjects/{subject}/versions", routes.register),
            web.get("/subjects/{subject}/versions/{version}", routes.version),
            web.get("/subjects/{subject}/versions/{version}/schema", routes.version_text),
            web.post("/compatibility/subjects/{subject}/versions", routes.check),
            web.post("/compatibility/subjects/{subject}/versions/{version}", routes.check),
        ]
    )
    for kind, get, put, delete in (
        ("config", settings.level, settings.set_level, settings.drop_level),
        ("mode", settings.mode, settings.set_mode, settings.drop_mode),
    ):
        for path in (f"/{kind}", f"/{kind}/{{subject}}"):
            app.add_routes([web.get(path, get), web.put(path, put), web.delete(path, delete)])
    return app


class _SchemaRoutes:
    def __init__(self, contents: RegistryContents) -> None:
        self._contents = contents

    async def root(self, _: web.Request) -> web.Response:
        return _answer({})

    async def types(self, _: web.Request) -> web.Response:
        return _answer(["AVRO"])

    async def by_id(self, request: web.Request) -> web.Response:
        schema = self._schema(request)
        subject = request.query.get("subject")
        use = next((use for use in self._contents.uses(schema) if use.subject == subject), None)
        return _answer(_schema_answer(schema) if use is None else _version_answer(use))

    async def text_by_id(self, request: web.Request) -> web.Response:
        return _answer_text(self._schema(request).text)

    async def subjects_of_id(self, request: web.Request) -> web.Response:
        return _answer(sorted({use.subject for use in self._uses(request)}))

    async def versions_of_id(self, request: web.Request) -> web.Response:
        return _answer([{"subject": use.subject, "version": use.number} for use in self._uses(request)])

    async def by_guid(self, request: web.Request) -> web.Response:
        schema = self._contents.schema_by_guid(request.match_info["guid"])
        return _answer(_schema_answer(schema) | {"id": schema.id})

    async def subjects(self, request: web.Request) -> web.Response:
        start = request.query.get("subjectPrefix", "")
        return _answer([name for name in self._contents.subjects if name.startswith(start)])

    async def look_up(self, request: web.Request) -> web.Response:
        text, normalize = await _schema_body(request), _flag(request, "normalize")
        version = self._contents.look_up(request.match_info["subject"], text, normalize=normalize)
        return _answer(_version_answer(version))

    async def versions(self, request: web.Request) -> web.Response:
        return _answer([each.number for each in self._contents.versions(request.match_info["subject"])])

    async def register(self, request: web.Request) -> web.Response:
        text, normalize = await _schema_body(request), _flag(request, "normalize")
        version = self._contents.register(request.match_info["subject"], text, normalize=normalize)
        return _answer(_version_answer(version))

    async def version(self, request: web.Request) -> web.Response:
        return _answer(_version_answer(self._version(request)))

    async def version_text(self, request: web.Request) -> web.Response:
        return _answer_text(self._version(request).schema.text)

    async def check(self, request: web.Request) -> web.Response:
        text, subject = await _schema_body(request), request.match_info["subject"]
        against = self._against(request)
        problems = self._contents.problems(subject, text, against)
        answer: dict[str, Any] = {"is_compatible": not problems}
        if _flag(request, "verbose"):
            answer["messages"] = [str(problem) for problem in problems]
        return _answer(answer)

    def _against(self, request: web.Request) -> Version | None:
        """Return the version that a check names; None for all, or for the latest of a new subject."""
        if "version" not in request.match_info:
            return None
        is_new = request.match_info["subject"] not in self._contents.subjects
        return None if is_new and _version_number(request) is None else self._version(request)

    def _schema(self, request: web.Request) -> StoredSchema:
        return self._contents.schema(int(request.match_info["id"]))

    def _uses(self, request: web.Request) -> list[Version]:
        subject = request.query.get("subject")
        uses = self._contents.uses(self._schema(request))
        return [use for use in uses if subject in {None, use.subject}]

    def _version(self, request: web.Request) -> Version:
        return self._contents.version(request.match_info["subject"], _version_number(request))


class _SettingRoutes:
    """Compatibility levels and modes; without a subject, the defaults of all."""

    def __init__(self, contents: RegistryContents) -> None:
        self._contents = contents

    async def level(self, request: web.Request) -> web.Response:
        subject = _subject(request)
        if subject and self._contents.own_level(subject) is None and not _flag(request, "defaultToGlobal"):
            raise no_own_level(subject)
        return _answer({"compatibilityLevel": self._contents.level(subject)})

    async def set_level(self, request: web.Request) -> web.Response:
        level = str((await _body(request)).get("compatibility", "")).upper()
        self._contents.set_level(_subject(request), level)
        return _answer({"compatibility": level})

    async def drop_level(self, request: web.Request) -> web.Response:
        subject = _subject(request)
        level = self._contents.level(subject)
        self._contents.set_level(subject, None)
        return _answer({"compatibilityLevel": level})

    async def mode(self, request: web.Request) -> web.Response:
        subject = _subject(request)
        if subject and self._contents.own_mode(subject) is None and not _flag(request, "defaultToGlobal"):
            raise no_own_mode(subject)
        return _answer({"mode": self._contents.mode(subject)})

    async def set_mode(self, request: web.Request) -> web.Response:
        mode = str((await _body(request)).get("mode", "")).upper()
        self._contents.set_mode(_subject(request), mode)
        return _answer({"mode": mode})

    async def drop_mode(self, request: web.Request) -> web.Response:
        subject = _subject(request)
        mode = self._contents.mode(subject)
        self._contents.set_mode(subject, None)
        return _answer({"mode": mode})


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer refusals as the registry does, and routes that do not exist as its HTTP server does."""
    try:
        return await handler(request)
    except RegistryRefusalError as refusal:
        return _answer({"error_code": refusal.code, "message": refusal.message}, status=refusal.status)
    except web.HTTPException as error:
        message = f"HTTP {error.status} {error.reason}"
        return _answer({"error_code": error.status, "message": message}, status=error.status)


def _subject(request: web.Request) -> str:
    return request.match_info.get("subject", "")


def _flag(request: web.Request, name: str) -> bool:
    return request.query.get(name, "").lower() == "true"


def _version_number(request: web.Request) -> int | None:
    """Return the version in the path; None for the latest."""
    text = request.match_info["version"]
    if text in {"latest", "-1"}:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _LAST_VERSION):
        raise invalid_version(text)
    return int(text)


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError as error:
        raise RegistryRefusalError(400, f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise RegistryRefusalError(400, "the body is not a JSON object")
    return body


async def _schema_body(request: web.Request) -> str:
    body = await _body(request)
    if body.get("schemaType") not in {None, "AVRO"}:
        raise invalid_schema(f"this registry holds AVRO only, not {body['schemaType']}")
    if body.get("references"):
        raise invalid_schema("this registry takes no references to other schemas")
    text = body.get("schema")
    if not isinstance(text, str):
        raise invalid_schema("the body has no schema")
    return text


def _schema_answer(schema: StoredSchema) -> dict[str, Any]:
    return {"schema": schema.text, "guid": schema.guid}


def _version_answer(version: Version) -> dict[str, Any]:
    place = {"subject": version.subject, "version": version.number, "id": version.schema.id}
    return place | _schema_answer(version.schema)


def _answer(content: object, status: int = 200) -> web.Response:
    return web.Response(text=json.dumps(content), status=status, content_type=_MEDIA_TYPE)


def _answer_text(text: str) -> web.Response:
    return web.Response(text=text, content_type=_MEDIA_TYPE)
