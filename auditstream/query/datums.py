"""The datum in the bytes of a row, decoded with the schema that its producer wrote it with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from auditstream.core.errors import RejectError
from auditstream.core.settings import RegistrySettings
from schemas import framing
from schemas.avro_text import parse_text
from schemas.codec import decode
from schemas.framing import SchemaRef
from schemas.registry_client import RegistryClient


async def decode_rows(
    rows: Sequence[dict[str, Any]], registry: RegistrySettings
) -> list[dict[str, Any] | None]:
    """Return the datum of each row, None for one whose bytes are not a datum.

    Args:
        rows: Rows with `raw` (bytes) and `schema_id`.
        registry: Where the writer schemas are.

    Raises:
        RegistryDownError: The registry does not answer.
    """
    async with RegistryClient.from_settings(registry) as client:
        return [await _decoded(row, client) for row in rows]


async def _decoded(row: dict[str, Any], client: RegistryClient) -> dict[str, Any] | None:
    schema_id = schema_ref(str(row["schema_id"]))
    if schema_id is None:
        return None
    try:
        schema = parse_text((await client.schema(schema_id)).text)
        return decode(datum_bytes(row["raw"], schema_id), schema)
    except RejectError:
        return None


def schema_ref(text: str) -> SchemaRef | None:
    """Return how a row names its writer schema, None when it names none."""
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        return UUID(text)
    except ValueError:
        return None


def datum_bytes(raw: bytes, schema: SchemaRef) -> bytes:
    """Return a value without its framing: the prefix that names the schema, if it starts with that.

    A value framed by a header is the bare datum.
    """
    if isinstance(schema, UUID):
        before = bytes([framing.MAGIC_GUID]) + schema.bytes
    else:
        before = framing.prefix(schema)
    return raw.removeprefix(before)
