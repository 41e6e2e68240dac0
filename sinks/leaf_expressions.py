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


def entry(value_sha256: str) -> str:
    """Return the expression of a leaf's 74-byte entry.

    Args:
        value_sha256: Expression of the value's hash.
    """
    numbers = [_big_endian(each) for each in ("leaf_index", "toUInt64(kafka_offset)", TIMESTAMP_MS)]
    parts = ["'\\x01'", "char(leaf_kind)", *numbers, EVENT_ID, value_sha256]
    return f"toFixedString(concat({', '.join(parts)}), 74)"


def leaf_hash(entry_expression: str) -> str:
    """Return the expression of a leaf's hash (RFC 6962, section 2.1) from that of its entry."""
    return f"SHA256(concat('\\0', {entry_expression}))"


def _big_endian(number: str) -> str:
    return f"reinterpretAsFixedString(byteSwap({number}))"
