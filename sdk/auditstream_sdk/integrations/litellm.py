"""LiteLLM: a callback that records every call that LiteLLM makes, in the proxy and in the package.

    litellm.callbacks = [LiteLLMAudit(audit)]

LiteLLM calls back once a call, after its retries, and once a stream, when it was read to its end: a stream
that its caller drops is not called back about, and so is not recorded. Where a stream had no usage LiteLLM
counts tokens itself; such counts are recorded as ESTIMATED.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from auditstream_sdk.fields import ENVELOPE_NAMES
from auditstream_sdk.integrations.addresses import host_of
from auditstream_sdk.integrations.contents import measured
from auditstream_sdk.integrations.faults import FAULTS
from auditstream_sdk.integrations.packages import missing
from auditstream_sdk.integrations.requests import stated
from auditstream_sdk.integrations.waiting import waits
from auditstream_sdk.usage import ResponseFacts, fill, read_response
from auditstream_sdk.usage.facts import PROVIDER

try:
    from litellm.integrations.custom_logger import CustomLogger
except ImportError as error:
    raise ImportError(missing("litellm", "litellm")) from error

if TYPE_CHECKING:
    from auditstream_sdk import AuditClient

_PROVIDERS = {
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "gemini": "gcp.gemini",
    "vertex_ai": "gcp.vertex_ai",
    "vertex_ai_beta": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "xai": "x_ai",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "moonshot": "moonshotai",
    "text-completion-openai": "openai",
}
"""LiteLLM's names of providers that have another name in OpenTelemetry's conventions."""

_COUNT_THEIR_STREAMS = frozenset(
    {"anthropic", "aws.bedrock", "gcp.gemini", "gcp.vertex_ai", "cohere", "mistral_ai", "groq", "perplexity"}
)
"""Providers whose streams have usage without being asked."""

_KEPT_CALLS = 10_000
"""Calls under way that are remembered: what never ends is forgotten, not kept for ever."""


class LiteLLMAudit(CustomLogger):  # type: ignore[misc]  # LiteLLM publishes no types
    """Records calls of models and of embeddings.

    Envelope fields of one call are given as `metadata={"audit": {"conversation_id": "…"}}`; an
    `audit_context` around the call holds as well.

    Args:
        audit: Where to record.
        content_key: Key for the HMAC of content; without one content leaves its size only.
    """

    def __init__(self, audit: AuditClient, *, content_key: bytes | None = None) -> None:
        super().__init__()
        if hasattr(audit, "__aenter__"):
            raise TypeError("audit: LiteLLM also calls back where nobody awaits; use AuditClient")
        self._audit = audit
        self._key = content_key
        self._lock = threading.Lock()
        self._under_way: OrderedDict[str, Any] = OrderedDict()

    def log_pre_api_call(self, model: Any, messages: Any, kwargs: Any) -> None:
        """Begin: what holds around the call is taken here, as LiteLLM calls back from elsewhere later."""
        with FAULTS:
            if self._audit.is_recording:
                with self._lock:
                    name = str(kwargs.get("litellm_call_id"))
                    if name not in self._under_way:
                        self._under_way[name] = self._begun(kwargs)
                    while len(self._under_way) > _KEPT_CALLS:
                        self._under_way.popitem(last=False)

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Record a call that was answered."""
        with FAULTS:
            recording = self._ended(kwargs, response_obj, start_time, end_time)
            if recording is not None:
                recording.record()

    def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Record a call that failed."""
        self.log_success_event(kwargs, response_obj, start_time, end_time)

    async def async_log_success_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Record a call that was answered."""
        with FAULTS:
            recording = self._ended(kwargs, response_obj, start_time, end_time)
            if recording is not None and waits(self._audit):
                await asyncio.to_thread(recording.record)
            elif recording is not None:
                recording.record()

    async def async_log_failure_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """Record a call that failed."""
        await self.async_log_success_event(kwargs, response_obj, start_time, end_time)

    def _begun(self, kwargs: Mapping[str, Any]) -> Any:
        is_embedding = "embedding" in str(kwargs.get("call_type"))
        recorder = self._audit.embedding if is_embedding else self._audit.inference
        return recorder(provider="", operation="embeddings" if is_embedding else "chat")

    def _ended(self, kwargs: Mapping[str, Any], response: Any, start: Any, end: Any) -> Any:
        """Return the finished recording of a call, None when it was recorded already or nothing is."""
        if not self._audit.is_recording:
            return None
        with self._lock:
            recording = self._under_way.pop(str(kwargs.get("litellm_call_id")), None)
        recording = recording if recording is not None else self._begun(kwargs)
        who = _provider(kwargs)
        recording.family.update(_asked(kwargs), provider=who, server_host=_host(kwargs))
        recording.set(
            **_context(kwargs), **measured(kwargs.get("messages") or kwargs.get("input"), self._key)
        )
        if isinstance(start, datetime) and isinstance(end, datetime):
            took = end - start
            recording.set(event_time=start.astimezone(), duration_us=round(took.total_seconds() * 1e6))
            _first_piece(recording, kwargs, start)
        error = kwargs.get("exception")
        if response is not None:
            fill(recording, _facts(kwargs, response, who))
        if isinstance(error, BaseException):
            recording.fail(error)
        elif response is None:
            recording.fail("error")
        return recording


def _provider(kwargs: Mapping[str, Any]) -> str:
    name = str(kwargs.get("custom_llm_provider") or "litellm")
    return _PROVIDERS.get(name, name)


def _facts(kwargs: Mapping[str, Any], response: Any, provider: str) -> ResponseFacts:
    """Return what the provider's own answer says where LiteLLM kept it, else LiteLLM's form of it."""
    own = _own_answer(kwargs.get("original_response"))
    if own is not None:
        facts = read_response(own, provider=provider)
        if facts.usage.source == PROVIDER:
            return facts
    facts = read_response(response, provider=provider)
    if kwargs.get("stream") and not _asked_for_usage(kwargs) and provider not in _COUNT_THEIR_STREAMS:
        return replace(facts, usage=replace(facts.usage, source="ESTIMATED"))
    return facts


def _own_answer(answer: Any) -> Any:
    if isinstance(answer, str):
        try:
            answer = json.loads(answer)
        except ValueError:
            return None
    return answer if isinstance(answer, Mapping) else None


def _asked_for_usage(kwargs: Mapping[str, Any]) -> bool:
    asked = kwargs.get("optional_params")
    options = asked.get("stream_options") if isinstance(asked, Mapping) else None
    return isinstance(options, Mapping) and bool(options.get("include_usage"))


def _asked(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    optional = kwargs.get("optional_params")
    given = optional if isinstance(optional, Mapping) else {}
    asked = {
        "request_model": kwargs.get("model"),
        "max_tokens": given.get("max_tokens") or given.get("max_completion_tokens"),
        "temperature": given.get("temperature"),
        "top_p": given.get("top_p"),
        "seed": given.get("seed"),
        "reasoning_level": given.get("reasoning_effort"),
    }
    return {**stated(asked), "stream": bool(kwargs.get("stream"))}


def _host(kwargs: Mapping[str, Any]) -> str | None:
    parameters = kwargs.get("litellm_params")
    return host_of(parameters.get("api_base")) if isinstance(parameters, Mapping) else None


def _context(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the envelope fields that the caller gave with the call."""
    parameters = kwargs.get("litellm_params")
    metadata = parameters.get("metadata") if isinstance(parameters, Mapping) else None
    given = metadata.get("audit") if isinstance(metadata, Mapping) else None
    known = {name: value for name, value in given.items() if name in ENVELOPE_NAMES} if given else {}
    if kwargs.get("cache_hit"):
        known["attributes"] = {**known.get("attributes", {}), "litellm.cache_hit": "true"}
    return known


def _first_piece(recording: Any, kwargs: Mapping[str, Any], start: datetime) -> None:
    first = kwargs.get("completion_start_time")
    if kwargs.get("stream") and isinstance(first, datetime) and first >= start:
        recording.family["ttft_us"] = round((first - start).total_seconds() * 1e6)
