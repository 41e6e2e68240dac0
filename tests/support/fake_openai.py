"""A local stand-in for the OpenAI HTTP interface: chat, streams, tool calls, embeddings, responses, 429.

Bodies have the shape of the provider's own, with counts that no two cases share, so that a test can tell
which one it sees. A model named `limited` is refused with 429.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CHAT_USAGE = {
    "prompt_tokens": 1200,
    "completion_tokens": 340,
    "total_tokens": 1540,
    "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 128, "audio_tokens": 0},
}
STREAM_USAGE = {
    "prompt_tokens": 77,
    "completion_tokens": 21,
    "total_tokens": 98,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}
TOOL_USAGE = {"prompt_tokens": 55, "completion_tokens": 13, "total_tokens": 68}
EMBEDDING_USAGE = {"prompt_tokens": 9, "total_tokens": 9}
RESPONSES_USAGE = {
    "input_tokens": 410,
    "input_tokens_details": {"cached_tokens": 256},
    "output_tokens": 90,
    "output_tokens_details": {"reasoning_tokens": 64},
    "total_tokens": 500,
}
SERVED_MODEL = "gpt-4o-2024-08-06"
SECRET = "the-secret-of-the-prompt"
"""A word of prompts and answers, which must be found nowhere."""


@contextmanager
def fake_openai(tag: str = "") -> Iterator[str]:
    """Serve until the block ends; gives the base URL for the client, with `/v1`.

    Args:
        tag: What the ids of whole responses end with, where a test needs calls that differ.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.tag = tag  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if asked["model"] == "limited":
            self._send(
                429, {"error": {"message": f"slow down, {SECRET}", "type": "requests", "code": "rate_limit"}}
            )
        elif self.path == "/v1/chat/completions" and asked.get("stream"):
            self._stream(_chunks())
        elif self.path == "/v1/chat/completions":
            self._send(200, _tool_chat() if asked.get("tools") else _chat())
        elif self.path == "/v1/embeddings":
            self._send(200, _embeddings(asked["model"]))
        elif self.path == "/v1/responses":
            self._send(200, _response())
        else:
            self._send(404, {"error": {"message": "no such path"}})

    def _send(self, status: int, body: dict[str, Any]) -> None:
        if "id" in body:
            body["id"] += self.server.tag  # type: ignore[attr-defined]
        encoded = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def _stream(self, chunks: list[dict[str, Any]]) -> None:
        lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
        encoded = ("".join(lines) + "data: [DONE]\n\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)


def _completion(response_id: str, usage: dict[str, Any], choice: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": response_id,
        "object": "chat.completion",
        "created": 1_750_000_000,
        "model": SERVED_MODEL,
        "service_tier": "default",
        "system_fingerprint": "fp_44709d6fcb",
        "choices": [{"index": 0, "logprobs": None, **choice}],
        "usage": usage,
    }


def _chat() -> dict[str, Any]:
    message = {"role": "assistant", "content": f"Paris, {SECRET}", "refusal": None}
    return _completion("chatcmpl-chat", CHAT_USAGE, {"message": message, "finish_reason": "stop"})


def _tool_chat() -> dict[str, Any]:
    function = {"name": "weather", "arguments": json.dumps({"city": SECRET})}
    call = {"id": "call_1", "type": "function", "function": function}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return _completion("chatcmpl-tools", TOOL_USAGE, {"message": message, "finish_reason": "tool_calls"})


def _chunks() -> list[dict[str, Any]]:
    base = {
        "id": "chatcmpl-stream",
        "object": "chat.completion.chunk",
        "created": 1_750_000_000,
        "model": SERVED_MODEL,
        "service_tier": "default",
        "system_fingerprint": "fp_44709d6fcb",
    }
    deltas: list[tuple[dict[str, Any], str | None]] = [
        ({"role": "assistant", "content": ""}, None),
        ({"content": SECRET}, None),
        ({}, "stop"),
    ]
    chunks: list[dict[str, Any]] = [
        {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}], "usage": None}
        for delta, reason in deltas
    ]
    return [*chunks, {**base, "choices": [], "usage": STREAM_USAGE}]


def _embeddings(model: str) -> dict[str, Any]:
    data = [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}]
    return {"object": "list", "model": model, "data": data, "usage": EMBEDDING_USAGE}


def _response() -> dict[str, Any]:
    part = {"type": "output_text", "text": SECRET, "annotations": []}
    message = {
        "type": "message",
        "id": "msg_1",
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_750_000_000,
        "status": "completed",
        "model": SERVED_MODEL,
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "service_tier": "default",
        "usage": RESPONSES_USAGE,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
    }
