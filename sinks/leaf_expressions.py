"""Leaves in SQL: the entry and the hash of a row of `events`, as `auditstream.ledger.leaves` makes them."""

VALUE_SHA256 = "if(raw_null, toFixedString('', 32), SHA256(raw))"
"""SHA-256 of the value as received, zeros for a null value; the projection `log_order` has it ready."""

TIMESTAMP_MS = "toUInt64(toUnixTimestamp64Milli(kafka_timestamp))"
"""Broker timestamp in milliseconds."""

EVENT_ID = "UUIDStringToNum(toString(event_id))"
"""The event id's 16 bytes."""


def _big_endian(number: str) -> str:
    return f"reverse(reinterpretAsFixedString(toUInt64({number})))"


ENTRY = (
    f"concat(unhex('01'), char(leaf_kind), {_big_endian('leaf_index')}, {_big_endian('kafka_offset')}, "
    f"{_big_endian(TIMESTAMP_MS)}, {EVENT_ID}, {VALUE_SHA256})"
)
"""The 74-byte entry."""

HASH = f"SHA256(concat(unhex('00'), {ENTRY}))"
"""The leaf hash (RFC 6962)."""
