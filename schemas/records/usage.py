"""UsageDelta: what one segment adds to a tenant's usage, on `audit.usage.v1`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from schemas.packaged import SchemaName
from schemas.records.record import EPOCH, Record, TopicRecord
from schemas.records.vocabulary import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageCost(Record):
    """Money of a line in one currency."""

    currency: str
    list: Decimal
    contracted: Decimal
    effective: Decimal
    billed: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageEntity(Record):
    """Something that events name."""

    kind: str
    name: str
    events: int
    credential_id: str = ""
    minute: datetime = EPOCH


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLine(Record):
    """Sums over the events of one minute that agree in every dimension and in the currency."""

    minute: datetime
    project_id: str = ""
    environment: str = ""
    credential_id: str = ""
    agent_id: str = ""
    provider: str = ""
    model: str = ""
    event_type: str
    outcome: Outcome = Outcome.UNKNOWN
    events: int
    failures: int = 0
    blocked: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    unpriced: int = 0
    timed: int = 0
    duration_sum_us: int = 0
    duration_max_us: int = 0
    feature_id: str = ""
    tool_name: str = ""
    prompt_name: str = ""
    prompt_version: str = ""
    denied: int = 0
    paced_us: int = 0
    paced_tokens: int = 0
    latency_bins: tuple[int, ...] = ()
    latency_counts: tuple[int, ...] = ()
    costs: tuple[UsageCost, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageDelta(TopicRecord):
    """What one segment adds to a tenant's usage, by minute.

    It names its segment, so a delta that is published again is recognised and applied once. Without a
    segment it is a heartbeat of its log, and moves only that log's time.
    """

    SCHEMA: ClassVar[SchemaName] = "usage_delta"

    log_id: str
    segment_id: str
    segment_index: int
    part: int = 0
    parts: int = 1
    tenant_id: str
    watermark: datetime
    reference_revision: int = 0
    recorded_from: datetime = EPOCH
    recorded_until: datetime = EPOCH
    entities: tuple[UsageEntity, ...] = ()
    lines: tuple[UsageLine, ...] = ()
