"""Reports of one model call, as several producers send them under event ids of their own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def call(response_id: str | None = "resp-1", **changes: Any) -> dict[str, Any]:
    """Return the fields of one report of a call; each value of a segment has an event id of its own."""
    inference = {
        "operation": "chat",
        "provider": changes.pop("provider", "openai"),
        "request_model": "gpt-4o",
        "response_id": response_id,
    }
    return {
        "event_type": "ai.inference",
        "event_time": NOON,
        "tenant_id": "acme",
        "outcome": "SUCCESS",
        "inference": inference,
        "usage": {"input_tokens": 1000, "output_tokens": 100},
        **changes,
    }
