"""The AuditEvent: one AI action, on `audit.events.v1`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from schemas.packaged import SchemaName
from schemas.records.families import (
    Access,
    AgentStep,
    Budget,
    Change,
    Cost,
    DataAccess,
    Discovery,
    Evaluation,
    Experiment,
    FindingReport,
    Heartbeat,
    Inference,
    Limit,
    Policy,
    Retrieval,
    Review,
    Routing,
    Tool,
    Usage,
)
from schemas.records.record import EPOCH, TopicRecord
from schemas.records.vocabulary import ActorType, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent(TopicRecord):
    """One AI action: the envelope says who, what, when and how it ended; family records say the rest.

    What the fields mean is in `audit_event.avsc`.
    """

    SCHEMA: ClassVar[SchemaName] = "audit_event"

    event_id: UUID
    event_type: str
    schema_rev: str = ""
    event_time: datetime
    observed_time: datetime = EPOCH
    duration_us: int | None = None
    source: str
    source_instance: str | None = None
    source_seq: int | None = None
    idempotency_key: str | None = None
    tenant_id: str = ""
    project_id: str | None = None
    team_id: str | None = None
    feature_id: str | None = None
    cost_center: str | None = None
    environment: str | None = None
    actor_type: ActorType = ActorType.UNKNOWN
    actor_id: str | None = None
    actor_hash: str | None = None
    actor_roles: tuple[str, ...] = ()
    credential_id: str | None = None
    session_id: str | None = None
    agent_id: str | None = None
    agent_name: str | None = None
    agent_version: str | None = None
    agent_instance_id: str | None = None
    agent_framework: str | None = None
    delegation_id: str | None = None
    delegation_parent_id: str | None = None
    delegation_scopes: tuple[str, ...] = ()
    src_ip: str | None = None
    src_asn: int | None = None
    src_country: str | None = None
    user_agent: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    conversation_id: str | None = None
    causation_id: str | None = None
    outcome: Outcome = Outcome.UNKNOWN
    error_type: str | None = None
    http_status: int | None = None
    severity: int = 0
    content_ref: str | None = None
    content_hmac: str | None = None
    content_bytes: int | None = None
    sealed: Mapping[str, bytes] = field(default_factory=dict)
    seal_key_id: str | None = None
    data_classes: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    inference: Inference | None = None
    usage: Usage | None = None
    costs: tuple[Cost, ...] = ()
    retrieval: Retrieval | None = None
    tool: Tool | None = None
    agent_step: AgentStep | None = None
    policy: Policy | None = None
    review: Review | None = None
    evaluation: Evaluation | None = None
    limit: Limit | None = None
    routing: Routing | None = None
    experiment: Experiment | None = None
    access: Access | None = None
    change: Change | None = None
    budget: Budget | None = None
    discovery: Discovery | None = None
    data_access: DataAccess | None = None
    finding: FindingReport | None = None
    heartbeat: Heartbeat | None = None
