"""Objectives of the demonstration: what is promised of assistants, and of the record.

They are such as the day keeps: what is to be found of it is planted, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from auditstream.reference.objectives import Objective

_PROMISES: tuple[Mapping[str, Any], ...] = (
    {
        "slo_id": "order-desk-answers",
        "tenant_id": "acme",
        "scope": {"feature_id": "order-changes"},
        "indicator": "availability",
        "objective": "0.95",
        "reaction": "fallback",
        "fallback_model": "gpt-4.1",
        "owner": "support",
    },
    {
        "slo_id": "advice-begins-soon",
        "tenant_id": "acme",
        "scope": {"feature_id": "product-advice"},
        "indicator": "latency_ttft",
        "objective": "0.95",
        "owner": "discovery",
    },
    {
        "slo_id": "triage-in-time",
        "tenant_id": "globex",
        "scope": {"feature_id": "referral-triage"},
        "indicator": "latency_total",
        "objective": "0.98",
        "owner": "clinical-ai",
    },
    {
        "slo_id": "sources-complete",
        "indicator": "audit_completeness",
        "objective": "0.999",
        "owner": "platform",
    },
)


def promises(since: datetime) -> Iterator[Objective]:
    """Yield the objectives, valid from a moment."""
    for each in _PROMISES:
        yield Objective.model_validate({"valid_from": since, "window_days": 7, **each})
