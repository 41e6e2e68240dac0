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


def time_text(at: datetime) -> str:
    """Return a point of time as a parameter of type DateTime64(6, 'UTC')."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
