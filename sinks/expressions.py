"""What several readers write into their SQL in the same way."""

from __future__ import annotations

from datetime import UTC, datetime

ANSWERED_MODEL = "if(inference_response_model != '', inference_response_model, inference_request_model)"
"""Model that answered, else the one asked for; column `model` of the rollups."""


def uuid_bytes(name: str) -> str:
    """Return a column of UUIDs as their 16 bytes, as printed.

    The store keeps each half as a little-endian number.
    """
    return f"toFixedString(unhex(replaceAll(toString({name}), '-', '')), 16) AS {name}"


_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2299, 12, 31, 23, 59, 59, 999_999, UTC)


def held(at: datetime) -> datetime:
    """Return the nearest point of time that DateTime64(6, 'UTC') holds; nothing is recorded beyond."""
    return min(max(at.astimezone(UTC), _EARLIEST), _LATEST)


def time_text(at: datetime) -> str:
    """Return a point of time, or the nearest that it holds, as a parameter of type DateTime64(6, 'UTC')."""
    return held(at).replace(tzinfo=None).isoformat(" ", "microseconds")
