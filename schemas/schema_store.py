"""Writer schemas by id or GUID, and ids of our own schemas, remembered: the registry is asked once for each.

A schema never changes under its id, so memory is kept for the life of the process. The registry is asked
before the folder, which counts only while the registry is down: a registry that was set up anew gives old ids
to other schemas, and an old file would decode garbage.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

import structlog

from auditstream.core.clock import Clock, SystemClock
from auditstream.core.errors import (
    ConfigError,
    InvariantError,
    RegistryDownError,
    RequestError,
    SchemaError,
)
from schemas.avro_text import parse_text
from schemas.framing import SchemaRef
from schemas.packaged import AvroSchema, schema_text
from schemas.registry_client import RegisteredSchema, RegistryClient
from schemas.schema_folder import SchemaFolder
from schemas.subjects import Subject

_log = structlog.get_logger(__name__)

T = TypeVar("T")

_MOST_ABSENT = 10_000
"""Refusals remembered at most: a producer with a broken serializer can make up any number of ids."""


class SchemaStore:
    """Looks schemas up, from the event loop it was made in (`fetch`) and from other threads (`get`).

    Args:
        client: Registry to ask.
        folder: Where schemas are kept for a start without the registry; None to keep none.
        absent_s: How long a schema that the registry does not have is not asked for again.
        clock: Tells when that is over.
    """

    def __init__(
        self,
        client: RegistryClient,
        *,
        folder: SchemaFolder | None = None,
        absent_s: float = 30.0,
        clock: Clock | None = None,
    ) -> None:
        self._client = client
        self._folder = folder
        self._absent_s = absent_s
        self._clock = clock or SystemClock()
        self._loop = asyncio.get_running_loop()
        self._known: dict[SchemaRef, RegisteredSchema] = {}
        self._parsed: dict[SchemaRef, AvroSchema] = {}
        self._absent: dict[SchemaRef, tuple[float, str]] = {}
        self._flights: dict[SchemaRef, asyncio.Task[RegisteredSchema]] = {}
        self._own_ids: dict[Subject, int] = {}

    def get(self, ref: SchemaRef) -> AvroSchema:
        """Return a schema as JSON data, from any thread but the loop's; blocks while the registry is asked.

        Raises:
            SchemaError: The registry has no such schema, or it is not a record in Avro on its own.
            RegistryDownError: The registry cannot be used now, and the folder does not have the schema.
        """
        parsed = self._parsed.get(ref)
        if parsed is None:
            known = self._known.get(ref) or self._on_loop(lambda: self.fetch(ref), f"schema {ref}")
            parsed = self._parsed[ref] = parse_text(known.text)
        return parsed

    def id_of(self, subject: Subject) -> int:
        """Return the id of a subject's packaged schema, from any thread but the loop's; blocks as `get` does.

        Raises:
            ConfigError: The subject does not have it.
            RegistryDownError: The registry cannot be used now, and the folder does not have the schema.
        """
        known = self._own_ids.get(subject)
        if known is None:
            known = self._own_ids[subject] = self._on_loop(
                lambda: self._own_id(subject), f"subject {subject.name}"
            )
        return known

    def close(self) -> None:
        """Close the registry's connections, from any thread but the loop's; what is known stays known.

        Raises:
            RegistryDownError: They do not close in time.
        """
        self._on_loop(self._client.close, "the end")

    def _on_loop(self, question: Callable[[], Coroutine[Any, Any, T]], about: str) -> T:
        self._refuse_own_thread()
        if self._loop.is_closed():
            raise RegistryDownError("the event loop that asks the schema registry has ended")
        future = asyncio.run_coroutine_threadsafe(question(), self._loop)
        try:
            return future.result(self._client.longest_s + 1)
        except concurrent.futures.TimeoutError as error:
            future.cancel()
            raise RegistryDownError(f"no answer about {about} in time") from error

    async def _own_id(self, subject: Subject) -> int:
        text = schema_text(subject.schema)
        try:
            found = await self._client.look_up(subject.name, text)
        except RequestError as error:
            raise ConfigError(
                f"subject {subject.name} does not have this version's schema: {error.message}",
                hint="Run `auditstream schema register`.",
            ) from error
        except RegistryDownError as error:
            found = await self._from_folder(subject.name, error)
            if found.text != text:  # of another version of ours
                raise
        else:
            found = replace(found, text=text)
            await self._to_folder(subject.name, found)
        if found.id is None:
            raise RegistryDownError(f"schema registry answered without the id of {subject.name}")
        return found.id

    async def fetch(self, ref: SchemaRef) -> RegisteredSchema:
        """Return a schema as registered, from the loop. Callers that ask at the same time share one request.

        Raises:
            SchemaError: The registry has no such schema, or it is not Avro on its own.
            RegistryDownError: The registry cannot be used now, and the folder does not have the schema.
        """
        known = self._known.get(ref)
        if known is not None:
            return known
        self._refuse_absent(ref)
        flight = self._flights.get(ref)
        if flight is None:
            flight = self._flights[ref] = asyncio.create_task(self._load(ref))
            flight.add_done_callback(lambda done: self._land(ref, done))
        # Shielded: one caller that gives up does not take the answer from the others.
        return await asyncio.shield(flight)

    def _refuse_own_thread(self) -> None:
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            return
        if running is self._loop:
            raise InvariantError("SchemaStore.get would block its own event loop: use fetch there")

    def _refuse_absent(self, ref: SchemaRef) -> None:
        until_s, message = self._absent.get(ref, (0.0, ""))
        if self._clock.now_s() < until_s:
            raise SchemaError(message)

    def _land(self, ref: SchemaRef, flight: asyncio.Task[RegisteredSchema]) -> None:
        del self._flights[ref]
        if not flight.cancelled():
            flight.exception()  # seen here, in case every caller has given up

    async def _load(self, ref: SchemaRef) -> RegisteredSchema:
        try:
            schema = await self._client.schema(ref)
        except SchemaError as error:
            self._remember_absent(ref, error.message)
            raise
        except RegistryDownError as error:
            schema = await self._from_folder(ref, error)
        else:
            await self._to_folder(ref, schema)
        self._known[ref] = schema
        return schema

    def _remember_absent(self, ref: SchemaRef, message: str) -> None:
        if len(self._absent) >= _MOST_ABSENT:
            self._absent.clear()
        self._absent[ref] = (self._clock.now_s() + self._absent_s, message)

    async def _from_folder(self, ref: SchemaRef | str, error: RegistryDownError) -> RegisteredSchema:
        schema = None if self._folder is None else await asyncio.to_thread(self._folder.read, ref)
        if schema is None:
            raise error
        _log.warning("registry_down_schema_from_folder", schema=str(ref))
        return schema

    async def _to_folder(self, ref: SchemaRef | str, schema: RegisteredSchema) -> None:
        if self._folder is None:
            return
        try:
            await asyncio.to_thread(self._folder.write, ref, schema)
        except OSError as error:
            _log.warning("schema_folder_not_written", schema=str(ref), error=str(error))
