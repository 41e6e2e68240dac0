"""GenAI conventions 0.1.0, the first release of their own: what is new or renamed since core 1.41."""

from __future__ import annotations

from auditstream.gateway.otlp.conversions import count, small_count, text, unit_share, word
from auditstream.gateway.otlp.entries import Content, Dialect, Entry, Ignored, Kept, Mapped, Role

_SINCE = "0.1.0"


def _modality(modality: str, part: str, name: str) -> Entry:
    return Mapped(
        f"gen_ai.usage.{modality}.{name}", (f"usage.by_modality[{modality}.{part}]",), count, since=_SINCE
    )


_MODALITIES: tuple[Entry, ...] = tuple(
    _modality(modality, part, name)
    for modality in ("text", "image", "audio", "video")
    for part, name in (
        ("input", "input_tokens"),
        ("output", "output_tokens"),
        ("cache_read", "cache_read.input_tokens"),
    )
)

SEMCONV_0_1 = Dialect(
    name="semconv-0.1.0",
    title="OpenTelemetry GenAI conventions 0.1.0",
    source="https://github.com/open-telemetry/semantic-conventions-genai",
    about="Emitted by opentelemetry-util-genai and what is built on it. Adds to the table of 1.37 to 1.41.",
    entries=(
        Mapped("gen_ai.usage.cache_write.input_tokens", ("usage.cache_write_tokens",), count, since=_SINCE),
        *_MODALITIES,
        Mapped("gen_ai.request.reasoning.level", ("inference.reasoning_level",), text, since=_SINCE),
        Mapped("gen_ai.prompt.version", ("inference.prompt_version",), text, since=_SINCE),
        Content("gen_ai.prompt.variable.*", Role.INPUT, since=_SINCE, note="values filled into a prompt"),
        Kept("gen_ai.request.previous_response.id", since=_SINCE),
        Kept("gen_ai.request.stream_cursor", since=_SINCE),
        Kept("gen_ai.response.status", since=_SINCE),
        Kept("gen_ai.conversation.compacted", since=_SINCE),
        Kept("gen_ai.input.messages.ref", since=_SINCE, note="reference of the upload hook"),
        Kept("gen_ai.output.messages.ref", since=_SINCE),
        Kept("gen_ai.system_instructions.ref", since=_SINCE),
        Kept("gen_ai.tool.definitions.ref", since=_SINCE),
        Mapped("gen_ai.retrieval.top_k", ("retrieval.top_k",), small_count, since=_SINCE),
        Mapped("gen_ai.memory.store.id", ("retrieval.store_id",), text, since=_SINCE),
        Mapped("gen_ai.memory.record.count", ("retrieval.hits",), small_count, since=_SINCE),
        Kept("gen_ai.memory.record.id", since=_SINCE),
        Content("gen_ai.memory.query.text", Role.INPUT, since=_SINCE),
        Content("gen_ai.memory.records", Role.OUTPUT, counted="retrieval.hits", since=_SINCE),
        Mapped("gen_ai.guardrail.security.policy.id", ("policy.id",), text, note="PR 427, not merged"),
        Mapped("gen_ai.guardrail.security.policy.rule.id", ("policy.rule_id",), text, note="PR 427"),
        Mapped("gen_ai.guardrail.component.name", ("policy.component",), text, note="PR 427"),
        Mapped("gen_ai.guardrail.target.type", ("policy.target",), word, note="PR 427"),
        Mapped("gen_ai.guardrail.verdict.type", ("policy.verdict",), word, note="PR 427"),
        Mapped("gen_ai.guardrail.action.type", ("policy.action",), word, note="PR 427"),
        Mapped("gen_ai.guardrail.security.risk.category", ("policy.risk_category",), text, note="PR 427"),
        Mapped("gen_ai.guardrail.security.risk.score", ("policy.risk_score",), unit_share, note="PR 427"),
        Content("gen_ai.guardrail.verdict.reason", Role.OUTPUT, note="PR 427; quotes what was judged"),
        Content("gen_ai.guardrail.security.content.*", Role.INPUT, note="PR 427"),
        Mapped("a2a.task.id", ("agent_step.a2a_task_id",), text, note="PR 195"),
        Mapped("a2a.task.state", ("agent_step.a2a_state",), text, note="PR 195"),
        Kept("a2a.method.name", note="PR 195"),
        Kept("a2a.tenant", note="PR 195; a routing word of the peer, not our tenant"),
        Kept("a2a.protocol.version", note="PR 195"),
        Kept("a2a.message.id", note="PR 195"),
        Kept("a2a.message.reference_task_ids", note="PR 195"),
        Kept("gen_ai.usage.cost.amount", note="PR 443; a double: the pipeline prices, this stays beside it"),
        Kept("gen_ai.usage.cost.currency", note="PR 443"),
        Kept("gen_ai.usage.cost.source", note="PR 443"),
        Ignored("gen_ai.token.modality", "an attribute of metrics only"),
        Ignored("gen_ai.token.cache", "an attribute of metrics only"),
        Ignored("gen_ai.token.phase", "an attribute of metrics only"),
        Kept("jsonrpc.request.id"),
    ),
)
