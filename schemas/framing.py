"""Confluent framing: how a message says which schema its value was written with.

Two forms are in use. The prefix: magic byte 0 and the registry's schema id, 4 bytes big-endian, before the
datum. The header: `__value_schema_id` (or `__key_schema_id`) with magic byte 1 and the schema's 16-byte GUID,
and the bare datum as value. Clients write one and read both, and accept either magic byte in either place; so
do we.

Source: Confluent wire format; confluent_kafka's `SchemaId` and schema id serializers are the tests' oracle.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from auditstream.core.errors import DecodeError

Headers = Sequence[tuple[str, bytes]]
Part = Literal["value", "key"]

SchemaRef = int | UUID
"""How a schema is named in the registry: by id or by GUID."""

MAGIC_ID = 0
MAGIC_GUID = 1
HEADER_NAMES: dict[Part, str] = {"value": "__value_schema_id", "key": "__key_schema_id"}

_PREFIX = struct.Struct(">BI")
_SIZES = {MAGIC_ID: 5, MAGIC_GUID: 17}
"""Bytes of a framing by its magic byte, that byte included."""


@dataclass(frozen=True, slots=True)
class Framing:
    """Which schema a datum was written with, and where in the message it starts.

    Attributes:
        schema: Registry id or GUID.
        payload_offset: Offset of the datum's first byte in the value.
    """

    schema: SchemaRef
    payload_offset: int


def framing_of(value: bytes | None, headers: Headers | None = None, *, part: Part = "value") -> Framing:
    """Return a message's framing: that of its header when it has one, else that of its prefix.

    Raises:
        DecodeError: There is no framing. Its `reason` tells the cases apart: `null_value`, `empty_value`,
            `bad_framing` (unknown magic byte, too few bytes, a header of another length).
    """
    if value is None:
        raise DecodeError(f"{part} is null", reason="null_value")
    header = _header(headers, part)
    if header is not None:
        return Framing(_schema_ref(header, f"header {HEADER_NAMES[part]}", exact=True), 0)
    if not value:
        raise DecodeError(f"{part} is empty", reason="empty_value")
    return Framing(_schema_ref(value, f"{part} prefix", exact=False), _SIZES[value[0]])


def prefix(schema_id: int) -> bytes:
    """Return the five bytes that go before a datum.

    Args:
        schema_id: Registry id, 0 to 2**32 - 1.
    """
    return _PREFIX.pack(MAGIC_ID, schema_id)


def header(guid: UUID, *, part: Part = "value") -> tuple[str, bytes]:
    """Return the header that goes beside a bare datum."""
    return HEADER_NAMES[part], bytes([MAGIC_GUID]) + guid.bytes


def _header(headers: Headers | None, part: Part) -> bytes | None:
    """Return the first header of the name, as the oracle does; headers of a Kafka record may repeat."""
    name = HEADER_NAMES[part]
    return next((content for key, content in headers or () if key == name), None)


def _schema_ref(data: bytes, where: str, *, exact: bool) -> SchemaRef:
    size = _SIZES.get(data[0]) if data else None
    if data and size is None:
        raise DecodeError(f"{where}: magic byte is {data[0]}, not 0 or 1", reason="bad_framing")
    if size is None or len(data) < size or (exact and len(data) > size):
        raise DecodeError(f"{where}: {len(data)} bytes, not {size or '5 or 17'}", reason="bad_framing")
    if data[0] == MAGIC_ID:
        return int.from_bytes(data[1:5], "big")
    return UUID(bytes=bytes(data[1:17]))
