"""The fields of a leaf entry by name, for saying in which of them two entries differ."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator
from datetime import timedelta

from auditstream.core.clock import EPOCH
from auditstream.ledger.leaves import ENTRY_BYTES

_FORM = struct.Struct(">BBQQQ16s32s")
_NAMES = ("version", "kind", "leaf_index", "kafka_offset", "kafka_timestamp", "event_id", "value_sha256")
_KINDS = {0: "event", 1: "dead letter", 2: "gap"}


def differences(expected: bytes, found: bytes) -> Iterator[tuple[str, str, str]]:
    """Yield name, expected and found value of each field in which two entries differ."""
    if len(expected) != ENTRY_BYTES or len(found) != ENTRY_BYTES:
        yield "entry", f"{len(expected)} bytes {expected.hex()}", f"{len(found)} bytes {found.hex()}"
        return
    pairs = zip(_NAMES, _FORM.unpack(expected), _FORM.unpack(found), strict=True)
    for name, left, right in pairs:
        if left != right:
            yield name, _text(name, left), _text(name, right)


def event_id_of(entry: bytes) -> uuid.UUID:
    """Return the event id that an entry commits to."""
    return uuid.UUID(bytes=_FORM.unpack(entry)[5])


def _text(name: str, value: int | bytes) -> str:
    if isinstance(value, bytes):
        return str(uuid.UUID(bytes=value)) if name == "event_id" else value.hex()
    if name == "kind":
        return _KINDS.get(value, str(value))
    if name == "kafka_timestamp":
        try:
            return (EPOCH + timedelta(milliseconds=value)).isoformat(timespec="milliseconds")
        except OverflowError:
            return f"{value} ms"
    return str(value)
