"""What detection says: Finding on `audit.findings.v1`, Signal on `audit.signals.v1`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from schemas.packaged import SchemaName
from schemas.records.record import TopicRecord
from schemas.records.vocabulary import FindingStatus, SignalKind, SignalState


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(TopicRecord):
    """A detector's finding or an update of one."""

    SCHEMA: ClassVar[SchemaName] = "finding"

    finding_id: str
    version: int = 0
    tenant_id: str
    rule_id: str
    detector_version: str = ""
    title: str
    status: FindingStatus = FindingStatus.UNKNOWN
    severity: int = 0
    confidence: int = 0
    scope: str = ""
    metric: str = ""
    tier: str = ""
    window_start: datetime
    window_end: datetime
    observed: float | None = None
    expected: float | None = None
    score: float | None = None
    excess_cost: Decimal | None = None
    currency: str = ""
    contributors: Mapping[str, float] = field(default_factory=dict)
    attacks: tuple[str, ...] = ()
    related_events: tuple[str, ...] = ()
    suppressed_by: str | None = None
    segment_id: str = ""
    act: str = ""
    actor: str = ""
    assignee: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal(TopicRecord):
    """Budget or SLO state of one scope that gateways act on.

    The topic is compacted: the last signal of a scope counts.
    """

    SCHEMA: ClassVar[SchemaName] = "signal"

    scope: str
    tenant_id: str
    kind: SignalKind = SignalKind.UNKNOWN
    rule_id: str
    state: SignalState = SignalState.UNKNOWN
    reason: str = ""
    revision: int = 0
    effective: datetime
    expires: datetime | None = None
    limit: Decimal | None = None
    spent: Decimal | None = None
    currency: str = ""
    fallback_model: str | None = None
    retry_after_us: int | None = None
