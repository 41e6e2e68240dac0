"""Answers in the form of Anthropic's API, with counts that no two of them share."""

from __future__ import annotations

from typing import Any

from tests.support.fake_providers import SECRET, Answer

MODEL = "claude-sonnet-4-5-20250929"
USAGE = {
    "input_tokens": 12,
    "cache_read_input_tokens": 1000,
    "cache_creation_input_tokens": 300,
    "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 57,
    "service_tier": "standard",
}
OVERLOADED = Answer(
    {"type": "error", "error": {"type": "overloaded_error", "message": SECRET}},
    status=529,
    headers={"retry-after-ms": "1"},
)


def body(**changes: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": [{"type": "text", "text": SECRET}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
        **changes,
    }


def message() -> Answer:
    return Answer(body())


def message_events() -> tuple[dict[str, Any], ...]:
    start = body(content=[], stop_reason=None, usage={**USAGE, "output_tokens": 1})
    text = {"type": "text", "text": ""}
    return (
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": text},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": SECRET}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 83},
        },
        {"type": "message_stop"},
    )


def message_stream() -> Answer:
    return Answer(events=message_events())
