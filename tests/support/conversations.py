"""Events of conversations: what agents, guardrails and reviewers tell, as fields of an event."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
_SOMETHING = uuid.UUID(int=7)


def event(kind: str, at_s: float, **fields: Any) -> dict[str, Any]:
    """Return an event of a conversation, so many seconds after noon."""
    return {
        "event_id": uuid.uuid4(),
        "event_type": kind,
        "event_time": NOON + timedelta(seconds=at_s),
        "tenant_id": "acme",
        "conversation_id": "talk",
        "agent_id": "clerk",
        "outcome": "SUCCESS",
        **fields,
    }


def tool(
    at_s: float, name: str = "search", *, effect: str = "READ", args: str | None = "a1", **fields: Any
) -> dict[str, Any]:
    return event(
        "ai.tool_call", at_s, tool={"name": name, "args_hmac": args, "side_effect": effect}, **fields
    )


def step(at_s: float, index: int = 0, **fields: Any) -> dict[str, Any]:
    return event("ai.agent.action", at_s, agent_step={"index": index}, **fields)


def injection(
    at_s: float, *, score: float | None = 0.9, action: str = "allow", **fields: Any
) -> dict[str, Any]:
    return decision(
        at_s,
        "guard",
        risk_category="prompt_injection",
        risk_score=score,
        verdict="warn",
        action=action,
        **fields,
    )


def decision(
    at_s: float,
    policy: str = "guard",
    *,
    verdict: str = "allow",
    action: str = "allow",
    mode: str = "ENFORCE",
    subject: object = None,
    risk_category: str | None = None,
    risk_score: float | None = None,
    **fields: Any,
) -> dict[str, Any]:
    said = {
        "id": policy,
        "verdict": verdict,
        "action": action,
        "mode": mode,
        "risk_category": risk_category,
        "risk_score": risk_score,
        "subject_event_id": None if subject is None else str(subject),
    }
    return event("ai.policy.decision", at_s, policy=said, **fields)


def review(at_s: float, subject: object = _SOMETHING, word: str = "APPROVE", **fields: Any) -> dict[str, Any]:
    return event(
        "ai.human.review", at_s, review={"subject_event_id": str(subject), "decision": word}, **fields
    )


def answer(
    at_s: float, *, asked: str = "gpt-4o", answered: str = "gpt-4o", tokens: int = 100, **fields: Any
) -> dict[str, Any]:
    """Return a call of a model that has a price."""
    inference = {
        "operation": "chat",
        "provider": "openai",
        "request_model": asked,
        "response_model": answered,
    }
    usage = {"input_tokens": 100, "output_tokens": tokens}
    return event("ai.inference", at_s, inference=inference, usage=usage, **fields)


def later(at_s: float) -> dict[str, Any]:
    """Return an event that does nothing but to be later than others."""
    return event("ai.auth", at_s, conversation_id="another", agent_id=None)
