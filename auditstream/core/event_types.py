"""Types of events that more than one room treats in its own way."""

from __future__ import annotations

CALL_TYPES = ("ai.inference", "ai.embedding")
"""Events that are one call of a model each."""

OPERATIONAL_COST = "ai.cost.operational"
"""Events about what is paid beside calls."""

CLOUD_EVENT_PREFIX = "io.auditstream."
"""What a CloudEvent's type has before the event's."""

DECISION = "ai.policy.decision"
"""Events that are one decision of a policy each."""
