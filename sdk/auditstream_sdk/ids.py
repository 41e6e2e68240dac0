"""Identifiers: UUIDv7 texts (RFC 9562, section 5.7), random, or derived from what they are of."""

from __future__ import annotations

import hashlib
import os
import time


def new_id(unix_ms: int | None = None) -> str:
    """Return a new UUIDv7; its first 48 bits are the time, now when None, so ids sort by time."""
    milliseconds = time.time_ns() // 1_000_000 if unix_ms is None else unix_ms
    return _text(milliseconds, int.from_bytes(os.urandom(10), "big"))


def derived_id(unix_ms: int, *parts: object) -> str:
    """Return the UUIDv7 of a time and of what it is about: told twice, it is the same event."""
    digest = hashlib.sha256("\x00".join(map(str, parts)).encode()).digest()
    return _text(unix_ms, int.from_bytes(digest[:10], "big"))


def _text(milliseconds: int, tail: int) -> str:
    value = (milliseconds & (1 << 48) - 1) << 80 | tail & (1 << 80) - 1
    value = value & ~(0xF << 76) | 0x7 << 76  # version
    value = value & ~(0x3 << 62) | 0x2 << 62  # variant
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
