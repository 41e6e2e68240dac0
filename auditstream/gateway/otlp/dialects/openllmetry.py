"""OpenLLMetry: its own names before and beside the conventions, and Traceloop's decorators."""

from __future__ import annotations

from auditstream.gateway.otlp.conversions import Convert, count, flag, number, text, texts, url_host
from auditstream.gateway.otlp.entries import Content, Dialect, Entry, Ignored, Kept, Mapped, Role


def _both(name: str, fields: tuple[str, ...], convert: Convert, note: str = "") -> tuple[Entry, Entry]:
    """Return a name under `gen_ai.` (since 0.5 of its conventions) and under `llm.` (before)."""
    return (
        Mapped(f"gen_ai.{name}", fields, convert, since="0.5", note=note),
        Mapped(f"llm.{name}", fields, convert, until="0.4", note=note),
    )


OPENLLMETRY = Dialect(
    name="openllmetry",
    title="OpenLLMetry (Traceloop)",
    source="https://github.com/traceloop/openllmetry/tree/main/packages/opentelemetry-semantic-conventions-ai",
    about=(
        "Uses the conventions' names where they exist, and these. Its total tells whether cached tokens are"
        " part of input: where input, output and parts add up to it, the parts stand beside and are added."
    ),
    first_token=frozenset({"gen_ai.content.completion.chunk", "llm.content.completion.chunk"}),
    entries=(
        *_both("usage.total_tokens", ("usage.total_tokens",), count, "checks which counts include which"),
        *_both("usage.reasoning_tokens", ("usage.reasoning_tokens",), count),
        Mapped("gen_ai.usage.cache_read_input_tokens", ("usage.cache_read_tokens",), count, until="0.4"),
        Mapped("gen_ai.usage.cache_creation_input_tokens", ("usage.cache_write_tokens",), count, until="0.4"),
        *_both("is_streaming", ("inference.stream",), flag),
        *_both("user", ("actor_id",), text),
        Ignored("gen_ai.headers", "request headers hold credentials", since="0.5"),
        Ignored("llm.headers", "request headers hold credentials", until="0.4"),
        *_both("request.reasoning_effort", ("inference.reasoning_level",), text),
        *_both("response.finish_reason", ("inference.finish_reasons",), texts),
        *_both("response.stop_reason", ("inference.finish_reasons",), texts),
        Mapped("gen_ai.request.max_completion_tokens", ("inference.max_tokens",), count, since="0.5"),
        Kept("gen_ai.request.n", since="0.5"),
        Kept("gen_ai.request.repetition_penalty", since="0.5"),
        Kept("llm.request.repetition_penalty", until="0.4"),
        Content("gen_ai.request.structured_output_schema", Role.TOOLS),
        Kept("gen_ai.request.reasoning_summary"),
        Kept("gen_ai.response.reasoning_effort"),
        Ignored("gen_ai.usage.token_type", "an attribute of metrics only"),
        Ignored("llm.usage.token_type", "an attribute of metrics only"),
        Kept("llm.request.type", until="0.4", note="chooses the event's type"),
        Content("llm.request.functions*", Role.TOOLS, until="0.4"),
        Kept("llm.frequency_penalty", until="0.4"),
        Kept("llm.presence_penalty", until="0.4"),
        Mapped("llm.top_k", ("inference.top_k",), count, until="0.4"),
        Mapped("llm.temperature", ("inference.temperature",), number, until="0.4"),
        Content("llm.chat.stop_sequences", Role.INPUT, until="0.4"),
        Mapped("gen_ai.openai.system_fingerprint", ("inference.fingerprint",), text, until="0.4"),
        Mapped("gen_ai.openai.api_base", ("inference.server_host",), url_host),
        Kept("gen_ai.openai.api_version"),
        Kept("gen_ai.openai.api_type"),
        Content("gen_ai.prompt.*", Role.INPUT, note="`gen_ai.prompt.0.content` and its like"),
        Content("gen_ai.completion.*", Role.OUTPUT, note="`gen_ai.completion.0.content` and its like"),
        Content("gen_ai.content.completion.chunk", Role.OUTPUT),
        Kept("traceloop.span.kind", note="chooses the event's type"),
        Mapped("traceloop.workflow.name", ("agent_name",), text, note="where no agent is named"),
        Kept("traceloop.entity.name", note="name of the tool or agent where no other is given"),
        Kept("traceloop.entity.path"),
        Kept("traceloop.entity.version"),
        Content("traceloop.entity.input", Role.INPUT),
        Content("traceloop.entity.output", Role.OUTPUT),
        Mapped("traceloop.association.properties.user_id", ("actor_id",), text),
        Mapped("traceloop.association.properties.session_id", ("session_id",), text),
        Mapped("traceloop.association.properties.conversation_id", ("conversation_id",), text),
        Mapped("traceloop.association.properties.chat_id", ("conversation_id",), text),
        Mapped("traceloop.prompt.key", ("inference.prompt_name",), text),
        Mapped("traceloop.prompt.version", ("inference.prompt_version",), text),
        Kept("traceloop.prompt.managed"),
        Kept("traceloop.prompt.version_name"),
        Kept("traceloop.prompt.version_hash"),
        Content("traceloop.prompt.template*", Role.INPUT),
        Kept("gen_ai.task.id"),
        Kept("gen_ai.task.name"),
        Content("gen_ai.task.input", Role.INPUT),
        Content("gen_ai.task.output", Role.OUTPUT),
        Content("mcp.request.argument", Role.ARGUMENTS),
        Content("mcp.response.value", Role.RESULT),
        Kept("mcp.request.id"),
    ),
)
