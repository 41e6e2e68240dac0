"""Datums of one schema as an Avro object container in memory, each followed by a guard.

Joined bare, a malformed datum can swallow bytes of its neighbour without any error, and the neighbour's event
is gone. So the container's record is the datum and a guard: bytes drawn at random for the container, of a
length drawn at random. A datum that does not end where its bytes end makes the reader find something else in
the guard's place.

The block declares more records than it has: it ends where its bytes end, so that a reader which takes what is
left over at the end for another record finds out (`schemas.container_reading` says why that matters).

Source: Avro 1.12 specification, "Object Container Files".
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemas.packaged import AvroSchema

DATUM = "datum"
GUARD = "guard"

_MAGIC = b"Obj\x01"
_SYNC_BYTES = 16
_GUARD_BYTES = range(8, 72)
"""Lengths of a guard. Eight random bytes are not guessed; a length that is not known cannot be aimed past."""


@dataclass(frozen=True, slots=True)
class Container:
    """An object container of one block.

    Attributes:
        content: The file's bytes.
        guard: What must stand in every record's guard.
        records: How many records there are; the block declares more.
    """

    content: bytes
    guard: bytes
    records: int


class ContainerWriter:
    """Joins datums of one writer schema.

    Args:
        schema: JSON data of the writer's record schema.
    """

    def __init__(self, schema: AvroSchema) -> None:
        self._schema = _without_docs(schema)

    def joined(self, values: Sequence[bytes], prefix: bytes = b"") -> Container:
        """Return datums as a container with a fresh guard.

        Args:
            values: At least one datum, each after the prefix.
            prefix: What every value begins with. Not cut off: it ends the guard of the datum before.
        """
        drawn = secrets.token_bytes(secrets.choice(_GUARD_BYTES))
        sync = secrets.token_bytes(_SYNC_BYTES)
        guard = drawn + prefix
        size = sum(map(len, values)) + len(drawn) * len(values)
        # A record takes at least a guard's bytes, so there are never as many records as bytes.
        start = [self._header(len(guard)), sync, _long(size), _long(size), values[0][len(prefix) :]]
        # One join, so that every datum is copied once.
        content = drawn.join([b"".join(start), *values[1:], prefix + sync])
        return Container(content, guard, len(values))

    def _header(self, guard_bytes: int) -> bytes:
        guarded = {
            "type": "record",
            "name": "auditstream_guarded",
            "fields": [
                {"name": DATUM, "type": self._schema},
                {"name": GUARD, "type": {"type": "fixed", "name": "auditstream_guard", "size": guard_bytes}},
            ],
        }
        metadata = {b"avro.schema": json.dumps(guarded).encode(), b"avro.codec": b"null"}
        pairs = [_bytes(part) for pair in metadata.items() for part in pair]
        return b"".join([_MAGIC, _long(len(metadata)), *pairs, _long(0)])


def _long(value: int) -> bytes:
    """Encode a number that is not negative as a zig-zag varint."""
    value <<= 1
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _bytes(value: bytes) -> bytes:
    return _long(len(value)) + value


def _without_docs(avro: Any) -> Any:
    if isinstance(avro, dict):
        return {key: _without_docs(value) for key, value in avro.items() if key != "doc"}
    return [_without_docs(part) for part in avro] if isinstance(avro, list) else avro
