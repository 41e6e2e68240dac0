"""What an event must have beyond what its attributes say: required fields, outcome, actor.

A field that the contract requires and no attribute gives is filled with what the span itself tells (its
name), or with the word `unknown`: an event with a gap is worth more than no event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from auditstream.gateway.otlp import kinds
from auditstream.gateway.otlp.usage import normal_form

UNKNOWN = "unknown"
_UNKNOWN_SERVICE = "unknown_service"
"""What OpenTelemetry calls a service that has no name."""

_VERBS = ("execute_tool ", "create_agent ", "invoke_agent ", "run_guardrail ", "tools/call ")


def complete(event: dict[str, Any], kept: dict[str, Any], *, operation: str, name: str, failed: bool) -> None:
    """Fill an event in place.

    Args:
        event: Fields from attributes, families nested; has `event_type`.
        kept: Attributes that stay; what is learned is added, what is used up stays.
        operation: Operation of a model call.
        name: Name of the span or event.
        failed: Whether it ended in an error.
    """
    event.setdefault("source", _UNKNOWN_SERVICE)
    event["outcome"] = "FAILURE" if failed else "SUCCESS"
    _FILLERS[event["event_type"]](event, kept, operation or name, failed)
    event["actor_type"] = _actor_type(event)


def _actor_type(event: Mapping[str, Any]) -> str:
    if event.get("actor_id") or event.get("actor_hash"):
        return "USER"
    return "AGENT" if event.get("agent_id") or event.get("agent_name") else "SERVICE"


def _model_call(event: dict[str, Any], kept: dict[str, Any], operation: str, failed: bool) -> None:
    call = event.setdefault("inference", {})
    call["operation"] = operation
    call.setdefault("provider", UNKNOWN)
    model = call.pop("model_name", None)
    if model is not None:
        call.setdefault("request_model" if failed else "response_model", model)
    if "request_model" not in call and "response_model" in call:
        call["request_model"] = call["response_model"]
    normal = normal_form(event.pop("usage", {}))
    if normal.usage is not None:
        event["usage"] = normal.usage
    kept.update(normal.attributes)


def _tool(event: dict[str, Any], kept: dict[str, Any], name: str, failed: bool) -> None:
    tool = event.setdefault("tool", {})
    given = kept.get("traceloop.entity.name") or tool.get("mcp_method")
    tool.setdefault("name", str(given or _object_of(name)))


def _agent_action(event: dict[str, Any], kept: dict[str, Any], name: str, failed: bool) -> None:
    event.setdefault("agent_step", {})
    entity = kept.get("traceloop.entity.name")
    if "agent_name" not in event and isinstance(entity, str):
        event["agent_name"] = entity


def _agent_lifecycle(event: dict[str, Any], kept: dict[str, Any], name: str, failed: bool) -> None:
    agent = event.get("agent_id") or event.get("agent_name") or _object_of(name)
    event["change"] = {"object_type": "agent", "object_id": agent}


def _retrieval(event: dict[str, Any], kept: dict[str, Any], name: str, failed: bool) -> None:
    event.setdefault("retrieval", {})


def _policy(event: dict[str, Any], kept: dict[str, Any], name: str, failed: bool) -> None:
    policy = event.setdefault("policy", {})
    policy.setdefault("id", policy.get("component") or _object_of(name))
    policy.setdefault("verdict", UNKNOWN)
    blocked = policy.get("action", policy["verdict"]) in {"block", "deny"}
    if blocked and not failed:
        event["outcome"] = "BLOCKED"


def _evaluation(event: dict[str, Any], kept: dict[str, Any], name: str, failed: bool) -> None:
    event.setdefault("evaluation", {}).setdefault("name", _object_of(name))


def _experiment(event: dict[str, Any], kept: dict[str, Any], name: str, failed: bool) -> None:
    experiment = event.setdefault("experiment", {})
    experiment.setdefault("key", UNKNOWN)
    experiment.setdefault("variant", str(kept.get("feature_flag.result.value", UNKNOWN))[:128])


def _object_of(name: str) -> str:
    """Return what a span's name speaks of: `execute_tool search` of `search`."""
    for verb in _VERBS:
        name = name.removeprefix(verb)
    return name.strip() or UNKNOWN


_Filler = Callable[[dict[str, Any], dict[str, Any], str, bool], None]
_FILLERS: dict[str, _Filler] = {
    kinds.INFERENCE: _model_call,
    kinds.EMBEDDING: _model_call,
    kinds.TOOL_CALL: _tool,
    kinds.AGENT_ACTION: _agent_action,
    kinds.AGENT_LIFECYCLE: _agent_lifecycle,
    kinds.RETRIEVAL: _retrieval,
    kinds.MEMORY: _retrieval,
    kinds.POLICY: _policy,
    kinds.EVALUATION: _evaluation,
    kinds.EXPERIMENT: _experiment,
}
