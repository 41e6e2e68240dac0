"""The finding that says that a partition is paused, because too much of it was dead letters."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from auditstream.attribution.attributor import UNATTRIBUTED, topic_tenant
from auditstream.core.finding_ids import finding_id
from auditstream.core.ports import LogId, Trip
from auditstream.ledger.leaves import LeafKind
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus

RULE = "dead_letters.limit"

_MOST_REASONS = 5
_CRITICAL = 5
"""OCSF severity: nothing of the partition is recorded while it lasts."""


def pause_of(log: LogId, trip: Trip) -> Finding:
    """Return the finding of a trip: what passed which limit, where, why, and what to do.

    It is the tenant's whose own topic it is, else nobody's. `contributors` has the share of each reason among
    the block's dead letters.
    """
    block, metric = trip.block, f"dead_letter_{trip.limit}"
    rejected = block.frame.filter(pl.col("leaf_kind") == int(LeafKind.DEAD_LETTER))
    offsets, stamps = rejected["kafka_offset"].to_list(), rejected["kafka_timestamp"].to_list()
    reasons = sorted(block.dead_letter_reasons().items(), key=lambda each: (-each[1], each[0]))
    named = ", ".join(reason for reason, _ in reasons[:_MOST_REASONS])
    tenant, scope = topic_tenant(log.topic) or UNATTRIBUTED, f"log={log}"
    passed = (
        f"{trip.observed:.0%} of its newest records are dead letters, more than {trip.allowed:.0%}"
        if trip.limit == "ratio"
        else f"{trip.observed:,.0f} dead letters in a row, limit {trip.allowed:,.0f}"
    )
    return Finding(
        finding_id=finding_id(tenant, scope, metric, RULE, block.segment_id),
        tenant_id=tenant,
        rule_id=RULE,
        title=(
            f"Partition {log.partition} of {log.topic} is paused: {passed}; the last ones at offsets"
            f" {offsets[0]} to {offsets[-1]} ({named}). Mend the producer; the partition goes on by itself"
            " once its records are mostly events."
        ),
        status=FindingStatus.NEW,
        severity=_CRITICAL,
        confidence=100,
        scope=scope,
        metric=metric,
        window_start=min(stamps),
        window_end=max(stamps) + timedelta(milliseconds=1),
        observed=trip.observed,
        expected=trip.allowed,
        contributors={reason: count / block.dead_letters for reason, count in reasons[:_MOST_REASONS]},
        segment_id=block.segment_id,
    )
