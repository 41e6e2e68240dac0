"""OpenInference, the conventions of Arize's instrumentations."""

from __future__ import annotations

from collections.abc import Mapping

from auditstream.gateway.otlp.conversions import (
    Convert,
    count,
    flag,
    number,
    provider,
    text,
    texts,
    whole,
    word,
)
from auditstream.gateway.otlp.entries import Content, Dialect, Ignored, Kept, Mapped, Opened, Role

_PARAMETERS: Mapping[str, tuple[str, Convert]] = {
    "model": ("inference.request_model", text),
    "temperature": ("inference.temperature", number),
    "top_p": ("inference.top_p", number),
    "top_k": ("inference.top_k", count),
    "seed": ("inference.seed", whole),
    "max_tokens": ("inference.max_tokens", count),
    "max_completion_tokens": ("inference.max_tokens", count),
    "max_output_tokens": ("inference.max_tokens", count),
    "stream": ("inference.stream", flag),
    "reasoning_effort": ("inference.reasoning_level", text),
    "reasoning.effort": ("inference.reasoning_level", text),
}
_ANSWER: Mapping[str, tuple[str, Convert]] = {
    "id": ("inference.response_id", text),
    "service_tier": ("inference.service_tier", text),
    "system_fingerprint": ("inference.fingerprint", text),
}

OPENINFERENCE = Dialect(
    name="openinference",
    title="OpenInference (Arize)",
    source="https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md",
    about=(
        "Prompt tokens include cached ones and completion tokens include reasoning, as its total shows; where"
        " the total shows otherwise, the parts are added. The response id is read from the answer in"
        " `output.value`, which is then dropped: with `OPENINFERENCE_HIDE_OUTPUTS` there is none."
    ),
    first_token=frozenset({"First Token Stream Event"}),
    entries=(
        Kept("openinference.span.kind", note="chooses the event's type"),
        Mapped("llm.provider", ("inference.provider",), provider),
        Mapped("llm.system", ("inference.provider",), provider, note="where there is no llm.provider"),
        Mapped("llm.request.model_name", ("inference.request_model",), text),
        Mapped("llm.response.model_name", ("inference.response_model",), text),
        Mapped(
            "llm.model_name",
            ("inference.model_name",),
            text,
            note="the answering model; of a failed call, the one that was asked for",
        ),
        Opened(
            "llm.invocation_parameters", _PARAMETERS, note="other members are dropped: they can be content"
        ),
        Mapped("llm.finish_reason", ("inference.finish_reasons",), texts),
        Mapped("llm.token_count.prompt", ("usage.input_tokens",), count),
        Mapped("llm.token_count.completion", ("usage.output_tokens",), count),
        Mapped(
            "llm.token_count.total", ("usage.total_tokens",), count, note="checks which counts include which"
        ),
        Mapped("llm.token_count.prompt_details.cache_read", ("usage.cache_read_tokens",), count),
        Mapped("llm.token_count.prompt_details.cache_input", ("usage.cache_read_tokens",), count),
        Mapped("llm.token_count.prompt_details.cache_write", ("usage.cache_write_tokens",), count),
        Mapped("llm.token_count.prompt_details.audio", ("usage.by_modality[audio.input]",), count),
        Mapped("llm.token_count.completion_details.reasoning", ("usage.reasoning_tokens",), count),
        Mapped("llm.token_count.completion_details.audio", ("usage.by_modality[audio.output]",), count),
        Kept("llm.cost.total", note="a double in USD: the pipeline prices, this stays beside it"),
        Kept("llm.cost.prompt"),
        Kept("llm.cost.completion"),
        Content("llm.input_messages*", Role.INPUT),
        Content("llm.output_messages*", Role.OUTPUT),
        Content("llm.prompts*", Role.INPUT),
        Content("llm.choices*", Role.OUTPUT),
        Content("llm.function_call", Role.OUTPUT),
        Content("llm.tools*", Role.TOOLS),
        Content("llm.prompt_template.template", Role.INPUT),
        Content("llm.prompt_template.variables", Role.INPUT),
        Mapped("llm.prompt_template.version", ("inference.prompt_version",), text),
        Mapped("prompt.id", ("inference.prompt_name",), text),
        Kept("prompt.vendor"),
        Ignored("prompt.url", "can hold a key"),
        Content("input.value", Role.INPUT, note="of a tool's span: its arguments"),
        Opened("output.value", _ANSWER, role=Role.OUTPUT, note="of a tool's span: its result"),
        Ignored("input.mime_type", "describes what is dropped"),
        Ignored("output.mime_type", "describes what is dropped"),
        Content("input.images*", Role.INPUT),
        Content("output.images*", Role.OUTPUT),
        Content("input.documents*", Role.INPUT),
        Content("output.documents*", Role.OUTPUT),
        Mapped("embedding.model_name", ("inference.model_name",), text),
        Opened("embedding.invocation_parameters", {"model": ("inference.request_model", text)}),
        Content("embedding.text", Role.INPUT),
        Content("embedding.vector", Role.OUTPUT),
        Content("embedding.embeddings*", Role.INPUT, note="texts and vectors"),
        Mapped("decision.model_name", ("inference.model_name",), text),
        Mapped("decision.request.model_name", ("inference.request_model",), text),
        Mapped("decision.response.model_name", ("inference.response_model",), text),
        Mapped("decision.provider", ("inference.provider",), provider),
        Mapped("decision.system", ("inference.provider",), provider),
        Mapped("decision.token_count.input", ("usage.input_tokens",), count),
        Mapped("decision.token_count.output", ("usage.output_tokens",), count),
        Mapped("tool.name", ("tool.name",), text),
        Mapped("tool.id", ("tool.call_id",), text),
        Mapped("tool_call.id", ("tool.call_id",), text),
        Mapped("tool_call.function.name", ("tool.name",), text),
        Content("tool_call.function.arguments", Role.ARGUMENTS),
        Content("tool.description", Role.TOOLS),
        Content("tool.json_schema", Role.TOOLS),
        Content("tool.parameters", Role.ARGUMENTS),
        Content("retrieval.documents*", Role.OUTPUT, counted="retrieval.hits"),
        Content("reranker.input_documents*", Role.INPUT),
        Content("reranker.output_documents*", Role.OUTPUT, counted="retrieval.hits"),
        Content("reranker.query", Role.INPUT),
        Mapped("reranker.top_k", ("retrieval.top_k",), count),
        Kept("reranker.model_name"),
        Mapped("agent.name", ("agent_name",), text),
        Mapped("evaluation.name", ("evaluation.name",), text),
        Mapped("evaluation.score", ("evaluation.score",), number),
        Mapped("evaluation.label", ("evaluation.label",), word),
        Content("evaluation.explanation", Role.OUTPUT),
        Kept("evaluation.annotator_kind"),
        Kept("evaluation.identifier"),
        Content("evaluation.metadata", Role.OUTPUT),
        Content("metadata", Role.INPUT, note="anything the application likes"),
        Kept("tag.tags"),
        Kept("graph.node.id"),
        Kept("graph.node.name"),
        Kept("graph.node.parent_id"),
    ),
)
