"""Kinds of events in words and with an icon, so that a list is read and not deciphered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of event is shown.

    Attributes:
        words: What it is called.
        icon: Name of its icon in the sprite.
    """

    words: str
    icon: str


_KINDS: Mapping[str, Kind] = {
    "ai.inference": Kind("Model call", "message-square"),
    "ai.embedding": Kind("Embedding", "box"),
    "ai.retrieval": Kind("Retrieval", "database"),
    "ai.memory": Kind("Memory", "database"),
    "ai.tool_call": Kind("Tool call", "wrench"),
    "ai.agent.action": Kind("Agent step", "bot"),
    "ai.agent.lifecycle": Kind("Agent lifecycle", "bot"),
    "ai.policy.decision": Kind("Policy decision", "shield"),
    "ai.human.review": Kind("Human review", "user-check"),
    "ai.evaluation": Kind("Evaluation", "gauge"),
    "ai.rate_limit": Kind("Rate limit", "hand"),
    "ai.routing": Kind("Routing", "split"),
    "ai.prompt.version": Kind("Prompt version", "file-text"),
    "ai.experiment.assignment": Kind("Experiment", "flask-conical"),
    "ai.auth": Kind("Sign-in", "key-round"),
    "ai.key.lifecycle": Kind("Key change", "key-round"),
    "ai.access.grant": Kind("Access grant", "lock"),
    "ai.config.change": Kind("Configuration change", "sliders-horizontal"),
    "ai.budget": Kind("Budget", "wallet"),
    "ai.cost.operational": Kind("Operational cost", "coins"),
    "ai.discovery": Kind("Discovery", "compass"),
    "ai.data_access": Kind("Access to the record", "eye"),
    "ai.data_finding": Kind("Data finding", "scan-eye"),
    "ai.finding": Kind("Finding", "siren"),
    "ai.incident": Kind("Incident", "triangle-alert"),
    "ai.source.heartbeat": Kind("Heartbeat", "heart-pulse"),
}
"""Kinds of the contract (schemas/audit_event.avsc)."""


def kind_of(event_type: str) -> Kind:
    """Return how a kind is shown; one that the contract does not name is shown by its own name."""
    return _KINDS.get(event_type) or Kind(event_type.removeprefix("ai.") or "Event", "circle-dot")


TONES: Mapping[str, str] = {
    "SUCCESS": "calm",
    "FAILURE": "bad",
    "BLOCKED": "warn",
    "PARTIAL": "plum",
    "UNKNOWN": "",
    "": "",
}
"""Class of the badge of an outcome."""

OUTCOMES = ("SUCCESS", "PARTIAL", "BLOCKED", "FAILURE", "UNKNOWN")
"""Outcomes in the order in which bars are stacked: what went wrong on top, where it is seen."""
