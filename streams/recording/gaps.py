"""The block of lost offsets: one leaf of kind 2 that names them, and the finding that tells of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from auditstream.attribution.attributor import UNATTRIBUTED, topic_tenant
from auditstream.core.finding_ids import finding_id
from auditstream.core.ports import Block, Segment
from auditstream.ledger.leaves import NO_EVENT_ID
from schemas.flatten import FRAME_SCHEMA
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus
from streams.lost_offsets import lost_batch
from streams.recording.decoded import Decoded
from streams.recording.outlets import Outlets, finding_row
from streams.recording.provenance import provenance

RULE = "offsets.lost"
_METRIC = "lost_offsets"
_CRITICAL = 5
"""OCSF severity: events are lost for good."""
_MILLISECOND = timedelta(milliseconds=1)


def gap_block(segment: Segment, outlets: Outlets) -> Block:
    """Return the block of a segment whose plan is over lost offsets; the plan decides all of it.

    Raises:
        RetryableError: The registry does not answer.
    """
    plan = segment.plan
    assert plan.lost is not None
    batch = lost_batch(segment.log, plan)
    segment = Segment(segment.log, plan, batch.offsets, batch.values, batch.timestamps_ms)
    nothing = Decoded(pl.DataFrame(schema=FRAME_SCHEMA), [], {}, [""])
    frame = provenance(segment, nothing).with_columns(
        event_id=pl.lit(NO_EVENT_ID, dtype=pl.Binary),
        reject_reason=pl.lit(plan.lost.reason),
        reject_detail=pl.lit(f"Kafka lost offsets {plan.lo} to {plan.hi} before they were recorded"),
    )
    lost = loss_of(segment)
    return Block(segment.id, frame, outbound=[outlets.finding(lost)], findings=[finding_row(lost)])


def loss_of(segment: Segment) -> Finding:
    """Return the finding of lost offsets: the tenant's whose own topic it is, else nobody's."""
    plan, log = segment.plan, segment.log
    assert plan.lost is not None
    tenant, scope = topic_tenant(log.topic) or UNATTRIBUTED, f"log={log}"
    noticed = datetime.fromtimestamp(0, UTC) + plan.lost.noticed_ms * _MILLISECOND
    return Finding(
        finding_id=finding_id(tenant, scope, _METRIC, RULE, segment.id),
        tenant_id=tenant,
        rule_id=RULE,
        title=(
            f"Partition {log.partition} of {log.topic}: Kafka lost offsets {plan.lo} to {plan.hi} before they"
            f" were recorded; leaf {plan.first_index} stands for them. Lengthen the topic's retention, ask"
            " the producers what they can send again."
        ),
        status=FindingStatus.NEW,
        severity=_CRITICAL,
        confidence=100,
        scope=scope,
        metric=_METRIC,
        window_start=noticed,
        window_end=noticed + _MILLISECOND,
        observed=float(plan.hi - plan.lo + 1),
        expected=0.0,
        segment_id=segment.id,
    )
