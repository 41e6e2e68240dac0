"""The families of an AuditEvent: what there is to say about one kind of action.

Each is present only in events of its kind; several can be in one event, as `inference` and `usage`. What the
fields mean is in `audit_event.avsc`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from schemas.records.record import EPOCH, Record
from schemas.records.vocabulary import (
    CostSource,
    FindingStatus,
    PolicyMode,
    ReviewDecision,
    SideEffect,
    UsageSource,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference(Record):
    """One call of a model: chat, completion or embedding."""

    operation: str = ""
    provider: str
    response_id: str | None = None
    provider_account_id: str | None = None
    request_model: str | None = None
    response_model: str | None = None
    server_host: str | None = None
    region: str | None = None
    service_tier: str | None = None
    fingerprint: str | None = None
    stream: bool = False
    batch: bool = False
    max_tokens: int | None = None
    top_k: int | None = None
    seed: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    reasoning_level: str | None = None
    finish_reasons: tuple[str, ...] = ()
    ttft_us: int | None = None
    prompt_name: str | None = None
    prompt_version: str | None = None
    tool_defs_hash: str | None = None
    system_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage(Record):
    """Token counts of a model call, in the normal form where totals include their parts."""

    input_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    by_modality: Mapping[str, int] = field(default_factory=dict)
    source: UsageSource = UsageSource.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost(Record):
    """One line of cost: a quantity of one meter, priced."""

    category: str | None = None
    resource_id: str | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None
    meter: str
    direction: str | None = None
    cache_action: str | None = None
    quantity: Decimal
    unit: str
    price_id: str | None = None
    price_book_rev: str | None = None
    list_unit_price: Decimal | None = None
    list: Decimal
    contracted: Decimal
    effective: Decimal
    billed: Decimal
    currency: str
    source: CostSource = CostSource.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval(Record):
    """One query or change of a vector store, a data source or an agent's memory."""

    data_source_id: str | None = None
    store_id: str | None = None
    top_k: int | None = None
    hits: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool(Record):
    """One tool call, by MCP or otherwise."""

    name: str
    type: str | None = None
    call_id: str | None = None
    mcp_server: str | None = None
    mcp_method: str | None = None
    mcp_protocol: str | None = None
    mcp_session: str | None = None
    args_hmac: str | None = None
    result_bytes: int | None = None
    side_effect: SideEffect = SideEffect.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStep(Record):
    """One step of an agent's run."""

    index: int = 0
    depth: int = 0
    parent_agent_id: str | None = None
    peer_agent_id: str | None = None
    a2a_task_id: str | None = None
    a2a_state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Record):
    """One decision of a guardrail or policy, or one hit of a data classifier."""

    subject_event_id: str | None = None
    id: str
    rule_id: str | None = None
    component: str | None = None
    mode: PolicyMode = PolicyMode.UNKNOWN
    target: str = ""
    verdict: str
    action: str = ""
    risk_category: str | None = None
    risk_score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Review(Record):
    """One step of a human review."""

    subject_event_id: str
    decision: ReviewDecision = ReviewDecision.UNKNOWN
    reviewer_id: str | None = None
    latency_us: int | None = None
    expires: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation(Record):
    """One score of an output."""

    subject_event_id: str | None = None
    name: str
    score: float | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit(Record):
    """One answer of a rate limiter."""

    name: str
    scope: str = ""
    limit_value: int | None = None
    remaining: int | None = None
    retry_after_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing(Record):
    """One decision of a router: fallback, retry, cache or canary."""

    from_model: str | None = None
    to_model: str
    reason: str = ""
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment(Record):
    """One assignment to a variant."""

    key: str
    variant: str
    set_id: str | None = None
    provider: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Access(Record):
    """One sign-in, credential change or grant."""

    subject_id: str
    activity: str
    scopes: tuple[str, ...] = ()
    expires: datetime | None = None
    mfa: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Record):
    """One change of a governed object: prompt, agent, route, price book, policy."""

    object_type: str
    object_id: str
    before_hash: str | None = None
    after_hash: str | None = None
    ticket: str | None = None
    approver_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget(Record):
    """State of a budget when a threshold was crossed."""

    id: str
    period: str = ""
    limit: Decimal
    spent: Decimal
    forecast: Decimal | None = None
    currency: str = ""
    threshold_pct: int = 0
    reaction: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery(Record):
    """An agent, model or server that nobody had registered."""

    asset_type: str
    asset_id: str
    first_seen: datetime = EPOCH
    evidence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataAccess(Record):
    """A query or export of the audit history itself."""

    query_hmac: str
    tables: tuple[str, ...] = ()
    rows: int = 0
    bytes: int = 0
    purpose: str | None = None
    destination: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingReport(Record):
    """A detector's finding or an incident, reported as an event."""

    rule_id: str
    title: str
    status: FindingStatus = FindingStatus.UNKNOWN
    confidence: int = 0
    attacks: tuple[str, ...] = ()
    related_events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat(Record):
    """A source says that it is alive, and what it lost."""

    interval_us: int
    last_seq: int
    dropped: int = 0
    lag_us: int = 0
