"""Identifiers: UUIDv7 for events (RFC 9562, section 5.7), and keys of model calls."""

from __future__ import annotations

import hashlib
import os
import time
import uuid


def uuid7(unix_ms: int | None = None, random: bytes | None = None) -> uuid.UUID:
    """Return a UUIDv7, whose first 48 bits are a millisecond timestamp: ids sort by time.

    Args:
        unix_ms: Milliseconds since the epoch; now when None.
        random: Ten bytes for the random part (74 bits of them are used), for reproducible ids.
    """
    milliseconds = time.time_ns() // 1_000_000 if unix_ms is None else unix_ms
    tail = int.from_bytes(os.urandom(10) if random is None else random[:10], "big")
    value = (milliseconds & (1 << 48) - 1) << 80 | tail & (1 << 80) - 1
    value = value & ~(0xF << 76) | 0x7 << 76  # version
    value = value & ~(0x3 << 62) | 0x2 << 62  # variant
    return uuid.UUID(int=value)


CALL_KEY_BYTES = 16
"""Length of a call's key: that of an event id, so that both are looked up in the same way."""


def call_key(tenant_id: str, provider: str, response_id: str) -> bytes:
    """Return 16 bytes that are the same for every report of a model call.

    The first half of SHA-256 over the three names, a zero byte between them; the store computes the same.
    """
    return hashlib.sha256(f"{tenant_id}\0{provider}\0{response_id}".encode()).digest()[:CALL_KEY_BYTES]
