"""Identifiers: UUIDv7 for events (RFC 9562, section 5.7)."""

from __future__ import annotations

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
