"""Anthropic's client: messages are recorded as they are called, at Anthropic, on Bedrock and on Vertex AI."""

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

_PATH = "/v1/messages"


def instrument_anthropic(
    client: C, audit: Audit, *, provider: str | None = None, content_key: bytes | None = None
) -> C:
    """Record every message of a client, and return the client.

    Streams, raw responses, helpers and beta included; a call with its retries is one event. A stream is
    recorded when it was read to its end, closed or dropped. Copies (`with_options`) record as well.

    Args:
        client: `Anthropic`, `AsyncAnthropic`, or one of its kinds for Bedrock and Vertex AI.
        audit: Where to record; a client that awaits takes either kind, others take `AuditClient`.
        provider: Who answers; by default told by the client's address, and `anthropic` for one not known.
        content_key: Key for the HMAC of content; without one content leaves its size only.

    Raises:
        ImportError: The package is missing.
        TypeError: It is another client.
    """
    package = required("anthropic", extra="anthropic")
    # Those for Bedrock and Vertex AI are no subclasses of Anthropic.
    kin = type(client).__module__.startswith("anthropic.") and hasattr(client, "messages")
    if not kin and not isinstance(client, (package.Anthropic, package.AsyncAnthropic)):
        raise TypeError(f"client: expected Anthropic or AsyncAnthropic, got {type(client).__qualname__}")
    made: Any = client
    address = made.base_url
    who = provider or provider_at(address, "anthropic")
    host = host_of(address)

    def opening(path: str, request: Mapping[str, Any], *, stream: bool) -> tuple[Any, str] | None:
        if path != _PATH:
            return None
        fields = {"operation": "chat", "provider": who, "server_host": host, "stream": stream}
        keyed = hashes(tools=request.get("tools"), system=request.get("system"), key=content_key)
        recording = audit.inference(**fields, **_asked(request), **keyed)  # type: ignore[arg-type]
        recording.set(**measured(content_of(request), content_key))
        return recording, who

    hook(
        client,
        audit,
        opening,
        lambda copy: instrument_anthropic(copy, audit, provider=provider, content_key=content_key),
    )
    return client


def uninstrument_anthropic(client: Any) -> None:
    """Have a client record no more."""
    unhook(client)


def _asked(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was asked for, as fields of `inference`."""
    config = request.get("output_config")
    asked = {
        "request_model": request.get("model"),
        "max_tokens": request.get("max_tokens"),
        "temperature": request.get("temperature"),
        "top_p": request.get("top_p"),
        "top_k": request.get("top_k"),
        "reasoning_level": config.get("effort") if isinstance(config, Mapping) else None,
    }
    return stated(asked)
