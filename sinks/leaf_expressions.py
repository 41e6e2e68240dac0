"""Leaves in SQL: entry and hash of a row of `events`, as `auditstream.ledger.leaves` makes them."""

from __future__ import annotations

TIMESTAMP_MS = "toUInt64(toUnixTimestamp64Milli(kafka_timestamp))"
"""Broker timestamp in milliseconds."""

EVENT_ID = "UUIDToNum(event_id)"
"""The event id's 16 bytes."""

PROJECTED_VALUE_SHA256 = "if(raw_null, toFixedString('', 32), SHA256(raw))"
"""SHA-256 of the value as received, zeros for a null value: as the projection `log_order` has it ready."""

VALUE_SHA256 = "if(NOT raw_null, SHA256(raw), if(empty(raw), toFixedString('', 32), SHA256(SHA256(raw))))"
"""The same from the value itself; a null value with bytes is none that was ever sealed, whatever they are."""

_VERSION, _PREFIXED_VERSION = r"'\x01'", r"'\0\x01'"


def entry(value_sha256: str) -> str:
    """Return the expression of a leaf's 74-byte entry.

    Args:
        value_sha256: Expression of the value's hash.
    """
    return f"toFixedString({_concat(_VERSION, value_sha256)}, 74)"


def leaf_hash(value_sha256: str) -> str:
    """Return the expression of a leaf's hash (RFC 6962, section 2.1).

    Args:
        value_sha256: Expression of the value's hash.
    """
    return f"SHA256({_concat(_PREFIXED_VERSION, value_sha256)})"  # an entry first would be a copy more


def _concat(begin: str, value_sha256: str) -> str:
    numbers = [_big_endian(each) for each in ("leaf_index", "toUInt64(kafka_offset)", TIMESTAMP_MS)]
    parts = [begin, "char(leaf_kind)", *numbers, EVENT_ID, value_sha256]
    return f"concat({', '.join(parts)})"


def _big_endian(number: str) -> str:
    return f"reinterpretAsFixedString(byteSwap({number}))"
