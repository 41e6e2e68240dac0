"""A framed Avro body to a draft: one datum, written with a schema that the registry knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from auditstream.core.errors import RegistryDownError, RejectError
from auditstream.gateway.drafts import Draft, Refusal
from auditstream.gateway.problems import RefusedError
from schemas.avro_text import parse_text
from schemas.codec import DatumReader
from schemas.framing import HEADER_NAMES, SchemaRef, framing_of
from schemas.packaged import schema_json
from schemas.registry_client import RegisteredSchema

_HEADER = HEADER_NAMES["value"]
_MOST_READERS = 64
_RETRY_S = 5.0


class Schemas(Protocol):
    """Where writer schemas come from; `schemas.schema_store.SchemaStore` is one."""

    async def fetch(self, ref: SchemaRef) -> RegisteredSchema:
        """Return a schema.

        Raises:
            SchemaError: There is none.
            RegistryDownError: The registry cannot be used now.
        """
        ...


class AvroBodies:
    """Reads bodies of `application/vnd.apache.avro`, framed by prefix or by the header `__value_schema_id`.

    The datum is seen through the packaged schema, so that older registered schemas are taken as well; it is
    written anew, for the tenant is stamped.

    Args:
        schemas: Where writer schemas come from.
    """

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._readers: dict[SchemaRef, DatumReader] = {}

    async def drafts(self, body: bytes, headers: Mapping[bytes, bytes]) -> list[Draft]:
        """Return the one draft of a body.

        Raises:
            RefusedError: The registry cannot be asked now.
        """
        framed = headers.get(_HEADER.encode())
        kafka_headers = None if framed is None else ((_HEADER, _header_bytes(framed)),)
        try:
            framing = framing_of(body, kafka_headers)
            reader = await self._reader(framing.schema)
            return [Draft(0, _given(reader.read(body[framing.payload_offset :])))]
        except RejectError as error:
            code = "unknown_schema" if error.reason == "unknown_schema" else "undecodable"
            return [Draft(0, None, Refusal(code, str(error.context.get("field") or ""), error.message))]

    async def _reader(self, ref: SchemaRef) -> DatumReader:
        reader = self._readers.get(ref)
        if reader is None:
            try:
                text = (await self._schemas.fetch(ref)).text
            except RegistryDownError as error:
                raise RefusedError("unavailable", error.message, retry_after_s=_RETRY_S) from error
            reader = DatumReader(parse_text(text), schema_json("audit_event"))
            if len(self._readers) >= _MOST_READERS:
                self._readers.clear()
            self._readers[ref] = reader
        return reader


def _header_bytes(text: bytes) -> bytes:
    """Return the framing that a header carries: as it is, or as hex, which HTTP headers can always carry."""
    try:
        return bytes.fromhex(text.decode("ascii"))
    except ValueError:
        return text


def _given(datum: Mapping[str, Any]) -> dict[str, Any]:
    """Return the datum without its nulls, which are the defaults."""
    return {name: value for name, value in datum.items() if value is not None}
