"""Builders of events: the smallest that a producer may send, and one that uses every field."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

EVENT_ID = uuid.UUID("0197f3a0-1c2b-7d4e-8f00-123456789abc")
EVENT_TIME = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)

COST_LINE: dict[str, Any] = {
    "meter": "text",
    "quantity": Decimal("1200.5"),
    "unit": "tokens",
    "list": Decimal("0.003001250000"),
    "contracted": Decimal("0.0027"),
    "effective": Decimal("0.0027"),
    "billed": Decimal("-0.0027"),
    "currency": "USD",
}


def event(**changes: Any) -> dict[str, Any]:
    """Return the smallest event, with changes."""
    return {
        "event_id": EVENT_ID,
        "event_type": "ai.inference",
        "event_time": EVENT_TIME,
        "source": "svc://checkout",
    } | changes


def full_event() -> dict[str, Any]:
    """Return an event with a value other than the default in every field of every family."""
    return event(
        schema_rev="1.0.0",
        observed_time=datetime(2026, 3, 1, 12, 30, 16, tzinfo=UTC),
        duration_us=812_000,
        source_instance="checkout-7f9",
        source_seq=41,
        idempotency_key="order-1/step-2",
        tenant_id="acme",
        project_id="search",
        team_id="discovery",
        feature_id="autocomplete",
        cost_center="cc-42",
        environment="production",
        actor_type="AGENT",
        actor_id="agent-9",
        actor_hash="ab" * 32,
        actor_roles=["reader", "writer"],
        credential_id="key-1",
        session_id="sess-1",
        agent_id="planner",
        agent_name="Planner",
        agent_version="3.1",
        agent_instance_id="planner-0",
        agent_framework="langgraph",
        delegation_id="del-2",
        delegation_parent_id="del-1",
        delegation_scopes=["orders:read"],
        src_ip="203.0.113.0",
        src_asn=64_500,
        src_country="DE",
        user_agent="checkout/1.2",
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
        span_id="00f067aa0ba902b7",
        parent_span_id="00f067aa0ba902b8",
        conversation_id="conv-1",
        causation_id="0197f3a0-1c2b-7d4e-8f00-000000000001",
        outcome="PARTIAL",
        error_type="timeout",
        http_status=504,
        severity=3,
        content_ref="s3://content/1",
        content_hmac="0f" * 32,
        content_bytes=4096,
        sealed={"prompt": b"\x00\xff\x10"},
        seal_key_id="seal-1",
        data_classes=["pii"],
        attributes={"region": "eu", "ümlaut": "ß"},
        costs=[full_cost(), full_cost() | {"direction": "output", "list": Decimal("1E+3")}],
        **_full_families(),
    )


def full_cost() -> dict[str, Any]:
    """Return a cost line with a value other than the default in every field."""
    return COST_LINE | {
        "category": "inference",
        "resource_id": "gpu-1",
        "period_start": datetime(2026, 3, 1, tzinfo=UTC),
        "period_end": datetime(2026, 3, 2, tzinfo=UTC),
        "direction": "input",
        "cache_action": "read",
        "price_id": "openai/gpt-4o/input",
        "price_book_rev": "2026-03-01",
        "list_unit_price": Decimal("0.000002500000000001"),
        "source": "PROVIDER",
    }


def _full_families() -> dict[str, Any]:
    return {
        "inference": {
            "operation": "chat",
            "provider": "openai",
            "response_id": "resp-1",
            "provider_account_id": "org-1",
            "request_model": "gpt-4o",
            "response_model": "gpt-4o-2024-11-20",
            "server_host": "api.openai.com",
            "region": "eu-central-1",
            "service_tier": "flex",
            "fingerprint": "fp_1",
            "stream": True,
            "batch": True,
            "max_tokens": 1024,
            "top_k": 40,
            "seed": -7,
            "temperature": 0.25,
            "top_p": 0.9,
            "reasoning_level": "high",
            "finish_reasons": ["stop", "length"],
            "ttft_us": 120_000,
            "prompt_name": "autocomplete",
            "prompt_version": "12",
            "tool_defs_hash": "aa",
            "system_hash": "bb",
        },
        "usage": {
            "input_tokens": 1200,
            "cache_read_tokens": 800,
            "cache_write_tokens": 100,
            "output_tokens": 300,
            "reasoning_tokens": 120,
            "by_modality": {"audio.input": 12},
            "source": "PROVIDER",
        },
        "retrieval": {"data_source_id": "kb", "store_id": "vec-1", "top_k": 8, "hits": 5},
        "tool": {
            "name": "search_orders",
            "type": "function",
            "call_id": "call-1",
            "mcp_server": "mcp.acme.example",
            "mcp_method": "tools/call",
            "mcp_protocol": "2026-07-28",
            "mcp_session": "m-1",
            "args_hmac": "cc",
            "result_bytes": 2048,
            "side_effect": "READ",
        },
        "agent_step": {
            "index": 4,
            "depth": 2,
            "parent_agent_id": "root",
            "peer_agent_id": "billing",
            "a2a_task_id": "task-1",
            "a2a_state": "working",
        },
        "policy": {
            "subject_event_id": "0197f3a0-1c2b-7d4e-8f00-000000000002",
            "id": "pii-out",
            "rule_id": "r1",
            "component": "guardrail",
            "mode": "ENFORCE",
            "target": "output",
            "verdict": "modify",
            "action": "modify",
            "risk_category": "pii",
            "risk_score": 0.8,
        },
        "review": {
            "subject_event_id": "0197f3a0-1c2b-7d4e-8f00-000000000003",
            "decision": "APPROVE",
            "reviewer_id": "p-17",
            "latency_us": 60_000_000,
            "expires": datetime(2026, 4, 1, tzinfo=UTC),
            "reason": "fine",
        },
        "evaluation": {
            "subject_event_id": "0197f3a0-1c2b-7d4e-8f00-000000000004",
            "name": "faithfulness",
            "score": 0.5,
            "label": "ok",
        },
        "limit": {
            "name": "tpm",
            "scope": "tenant",
            "limit_value": 90_000,
            "remaining": 10,
            "retry_after_us": 2_000_000,
        },
        "routing": {"from_model": "gpt-4o", "to_model": "gpt-4o-mini", "reason": "cost", "attempt": 1},
        "experiment": {"key": "prompt-ab", "variant": "b", "set_id": "s1", "provider": "flagd"},
        "access": {
            "subject_id": "key-1",
            "activity": "grant",
            "scopes": ["emit"],
            "expires": datetime(2027, 1, 1, tzinfo=UTC),
            "mfa": False,
        },
        "change": {
            "object_type": "prompt",
            "object_id": "autocomplete",
            "before_hash": "01",
            "after_hash": "02",
            "ticket": "CHG-1",
            "approver_id": "p-3",
        },
        "budget": {
            "id": "b1",
            "period": "month",
            "limit": Decimal("1000.000000000001"),
            "spent": Decimal("812.5"),
            "forecast": Decimal(1100),
            "currency": "EUR",
            "threshold_pct": 80,
            "reaction": "throttle",
        },
        "discovery": {
            "asset_type": "mcp_server",
            "asset_id": "mcp://unknown",
            "first_seen": datetime(2026, 2, 28, tzinfo=UTC),
            "evidence": "egress log",
        },
        "data_access": {
            "query_hmac": "dd",
            "tables": ["events"],
            "rows": 12,
            "bytes": 4096,
            "purpose": "audit",
            "destination": "s3://export",
        },
        "finding": {
            "rule_id": "D07",
            "title": "Prompt injection",
            "status": "NEW",
            "confidence": 90,
            "attacks": ["AML.T0051.001"],
            "related_events": ["0197f3a0-1c2b-7d4e-8f00-000000000005"],
        },
        "heartbeat": {"interval_us": 60_000_000, "last_seq": 41, "dropped": 1, "lag_us": 10},
    }
