"""Facts from a streamed answer: the pieces of one are fed in as they pass, in any provider's form.

A stream says what it used in its last pieces, if at all: OpenAI's chat only when asked to
(`stream_options={"include_usage": true}`). What did not come is not guessed: usage then has the source NONE.
A stream that broke off has the counts that arrived, and `complete` is False.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from auditstream_sdk.usage.extraction import read_response
from auditstream_sdk.usage.facts import ResponseFacts
from auditstream_sdk.usage.members import items_at, member, text_at, value_at


class StreamFacts:
    """Collects what the pieces of one streamed answer say of it, and no content.

    The form of the stream is found out from its pieces. Not safe for use by several threads.
    """

    def __init__(self, *, provider: str | None = None) -> None:
        self._provider = provider
        self._known: dict[str, Any] = {}
        self._reasons: dict[int, str] = {}
        self._usage: dict[str, Any] = {}
        self._whole: Any = None
        self._error: str | None = None
        self._ended = False
        self._dialect: str | None = None

    def feed(self, piece: Any) -> None:
        """Take in a piece: a JSON object of the stream, or the object that the provider's package yields."""
        reader = _reader_of(piece)
        if reader is not None:
            reader(self, piece)

    def facts(self, *, exhausted: bool) -> ResponseFacts:
        """Return what is known.

        Args:
            exhausted: Whether the stream was read to its end; the provider's own last word counts as well.
        """
        complete = (exhausted or self._ended) and self._error is None
        if self._whole is not None:
            whole = read_response(self._whole, provider=self._provider, dialect=self._dialect)
            return replace(whole, complete=complete, error=self._error or whole.error)
        if self._dialect is None:
            return ResponseFacts(complete=complete, error=self._error)
        body = {**self._known, **_USAGE_AT[self._dialect](self._usage)}
        facts = read_response(body, provider=self._provider, dialect=self._dialect)
        reasons = tuple(self._reasons[index] for index in sorted(self._reasons))
        facts = replace(facts, finish_reasons=reasons, complete=complete, error=self._error)
        if self._dialect == "anthropic.messages" and not reasons:
            # message_start counts a first token or two of the output; how many follow is not known yet.
            return replace(facts, usage=replace(facts.usage, output_tokens=None, reasoning_tokens=None))
        return facts

    def _keep(self, piece: Any, *names: str) -> None:
        for name in names:
            value = member(piece, name)
            if value is not None:
                self._known[name] = value

    def _count(self, block: Any, names: tuple[str, ...]) -> None:
        """Take over what a usage block says; a later block corrects an earlier one number by number."""
        for name in names:
            value = member(block, name)
            if value is not None:
                self._usage[name] = value

    def _chat(self, piece: Any) -> None:
        self._dialect = "openai.chat"
        self._keep(piece, "id", "model", "service_tier", "system_fingerprint", "object")
        usage = member(piece, "usage") or value_at(piece, "x_groq.usage")
        if usage is not None:
            self._usage = {"": usage}
        for choice in items_at(piece, "choices"):
            reason = text_at(choice, "finish_reason")
            if reason:
                index = member(choice, "index")
                self._reasons[index if isinstance(index, int) else 0] = reason

    def _responses(self, piece: Any) -> None:
        self._dialect = "openai.responses"
        self._whole = member(piece, "response")
        kind = text_at(piece, "type") or ""
        self._ended = kind.rpartition(".")[2] in {"completed", "incomplete", "failed", "done", "cancelled"}
        if kind == "response.failed":
            self._error = text_at(self._whole, "error.code") or "failed"

    def _message_start(self, piece: Any) -> None:
        self._dialect = "anthropic.messages"
        message = member(piece, "message")
        self._keep(message, "id", "model", "type")
        self._count(member(message, "usage"), _ANTHROPIC_COUNTS)

    def _message_delta(self, piece: Any) -> None:
        self._dialect = "anthropic.messages"
        self._count(member(piece, "usage"), _ANTHROPIC_COUNTS)
        reason = text_at(piece, "delta.stop_reason")
        if reason:
            self._reasons[0] = reason

    def _end(self, _: Any) -> None:
        self._ended = True

    def _gemini(self, piece: Any) -> None:
        self._dialect = "gemini.generate_content"
        self._keep(piece, "modelVersion", "model_version", "responseId", "response_id")
        for name in ("usageMetadata", "usage_metadata"):
            usage = member(piece, name)
            if usage is not None:
                self._count(usage, _GEMINI_COUNTS)
        for place, candidate in enumerate(items_at(piece, "candidates")):
            reason = text_at(candidate, "finishReason", "finish_reason")
            if reason:
                self._reasons[place] = reason

    def _converse_stop(self, piece: Any) -> None:
        self._dialect = "bedrock.converse"
        reason = text_at(piece, "messageStop.stopReason")
        if reason:
            self._reasons[0] = reason

    def _converse_metadata(self, piece: Any) -> None:
        self._dialect = "bedrock.converse"
        self._ended = True
        metadata = member(piece, "metadata")
        self._keep(metadata, "serviceTier", "trace")
        usage = member(metadata, "usage")
        self._usage = dict(usage) if isinstance(usage, Mapping) else {}

    def _fail(self, piece: Any) -> None:
        self._error = text_at(piece, "error.code", "error.type", "code") or "error"


_ANTHROPIC_COUNTS = (
    "input_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation",
    "output_tokens",
    "output_tokens_details",
    "server_tool_use",
    "service_tier",
    "speed",
    "iterations",
)

_GEMINI_COUNTS = tuple(
    spelling
    for pair in (
        ("promptTokenCount", "prompt_token_count"),
        ("promptTokensDetails", "prompt_tokens_details"),
        ("cachedContentTokenCount", "cached_content_token_count"),
        ("cacheTokensDetails", "cache_tokens_details"),
        ("candidatesTokenCount", "candidates_token_count"),
        ("candidatesTokensDetails", "candidates_tokens_details"),
        ("toolUsePromptTokenCount", "tool_use_prompt_token_count"),
        ("toolUsePromptTokensDetails", "tool_use_prompt_tokens_details"),
        ("thoughtsTokenCount", "thoughts_token_count"),
        ("totalTokenCount", "total_token_count"),
        ("serviceTier", "service_tier"),
        ("trafficType", "traffic_type"),
    )
    for spelling in pair
)

_USAGE_AT: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "openai.chat": lambda usage: {"usage": usage.get("")},
    "openai.responses": lambda usage: {"usage": usage or None},
    "anthropic.messages": lambda usage: {"usage": usage or None},
    "gemini.generate_content": lambda usage: {
        "usageMetadata": usage or None,
        "usage_metadata": usage or None,
    },
    "bedrock.converse": lambda usage: {"usage": usage or None},
}
"""Where the collected numbers stand in a whole response of each form."""

_BY_TYPE: dict[str, Callable[[StreamFacts, Any], None]] = {
    "message_start": StreamFacts._message_start,
    "message_delta": StreamFacts._message_delta,
    "message_stop": StreamFacts._end,
    "error": StreamFacts._fail,
}

_BY_MEMBER: tuple[tuple[str, Callable[[StreamFacts, Any], None]], ...] = (
    ("messageStop", StreamFacts._converse_stop),
    ("metadata.usage", StreamFacts._converse_metadata),
    ("usageMetadata", StreamFacts._gemini),
    ("usage_metadata", StreamFacts._gemini),
    ("candidates", StreamFacts._gemini),
    ("choices", StreamFacts._chat),
    ("usage.prompt_tokens", StreamFacts._chat),
    ("error", StreamFacts._fail),
)


def _reader_of(piece: Any) -> Callable[[StreamFacts, Any], None] | None:
    """Return what reads a piece; None for pieces that hold content only."""
    kind = member(piece, "type")
    if isinstance(kind, str):
        if kind in _BY_TYPE:
            return _BY_TYPE[kind]
        # A stream has hundreds of pieces with a type and without a response: those are content.
        return StreamFacts._responses if member(piece, "response") is not None else None
    for path, reader in _BY_MEMBER:
        if value_at(piece, path) is not None:
            return reader
    return None
