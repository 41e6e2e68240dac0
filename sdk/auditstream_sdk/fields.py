"""Fields of the event contract as the recorders take them; a test holds them to the schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypedDict
from uuid import UUID


class ContextFields(TypedDict, total=False):
    """Envelope fields that may hold for many events; `actor` is short for `actor_id`."""

    actor: str
    schema_rev: str
    observed_time: datetime | str
    idempotency_key: str | None
    tenant_id: str
    project_id: str | None
    team_id: str | None
    feature_id: str | None
    cost_center: str | None
    environment: str | None
    actor_type: Literal["UNKNOWN", "USER", "SERVICE", "API_KEY", "AGENT", "SYSTEM"]
    actor_id: str | None
    actor_hash: str | None
    actor_roles: Sequence[str]
    credential_id: str | None
    session_id: str | None
    agent_id: str | None
    agent_name: str | None
    agent_version: str | None
    agent_instance_id: str | None
    agent_framework: str | None
    delegation_id: str | None
    delegation_parent_id: str | None
    delegation_scopes: Sequence[str]
    src_ip: str | None
    src_asn: int | None
    src_country: str | None
    user_agent: str | None
    trace_id: str | None
    span_id: str | None
    parent_span_id: str | None
    conversation_id: str | None
    causation_id: str | None
    outcome: Literal["UNKNOWN", "SUCCESS", "FAILURE", "BLOCKED", "PARTIAL"]
    error_type: str | None
    http_status: int | None
    severity: int
    content_ref: str | None
    content_hmac: str | None
    content_bytes: int | None
    sealed: Mapping[str, bytes]
    seal_key_id: str | None
    data_classes: Sequence[str]
    attributes: Mapping[str, str]


class EnvelopeFields(ContextFields, total=False):
    """Envelope fields of one event, beyond those that the client fills in itself."""

    event_id: str | UUID
    event_time: datetime | str
    duration_us: int | None


class InferenceFields(EnvelopeFields, total=False):
    """One call of a model: chat, completion or embedding."""

    operation: str
    provider: str
    response_id: str | None
    provider_account_id: str | None
    request_model: str | None
    response_model: str | None
    server_host: str | None
    region: str | None
    service_tier: str | None
    fingerprint: str | None
    stream: bool
    batch: bool
    max_tokens: int | None
    top_k: int | None
    seed: int | None
    temperature: float | None
    top_p: float | None
    reasoning_level: str | None
    finish_reasons: Sequence[str]
    ttft_us: int | None
    prompt_name: str | None
    prompt_version: str | None
    tool_defs_hash: str | None
    system_hash: str | None


class UsageFields(TypedDict, total=False):
    """Token counts of a model call, in the normal form where totals include their parts."""

    input_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    output_tokens: int | None
    reasoning_tokens: int | None
    by_modality: Mapping[str, int]
    source: Literal["UNKNOWN", "PROVIDER", "ESTIMATED", "NONE"]


class CostFields(EnvelopeFields, total=False):
    """One line of cost: a quantity of one meter, priced."""

    category: str | None
    resource_id: str | None
    period_start: datetime | str | None
    period_end: datetime | str | None
    meter: str
    direction: str | None
    cache_action: str | None
    quantity: Decimal | str | int
    unit: str
    price_id: str | None
    price_book_rev: str | None
    list_unit_price: Decimal | str | int | None
    list: Decimal | str | int
    contracted: Decimal | str | int
    effective: Decimal | str | int
    billed: Decimal | str | int
    currency: str
    source: Literal["UNKNOWN", "PROVIDER", "LOCAL", "UNPRICED"]


class RetrievalFields(EnvelopeFields, total=False):
    """One query or change of a vector store, a data source or an agent's memory."""

    data_source_id: str | None
    store_id: str | None
    top_k: int | None
    hits: int | None


class ToolFields(EnvelopeFields, total=False):
    """One tool call, by MCP or otherwise."""

    name: str
    type: str | None
    call_id: str | None
    mcp_server: str | None
    mcp_method: str | None
    mcp_protocol: str | None
    mcp_session: str | None
    args_hmac: str | None
    result_bytes: int | None
    side_effect: Literal["UNKNOWN", "READ", "WRITE", "DESTRUCTIVE", "EXTERNAL"]


class AgentStepFields(EnvelopeFields, total=False):
    """One step of an agent's run."""

    index: int
    depth: int
    parent_agent_id: str | None
    peer_agent_id: str | None
    a2a_task_id: str | None
    a2a_state: str | None


class PolicyFields(EnvelopeFields, total=False):
    """One decision of a guardrail or policy, or one hit of a data classifier."""

    subject_event_id: str | None
    id: str
    rule_id: str | None
    component: str | None
    mode: Literal["UNKNOWN", "ENFORCE", "MONITOR"]
    target: str
    verdict: str
    action: str
    risk_category: str | None
    risk_score: float | None


class ReviewFields(EnvelopeFields, total=False):
    """One step of a human review."""

    subject_event_id: str
    decision: Literal["UNKNOWN", "REQUESTED", "APPROVE", "REJECT", "OVERRIDE", "ESCALATE", "EXPIRED"]
    reviewer_id: str | None
    latency_us: int | None
    expires: datetime | str | None
    reason: str | None


class EvaluationFields(EnvelopeFields, total=False):
    """One score of an output."""

    subject_event_id: str | None
    name: str
    score: float | None
    label: str | None


class LimitFields(EnvelopeFields, total=False):
    """One answer of a rate limiter."""

    name: str
    scope: str
    limit_value: int | None
    remaining: int | None
    retry_after_us: int | None


class RoutingFields(EnvelopeFields, total=False):
    """One decision of a router: fallback, retry, cache or canary."""

    from_model: str | None
    to_model: str
    reason: str
    attempt: int


class ExperimentFields(EnvelopeFields, total=False):
    """One assignment to a variant."""

    key: str
    variant: str
    set_id: str | None
    provider: str | None


class AccessFields(EnvelopeFields, total=False):
    """One sign-in, credential change or grant."""

    subject_id: str
    activity: str
    scopes: Sequence[str]
    expires: datetime | str | None
    mfa: bool | None


class ChangeFields(EnvelopeFields, total=False):
    """One change of a governed object: prompt, agent, route, price book, policy."""

    object_type: str
    object_id: str
    before_hash: str | None
    after_hash: str | None
    ticket: str | None
    approver_id: str | None


class BudgetFields(EnvelopeFields, total=False):
    """State of a budget when a threshold was crossed."""

    id: str
    period: str
    limit: Decimal | str | int
    spent: Decimal | str | int
    forecast: Decimal | str | int | None
    currency: str
    threshold_pct: int
    reaction: str


class DiscoveryFields(EnvelopeFields, total=False):
    """An agent, model or server that nobody had registered."""

    asset_type: str
    asset_id: str
    first_seen: datetime | str
    evidence: str | None


class DataAccessFields(EnvelopeFields, total=False):
    """A query or export of the audit history itself."""

    query_hmac: str
    tables: Sequence[str]
    rows: int
    bytes: int
    purpose: str | None
    destination: str | None


class FindingFields(EnvelopeFields, total=False):
    """A detector's finding or an incident, reported as an event."""

    rule_id: str
    title: str
    status: Literal["UNKNOWN", "NEW", "IN_PROGRESS", "SUPPRESSED", "RESOLVED"]
    confidence: int
    attacks: Sequence[str]
    related_events: Sequence[str]


class HeartbeatFields(TypedDict, total=False):
    """A source says that it is alive, and what it lost."""

    interval_us: int
    last_seq: int
    dropped: int
    lag_us: int


ENVELOPE_NAMES = frozenset(EnvelopeFields.__annotations__) - {"actor"}
"""Envelope fields that a caller may give."""

FILLED_NAMES = frozenset({"event_type", "source", "source_instance", "source_seq"})
"""Envelope fields that the client fills in itself."""

FAMILY_NAMES: Mapping[str, frozenset[str]] = {
    "inference": frozenset(InferenceFields.__annotations__) - frozenset(EnvelopeFields.__annotations__),
    "usage": frozenset(UsageFields.__annotations__),
    "costs": frozenset(CostFields.__annotations__) - frozenset(EnvelopeFields.__annotations__),
    "retrieval": frozenset(RetrievalFields.__annotations__) - frozenset(EnvelopeFields.__annotations__),
    "tool": frozenset(ToolFields.__annotations__) - frozenset(EnvelopeFields.__annotations__),
    "agent_step": frozenset(AgentStepFields.__annotations__) - frozenset(EnvelopeFields.__annotations__),
    "policy": frozenset(PolicyFields.__annotations__) - frozenset(EnvelopeFields.__annotations__),
    "review": frozenset(ReviewFields.__annotations__) - frozenset(EnvelopeFields.__annotations__),
    "evaluation": frozenset(EvaluationFields.__annotations__) - frozenset(EnvelopeFields.__annotations__),
    "limit": frozenset(LimitFields.__annotations__) - frozenset(EnvelopeFields.__annotations__),
    "routing": frozenset(RoutingFields.__annotations__) - frozenset(EnvelopeFields.__annotations__),
    "experiment": frozenset(ExperimentFields.__annotations__) - frozenset(EnvelopeFields.__annotations__),
    "access": frozenset(AccessFields.__annotations__) - frozenset(EnvelopeFields.__annotations__),
    "change": frozenset(ChangeFields.__annotations__) - frozenset(EnvelopeFields.__annotations__),
    "budget": frozenset(BudgetFields.__annotations__) - frozenset(EnvelopeFields.__annotations__),
    "discovery": frozenset(DiscoveryFields.__annotations__) - frozenset(EnvelopeFields.__annotations__),
    "data_access": frozenset(DataAccessFields.__annotations__) - frozenset(EnvelopeFields.__annotations__),
    "finding": frozenset(FindingFields.__annotations__) - frozenset(EnvelopeFields.__annotations__),
    "heartbeat": frozenset(HeartbeatFields.__annotations__),
}
"""Fields of each family; of `costs`, those of one line."""

REQUIRED_NAMES: Mapping[str, tuple[str, ...]] = {
    "inference": ("provider",),
    "usage": (),
    "costs": (
        "meter",
        "quantity",
        "unit",
        "list",
        "contracted",
        "effective",
        "billed",
        "currency",
    ),
    "retrieval": (),
    "tool": ("name",),
    "agent_step": (),
    "policy": (
        "id",
        "verdict",
    ),
    "review": ("subject_event_id",),
    "evaluation": ("name",),
    "limit": ("name",),
    "routing": ("to_model",),
    "experiment": (
        "key",
        "variant",
    ),
    "access": (
        "subject_id",
        "activity",
    ),
    "change": (
        "object_type",
        "object_id",
    ),
    "budget": (
        "id",
        "limit",
        "spent",
    ),
    "discovery": (
        "asset_type",
        "asset_id",
    ),
    "data_access": ("query_hmac",),
    "finding": (
        "rule_id",
        "title",
    ),
    "heartbeat": (
        "interval_us",
        "last_seq",
    ),
}
"""Fields without which a family is refused."""
