"""Answers in the form of OpenAI's API, with counts that no two of them share."""

from __future__ import annotations

from typing import Any

from tests.support.fake_providers import SECRET, Answer

CHAT_USAGE = {
    "prompt_tokens": 1200,
    "completion_tokens": 340,
    "total_tokens": 1540,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 128, "audio_tokens": 0},
}
STREAM_USAGE = {"prompt_tokens": 77, "completion_tokens": 21, "total_tokens": 98}
RESPONSES_USAGE = {
    "input_tokens": 410,
    "input_tokens_details": {"cached_tokens": 256},
    "output_tokens": 90,
    "output_tokens_details": {"reasoning_tokens": 64},
    "total_tokens": 500,
}
MODEL = "gpt-4o-2024-08-06"
REFUSED = Answer(
    {"error": {"message": f"slow down, {SECRET}", "type": "requests", "code": "rate_limit_exceeded"}},
    status=429,
    headers={"retry-after-ms": "1"},
)


def chat(content: str = SECRET) -> Answer:
    message = {"role": "assistant", "content": content, "refusal": None}
    return Answer(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_750_000_000,
            "model": MODEL,
            "service_tier": "default",
            "system_fingerprint": "fp_1",
            "choices": [{"index": 0, "logprobs": None, "finish_reason": "stop", "message": message}],
            "usage": CHAT_USAGE,
        }
    )


def chat_chunks(*, usage: bool = True) -> tuple[dict[str, Any], ...]:
    def chunk(choices: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> dict[str, Any]:
        return {
            "id": "chatcmpl-2",
            "object": "chat.completion.chunk",
            "created": 1_750_000_000,
            "model": MODEL,
            "service_tier": "default",
            "system_fingerprint": "fp_1",
            "choices": choices,
            "usage": usage,
        }

    def delta(content: str | None, finish: str | None = None) -> list[dict[str, Any]]:
        return [{"index": 0, "delta": {"content": content}, "finish_reason": finish, "logprobs": None}]

    chunks = (chunk(delta("Good ")), chunk(delta(SECRET)), chunk(delta(None, "stop")))
    return (*chunks, chunk([], STREAM_USAGE)) if usage else chunks


def chat_stream(*, usage: bool = True) -> Answer:
    return Answer(events=chat_chunks(usage=usage), ending="data: [DONE]\n\n")


def response_body(status: str = "completed") -> dict[str, Any]:
    content = {"type": "output_text", "text": SECRET, "annotations": []}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": status, "content": [content]}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_750_000_000,
        "model": MODEL,
        "status": status,
        "service_tier": "flex",
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": RESPONSES_USAGE if status == "completed" else None,
    }


def response() -> Answer:
    return Answer(response_body())


def response_stream() -> Answer:
    events = (
        {"type": "response.created", "sequence_number": 0, "response": response_body("in_progress")},
        {"type": "response.output_text.delta", "sequence_number": 1, "delta": SECRET, "item_id": "msg_1",
         "output_index": 0, "content_index": 0, "logprobs": []},
        {"type": "response.completed", "sequence_number": 2, "response": response_body()},
    )  # fmt: skip
    return Answer(events=events)


def embedding() -> Answer:
    return Answer(
        {
            "object": "list",
            "model": "text-embedding-3-small",
            "data": [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}],
            "usage": {"prompt_tokens": 9, "total_tokens": 9},
        }
    )
