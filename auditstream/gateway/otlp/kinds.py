"""Which event a span becomes, if any.

The first attribute of `RULES` that a span has decides. A span with none of them is an event only when it
names a model; HTTP, database and other spans are no events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

INFERENCE = "ai.inference"
EMBEDDING = "ai.embedding"
TOOL_CALL = "ai.tool_call"
AGENT_ACTION = "ai.agent.action"
AGENT_LIFECYCLE = "ai.agent.lifecycle"
RETRIEVAL = "ai.retrieval"
MEMORY = "ai.memory"
POLICY = "ai.policy.decision"
EVALUATION = "ai.evaluation"
EXPERIMENT = "ai.experiment.assignment"

FAMILIES: Mapping[str, frozenset[str]] = {
    INFERENCE: frozenset({"inference", "usage"}),
    EMBEDDING: frozenset({"inference", "usage"}),
    TOOL_CALL: frozenset({"tool"}),
    AGENT_ACTION: frozenset({"agent_step"}),
    AGENT_LIFECYCLE: frozenset({"change"}),
    RETRIEVAL: frozenset({"retrieval"}),
    MEMORY: frozenset({"retrieval"}),
    POLICY: frozenset({"policy"}),
    EVALUATION: frozenset({"evaluation"}),
    EXPERIMENT: frozenset({"experiment"}),
}
"""Families that an event of a type has. An agent's span repeats the tokens of the model calls inside it: they
are kept as attributes and not counted, or every call would be counted twice."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a span is.

    Attributes:
        event_type: Type of its event; None when it is no event.
        operation: `inference.operation` of a model call.
        note: Why it is no event, or what there is to know.
    """

    event_type: str | None
    operation: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """What the values of an attribute say of a span.

    Attributes:
        attribute: The attribute.
        kinds: Values, in lower case, to kinds; a value that ends in `*` stands for all that begin so.
        otherwise: Kind of other values; None asks the next rule.
    """

    attribute: str
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    otherwise: Kind | None = None

    def kind_of(self, value: str) -> Kind | None:
        """Return the kind that a value names; None when the rule does not know."""
        found = self.kinds.get(value)
        if found is None:
            found = next(
                (
                    kind
                    for name, kind in self.kinds.items()
                    if name[-1] == "*" and value.startswith(name[:-1])
                ),
                self.otherwise,
            )
        return found


_CHAT = Kind(INFERENCE, "chat")
_AGENT = Kind(AGENT_ACTION)
_TOOL = Kind(TOOL_CALL)
_GLUE = Kind(None, note="a step of a framework around the calls that are events")

RULES = (
    Rule(
        "gen_ai.operation.name",
        {
            "chat": _CHAT,
            "generate_content": Kind(INFERENCE, "generate_content"),
            "text_completion": Kind(INFERENCE, "text_completion"),
            "embeddings": Kind(EMBEDDING, "embeddings"),
            "retrieval": Kind(RETRIEVAL),
            "execute_tool": _TOOL,
            "invoke_agent": _AGENT,
            "invoke_workflow": _AGENT,
            "plan": _AGENT,
            "create_agent": Kind(AGENT_LIFECYCLE),
            "create_memory": Kind(MEMORY),
            "update_memory": Kind(MEMORY),
            "upsert_memory": Kind(MEMORY),
            "search_memory": Kind(MEMORY),
            "delete_memory": Kind(MEMORY),
            "create_memory_store": Kind(MEMORY),
            "delete_memory_store": Kind(MEMORY),
            "run_guardrail": Kind(POLICY, note="PR 427, not merged"),
            "fetch_response": Kind(None, note="reads an answer that another span tells of"),
        },
    ),
    Rule(
        "openinference.span.kind",
        {
            "llm": _CHAT,
            "decision": Kind(INFERENCE, "decision"),
            "embedding": Kind(EMBEDDING, "embeddings"),
            "tool": _TOOL,
            "agent": _AGENT,
            "retriever": Kind(RETRIEVAL),
            "reranker": Kind(RETRIEVAL),
            "guardrail": Kind(POLICY),
            "evaluator": Kind(EVALUATION),
            "chain": _GLUE,
            "prompt": _GLUE,
            "unknown": _GLUE,
        },
    ),
    Rule(
        "llm.request.type",
        {
            "chat": _CHAT,
            "completion": Kind(INFERENCE, "text_completion"),
            "embedding": Kind(EMBEDDING, "embeddings"),
            "rerank": Kind(RETRIEVAL),
        },
    ),
    Rule("traceloop.span.kind", {"workflow": _AGENT, "agent": _AGENT, "tool": _TOOL, "task": _GLUE}),
    Rule(
        "a2a.method.name",
        {"sendmessage": _AGENT, "sendstreamingmessage": _AGENT, "canceltask": _AGENT},
        Kind(None, note="asks how a task stands, and changes nothing"),
    ),
    Rule(
        "mcp.method.name",
        {
            "ping": Kind(None, note="no action"),
            "notifications/*": Kind(None, note="tells of an action that has its own span"),
        },
        Kind(TOOL_CALL, note="`tool.mcp_method` says which; without a tool's name it is also `tool.name`"),
    ),
)
"""In the order in which they are asked."""

_MODEL_NAMES = ("gen_ai.request.model", "gen_ai.response.model", "llm.model_name")

_EVENTS = {
    "gen_ai.evaluation.result": EVALUATION,
    "feature_flag.evaluation": EXPERIMENT,
    "feature_flag": EXPERIMENT,
}
"""Events inside spans, and log records, that are events of their own; the last is a name up to 1.31."""

DETAILS = "gen_ai.client.inference.operation.details"
"""The log record that says again what the span of a model call says, with content."""

_OUTPUT_WORDS = ("choice", "completion", "assistant", "output")
NOTHING = Kind(None, note="not of AI")


def kind_of_span(attributes: Mapping[str, Any]) -> Kind:
    """Return what a span with these attributes is."""
    for rule in RULES:
        value = attributes.get(rule.attribute)
        if isinstance(value, str):
            kind = rule.kind_of(value.lower())
            if kind is not None:
                return kind
    if any(isinstance(attributes.get(name), str) for name in _MODEL_NAMES):
        operation = attributes.get("gen_ai.operation.name")
        return Kind(INFERENCE, operation) if isinstance(operation, str) else _CHAT
    return NOTHING


def type_of_event(name: str) -> str | None:
    """Return the type of an event inside a span, or of a log record, that is an event of its own."""
    return _EVENTS.get(name)


def is_message(name: str) -> bool:
    """Return whether an event's name is that of a message: content of a call, and nothing else."""
    return name.startswith("gen_ai.") and (
        name.endswith(".message") or name == "gen_ai.choice" or name.startswith("gen_ai.content.")
    )


def is_answer(name: str) -> bool:
    """Return whether a message is of the model."""
    return any(word in name for word in _OUTPUT_WORDS)
