"""Client of a Confluent-compatible schema registry: one request a call, retried; nothing is remembered.

`schemas.schema_store` remembers. What an answer means, in our errors: the schema is not there or is not Avro,
SchemaError; the registry cannot be used now (no answer, 5xx, 429, refused credentials, an answer that is not
a registry's), RegistryDownError; a request that it refuses for what it asks, RequestError.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar
from urllib.parse import quote
from uuid import UUID

from auditstream.core.clock import Clock, SystemClock
from auditstream.core.errors import NotFoundError, RegistryDownError, RequestError, SchemaError
from auditstream.core.settings import RegistrySettings
from schemas.compatibility import Level
from schemas.framing import SchemaRef
from schemas.registry_auth import Authorization, FixedAuthorization, authorization_of
from schemas.registry_http import URL_HINT, RegistryHttp

_T = TypeVar("_T")

_LAST_ID = 2**31 - 1
"""Ids are Java ints; a registry takes a larger one for a wrong route."""


@dataclass(frozen=True, slots=True)
class RegisteredSchema:
    """A schema as the registry has it.

    Attributes:
        text: The schema's JSON text.
        id: Registry id, None where the answer does not say.
        guid: Registry GUID, None where the registry has none.
        subject: Subject, empty when asked for by id.
        version: Version in the subject, 0 when asked for by id.
    """

    text: str
    id: int | None = None
    guid: UUID | None = None
    subject: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The registry's answer to whether a schema may be added.

    Attributes:
        compatible: Whether it may.
        messages: Why not, in the registry's words.
    """

    compatible: bool
    messages: tuple[str, ...] = ()


class RegistryClient:
    """The routes of one registry that the product uses; an async context manager, for one event loop.

    Args:
        url: Base URL.
        authorization: Gives the Authorization header; none when None.
        timeout_s: Bound on one attempt.
        attempts: How often a request is tried in all.
        backoff_s: Longest wait before the second attempt; doubles with each one.
    """

    def __init__(
        self,
        url: str,
        authorization: Authorization | None = None,
        *,
        timeout_s: float = 5.0,
        attempts: int = 3,
        backoff_s: float = 0.2,
    ) -> None:
        self.url = url
        self._http = RegistryHttp(
            url,
            authorization or FixedAuthorization(),
            timeout_s=timeout_s,
            attempts=attempts,
            backoff_s=backoff_s,
        )

    @classmethod
    def from_settings(cls, settings: RegistrySettings, clock: Clock | None = None) -> Self:
        """Return a client as the settings say."""
        authorization = authorization_of(settings, clock or SystemClock())
        return cls(settings.url, authorization, timeout_s=settings.timeout_s)

    @property
    def longest_s(self) -> float:
        """Bound on one call in seconds."""
        return self._http.longest_s

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def schema(self, ref: SchemaRef) -> RegisteredSchema:
        """Return a schema by its registry id or GUID.

        Raises:
            SchemaError: The registry has no such schema, or it is not Avro on its own.
            RegistryDownError: The registry cannot be used now.
        """
        if isinstance(ref, int) and ref > _LAST_ID:
            raise SchemaError(f"schema {ref} is not in the registry: ids end at {_LAST_ID}")
        path = f"/schemas/guids/{ref}" if isinstance(ref, UUID) else f"/schemas/ids/{ref}"
        try:
            answer = await self._http.request("GET", path)
        except NotFoundError as error:
            raise _absent(ref, error) from error
        except RequestError as error:
            raise SchemaError(f"schema {ref} cannot be asked for: {error.message}") from error
        return _registered(answer, ref)

    async def latest(self, subject: str) -> RegisteredSchema:
        """Return the newest version of a subject.

        Raises:
            NotFoundError: There is no such subject.
            SchemaError: It is not Avro on its own.
            RegistryDownError: The registry cannot be used now.
        """
        answer = await self._http.request("GET", f"/subjects/{_quoted(subject)}/versions/latest")
        return _registered(answer, subject)

    async def version(self, subject: str, number: int) -> RegisteredSchema:
        """Return one version of a subject.

        Raises:
            NotFoundError: There is no such subject or version.
            SchemaError: It is not Avro on its own.
            RegistryDownError: The registry cannot be used now.
        """
        answer = await self._http.request("GET", f"/subjects/{_quoted(subject)}/versions/{number}")
        return _registered(answer, subject)

    async def history(self, subject: str) -> list[RegisteredSchema]:
        """Return the versions of a subject, oldest first; none when there is no such subject.

        Raises:
            SchemaError: One is not Avro on its own.
            RegistryDownError: The registry cannot be used now.
        """
        try:
            latest = await self.latest(subject)
        except NotFoundError:
            return []
        earlier: list[RegisteredSchema] = []
        for number in range(1, latest.version):
            try:
                earlier.append(await self.version(subject, number))
            except NotFoundError:  # deleted
                continue
        return [*earlier, latest]

    async def register(self, subject: str, text: str) -> int:
        """Add a schema to a subject, unless it is there already, and return its id.

        Raises:
            RequestError: The registry does not take it: incompatible, or not valid.
            RegistryDownError: The registry cannot be used now.
        """
        path = f"/subjects/{_quoted(subject)}/versions?normalize=true"
        answer = await self._http.request("POST", path, {"schema": text, "schemaType": "AVRO"})
        return _field(answer, "id", int)

    async def look_up(self, subject: str, text: str) -> RegisteredSchema:
        """Return the version of a subject that is this schema.

        Raises:
            NotFoundError: The subject does not have it.
            RegistryDownError: The registry cannot be used now.
        """
        path = f"/subjects/{_quoted(subject)}?normalize=true"
        try:
            answer = await self._http.request("POST", path, {"schema": text, "schemaType": "AVRO"})
        except NotFoundError as error:
            if _is_registrys_own(error):
                raise
            raise _no_route(error) from error
        return _registered(answer, subject)

    async def check(self, subject: str, text: str) -> Verdict:
        """Return whether a schema may be added to a subject, by the subject's compatibility level.

        A subject that does not exist takes any schema.

        Raises:
            RequestError: The schema is not valid.
            RegistryDownError: The registry cannot be used now.
        """
        path = f"/compatibility/subjects/{_quoted(subject)}/versions?verbose=true"
        try:
            answer = await self._http.request("POST", path, {"schema": text, "schemaType": "AVRO"})
        except NotFoundError:
            return Verdict(compatible=True)
        messages = answer.get("messages") or ()
        return Verdict(_field(answer, "is_compatible", bool), tuple(map(str, messages)))

    async def set_level(self, subject: str, level: Level) -> None:
        """Set a subject's compatibility level.

        Raises:
            RequestError: The registry refuses.
            RegistryDownError: The registry cannot be used now.
        """
        await self._http.request("PUT", f"/config/{_quoted(subject)}", {"compatibility": level})


def _absent(ref: SchemaRef, error: NotFoundError) -> SchemaError | RegistryDownError:
    """Return what a 404 to a look-up means.

    A registry's own codes have five digits. Anything else may be a proxy or a wrong URL, and must not make
    dead letters of good records; but registries older than GUIDs answer so to theirs, for good.
    """
    if isinstance(ref, UUID) or _is_registrys_own(error):
        return SchemaError(f"schema {ref} is not in the registry")
    return _no_route(error)


def _is_registrys_own(error: NotFoundError) -> bool:
    code = error.context.get("error_code")
    return isinstance(code, int) and code // 100 == 404


def _no_route(error: NotFoundError) -> RegistryDownError:
    return RegistryDownError(f"schema look-up is not a route there: {error.message}", hint=URL_HINT)


def _registered(answer: Mapping[str, Any], ref: object) -> RegisteredSchema:
    kind = answer.get("schemaType", "AVRO")
    if kind != "AVRO":
        raise SchemaError(f"schema {ref} is {kind}, not AVRO")
    if answer.get("references"):
        raise SchemaError(f"schema {ref} is in parts: it refers to other schemas of the registry")
    return RegisteredSchema(
        text=_field(answer, "schema", str),
        id=answer.get("id", ref if isinstance(ref, int) else None),
        guid=_guid(answer.get("guid"), ref),
        subject=answer.get("subject", ""),
        version=answer.get("version", 0),
    )


def _guid(text: Any, ref: object) -> UUID | None:
    if text is None:
        return ref if isinstance(ref, UUID) else None
    try:
        return UUID(text)
    except (ValueError, TypeError, AttributeError) as error:
        raise RegistryDownError(f"schema registry answered with a GUID that is none: {text!r}") from error


def _field(answer: Mapping[str, Any], name: str, kind: type[_T]) -> _T:
    value = answer.get(name)
    if not isinstance(value, kind):
        raise RegistryDownError(f"schema registry answered without `{name}`")
    return value


def _quoted(subject: str) -> str:
    return quote(subject, safe="")
