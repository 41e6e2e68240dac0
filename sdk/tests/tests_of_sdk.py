"""What several tests look for in events."""

from __future__ import annotations

from typing import Any

from conftest import QUICK

__all__ = ["QUICK", "losses", "names", "tool_calls"]


def tool_calls(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the tool calls among events."""
    return [event for event in events if event["event_type"] == "ai.tool_call"]


def names(events: list[dict[str, Any]]) -> list[str]:
    """Return the names of the tools that were called, in order."""
    return [event["tool"]["name"] for event in tool_calls(events)]


def losses(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what reports of losses say, in order: first and last number, reason, whether exact, detail."""
    found = []
    for event in events:
        told = event.get("attributes", {}) if event["event_type"] == "ai.source.heartbeat" else {}
        if "lost.first" in told:
            found.append(
                {
                    "first": int(told["lost.first"]),
                    "last": int(told["lost.last"]),
                    "reason": told["lost.reason"],
                    "exact": told["lost.exact"] == "true",
                    "detail": told.get("lost.detail", ""),
                    "instance": event["source_instance"],
                    "event_id": event["event_id"],
                    "dropped": event["heartbeat"]["dropped"],
                }
            )
    return found
