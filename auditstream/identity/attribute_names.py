"""Which attributes hold content or personal data, by the names that producers give them.

Ours (`content.input`, …), OpenTelemetry's GenAI conventions in the dialects that are in use
(`gen_ai.prompt` and `gen_ai.completion` up to 1.36, `gen_ai.input.messages` since), OpenLLMetry's
(`gen_ai.prompt.0.content`, `traceloop.entity.input`) and OpenInference's (`input.value`,
`llm.input_messages.0.message.content`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

Content = Literal[
    "content.input",
    "content.output",
    "content.system",
    "content.tools",
    "content.arguments",
    "content.result",
]
"""Kinds of content; a producer may use them as attribute names, and boxes have them as field names."""

Meaning = Content | Literal["person", "address"] | None

_EXACT: dict[str, Meaning] = {
    "gen_ai.prompt": "content.input",
    "gen_ai.request.stop_sequences": "content.input",
    "gen_ai.request.structured_output_schema": "content.tools",
    "gen_ai.agent.description": "content.system",
    "gen_ai.tool.description": "content.tools",
    "gen_ai.input.messages": "content.input",
    "gen_ai.retrieval.query.text": "content.input",
    "gen_ai.completion": "content.output",
    "gen_ai.output.messages": "content.output",
    "gen_ai.retrieval.documents": "content.output",
    "gen_ai.evaluation.explanation": "content.output",
    "gen_ai.event.content": "content.input",
    "gen_ai.content.completion.chunk": "content.output",
    "gen_ai.memory.query.text": "content.input",
    "gen_ai.memory.records": "content.output",
    "gen_ai.guardrail.verdict.reason": "content.output",
    "gen_ai.task.input": "content.input",
    "gen_ai.task.output": "content.output",
    "mcp.request.argument": "content.arguments",
    "mcp.response.value": "content.result",
    "gen_ai.system_instructions": "content.system",
    "gen_ai.tool.definitions": "content.tools",
    "gen_ai.tool.call.arguments": "content.arguments",
    "gen_ai.tool.call.result": "content.result",
    "traceloop.entity.input": "content.input",
    "traceloop.entity.output": "content.output",
    "llm.prompts": "content.input",
    "llm.prompt_template.variables": "content.input",
    "llm.completions": "content.output",
    "llm.function_call": "content.output",
    "tool.parameters": "content.arguments",
    "tool_call.function.arguments": "content.arguments",
    "llm.chat.stop_sequences": "content.input",
    "tool.description": "content.tools",
    "tool.json_schema": "content.tools",
    "evaluation.metadata": "content.output",
    "metadata": "content.input",
    "input.value": "content.input",
    "output.value": "content.output",
    "embedding.text": "content.input",
    "embedding.vector": "content.output",
    "evaluation.explanation": "content.output",
    "llm.prompt_template.template": "content.input",
    "reranker.query": "content.input",
    "db.query.text": "content.input",
    "db.statement": "content.input",
    "user.id": "person",
    "user.name": "person",
    "user.email": "person",
    "user.full_name": "person",
    "enduser.id": "person",
    "llm.user": "person",
    "gen_ai.user": "person",
    "traceloop.association.properties.user_id": "person",
    "client.address": "address",
    "http.client_ip": "address",
    "net.peer.ip": "address",
    "net.sock.peer.addr": "address",
    "network.peer.address": "address",
}
_PREFIXES: tuple[tuple[str, Content], ...] = (
    ("content.", "content.input"),
    ("gen_ai.input.messages.", "content.input"),
    ("gen_ai.output.messages.", "content.output"),
    ("llm.input_messages.", "content.input"),
    ("llm.output_messages.", "content.output"),
    ("llm.prompts.", "content.input"),
    ("llm.completions.", "content.output"),
    ("gen_ai.content.", "content.input"),
    ("gen_ai.guardrail.security.content.", "content.input"),
    ("gen_ai.prompt.variable.", "content.input"),
    ("traceloop.prompt.template", "content.input"),
    ("input.images", "content.input"),
    ("output.images", "content.output"),
    ("input.documents", "content.input"),
    ("output.documents", "content.output"),
    ("llm.choices", "content.output"),
    ("llm.tools.", "content.tools"),
    ("llm.request.functions.", "content.tools"),
    ("retrieval.documents.", "content.output"),
    ("reranker.input_documents.", "content.input"),
    ("reranker.output_documents.", "content.output"),
    ("embedding.embeddings.", "content.input"),
)
# Of the indexed names the parts that say what kind of message it is are no content; the texts are.
_INDEXED: tuple[tuple[str, Content], ...] = (
    ("gen_ai.prompt.", "content.input"),
    ("gen_ai.completion.", "content.output"),
)
_REFERENCES = frozenset({"gen_ai.input.messages.ref", "gen_ai.output.messages.ref"})
"""Names of where content is kept, which is not the content."""

OWN: frozenset[str] = frozenset(Content.__args__)  # type: ignore[attr-defined]  # a Literal has them
"""Names of the kinds themselves."""


def known_names() -> Iterator[tuple[str, str]]:
    """Yield every name and what it holds, `*` for any rest; for the page that lists them."""
    yield from ((name, name) for name in sorted(OWN))
    yield from ((name, str(meaning)) for name, meaning in _EXACT.items())
    yield from ((f"{prefix}*", content) for prefix, content in _PREFIXES)
    yield from ((f"{prefix}<number>.*", content) for prefix, content in _INDEXED)


@lru_cache(maxsize=8_192)
def meaning_of(name: str) -> Meaning:
    """Return what an attribute of this name holds; None for neither content nor personal data."""
    if name in OWN:
        return name  # type: ignore[return-value]  # one of the names of the type
    if name in _EXACT:
        return _EXACT[name]
    if name in _REFERENCES:
        return None
    for prefix, content in _PREFIXES:
        if name.startswith(prefix):
            return content
    for prefix, content in _INDEXED:
        index, _, rest = name.removeprefix(prefix).partition(".")
        if name.startswith(prefix) and index.isdigit():
            return None if rest in {"role", "finish_reason"} else content
    return None
