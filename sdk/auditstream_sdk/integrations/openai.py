"""OpenAI's client: chat completions, responses, completions and embeddings are recorded when called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from auditstream_sdk.integrations.addresses import host_of, provider_at
from auditstream_sdk.integrations.contents import content_of, hashes, measured
from auditstream_sdk.integrations.packages import required
from auditstream_sdk.integrations.posts import hook, unhook
from auditstream_sdk.integrations.requests import stated

if TYPE_CHECKING:
    from auditstream_sdk.integrations.posts import Audit

C = TypeVar("C")

_OPERATIONS = {
    "/chat/completions": ("chat", "chat_completions"),
    "/responses": ("chat", "responses"),
    "/completions": ("text_completion", ""),
    "/embeddings": ("embeddings", ""),
}
"""Operation and `openai.api.type` by path."""


def instrument_openai(
    client: C, audit: Audit, *, provider: str | None = None, content_key: bytes | None = None
) -> C:
    """Record every model call of a client, and return the client.

    Streams, raw responses and helpers included; a call with its retries is one event. A stream is recorded
    when it was read to its end, closed or dropped. Copies (`with_options`) record as well.

    Args:
        client: `OpenAI`, `AsyncOpenAI`, or one of its kinds for Azure.
        audit: Where to record; a client that awaits takes either kind, others take `AuditClient`.
        provider: Who answers; by default told by the client's address, and `openai` for one not known.
        content_key: Key for the HMAC of content; without one content leaves its size only.

    Raises:
        ImportError: The package is missing.
        TypeError: It is another client.
    """
    openai = required("openai", extra="openai")
    if not isinstance(client, (openai.OpenAI, openai.AsyncOpenAI)):
        raise TypeError(f"client: expected OpenAI or AsyncOpenAI, got {type(client).__qualname__}")
    address = client.base_url
    who = provider or provider_at(
        address, "azure.ai.openai" if "Azure" in type(client).__name__ else "openai"
    )
    host = host_of(address)

    def opening(path: str, request: Mapping[str, Any], *, stream: bool) -> tuple[Any, str] | None:
        known = _OPERATIONS.get(path)
        if known is None:
            return None
        operation, api = known
        recorder = audit.embedding if operation == "embeddings" else audit.inference
        fields = {"operation": operation, "provider": who, "server_host": host, "stream": stream}
        keyed = hashes(tools=request.get("tools"), system=request.get("instructions"), key=content_key)
        recording = recorder(**fields, **_asked(request), **keyed)  # type: ignore[arg-type]
        recording.set(**measured(content_of(request), content_key), **_context(request, api))
        return recording, who

    hook(
        client,
        audit,
        opening,
        lambda copy: instrument_openai(copy, audit, provider=provider, content_key=content_key),
    )
    return client


def uninstrument_openai(client: Any) -> None:
    """Have a client record no more."""
    unhook(client)


def _asked(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked for, as fields of `inference`."""
    reasoning = request.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, Mapping) else request.get("reasoning_effort")
    prompt = request.get("prompt")
    named = prompt if isinstance(prompt, Mapping) else {}
    limits = (request.get(name) for name in ("max_output_tokens", "max_completion_tokens", "max_tokens"))
    asked = {
        "request_model": request.get("model"),
        "max_tokens": next((limit for limit in limits if isinstance(limit, int)), None),
        "temperature": request.get("temperature"),
        "top_p": request.get("top_p"),
        "seed": request.get("seed"),
        "reasoning_level": effort,
        "prompt_name": named.get("id"),
        "prompt_version": named.get("version"),
    }
    return stated(asked)


def _context(request: Mapping[str, Any], api: str) -> dict[str, Any]:
    conversation = request.get("conversation")
    if isinstance(conversation, Mapping):
        conversation = conversation.get("id")
    fields: dict[str, Any] = {"attributes": {"openai.api.type": api}} if api else {}
    return {**fields, "conversation_id": conversation} if isinstance(conversation, str) else fields
