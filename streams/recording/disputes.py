"""Findings about events that named an owner and were not believed: by claim, principal and reason.

A few wrong keys can spoil a whole segment, and anyone can make names up: the largest groups have a finding
each, the rest share one. None is any one tenant's to see: they are `unattributed`, as the events are.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import polars as pl

from auditstream.attribution.attributor import DISPUTE, UNATTRIBUTED
from auditstream.core.finding_ids import finding_id
from auditstream.core.ports import Segment
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus

RULE = "attribution.disputed"

_MOST = 20
"""Findings of one segment that have a group each."""

_SAMPLES = 5
"""event_ids that a finding names."""

_LONGEST = 256
"""Characters of a principal's name; what is longer is cut."""

_HIGH = 4
"""OCSF severity."""

_WHY = {
    "topic_and_claim": "the topic is another tenant's",
    "topic_and_credential": "the topic is not that of the credential's tenant",
    "claim_and_credential": "the credential is another tenant's",
    "tenant_closed": "the tenant is closed",
}


def disputes(segment: Segment, events: pl.DataFrame) -> Iterator[Finding]:
    """Yield the findings of a segment's attributed events, the largest group first; repeats do not count."""
    disputed = events.filter(pl.col(DISPUTE).is_not_null(), pl.col("duplicate_of").is_null())
    if disputed.is_empty():
        return
    groups = _grouped(disputed)
    for group in groups.head(_MOST).iter_rows(named=True):
        claim, principal, reason = group["claim"], group["principal"], group[DISPUTE]
        said = f"claim tenant {claim}" if claim else "claim no tenant"
        yield _finding(
            segment,
            group,
            scope=f"claim={claim} {principal}",
            metric=reason,
            title=f"{group['events']} events of {principal} {said}: {_WHY[reason]}",
        )
    rest = groups.slice(_MOST)
    if rest.height:
        total = rest.select(
            pl.col("events").sum(), pl.col("first").min(), pl.col("last").max(), pl.col("samples").first()
        ).row(0, named=True)
        title = f"{total['events']} more events name owners that are not believed, in {rest.height} groups"
        yield _finding(segment, total, scope="rest", metric="several", title=title)


def _grouped(disputed: pl.DataFrame) -> pl.DataFrame:
    key = pl.col("credential_id").fill_null("").str.head(_LONGEST)
    source = pl.col("source").str.head(_LONGEST)
    principal = pl.when(key != "").then("credential=" + key).otherwise("source=" + source)
    names = ("claim", "principal", DISPUTE)
    return (
        disputed.select(
            pl.col("tenant_claim").alias("claim"),
            principal.alias("principal"),
            DISPUTE,
            "event_time",
            "event_id",
        )
        .group_by(names, maintain_order=True)
        .agg(
            pl.len().alias("events"),
            pl.col("event_time").min().alias("first"),
            pl.col("event_time").max().alias("last"),
            pl.col("event_id").head(_SAMPLES).alias("samples"),
        )
        .sort("events", *names, descending=[True, False, False, False])
    )


def _finding(segment: Segment, group: dict[str, Any], *, scope: str, metric: str, title: str) -> Finding:
    return Finding(
        finding_id=finding_id(UNATTRIBUTED, scope, metric, RULE, segment.id),
        tenant_id=UNATTRIBUTED,
        rule_id=RULE,
        detector_version=str(segment.plan.enricher_version),
        title=title,
        status=FindingStatus.NEW,
        severity=_HIGH,
        confidence=100,
        scope=scope,
        metric=metric,
        window_start=group["first"],
        window_end=group["last"] + timedelta(microseconds=1),
        observed=float(group["events"]),
        expected=0.0,
        related_events=tuple(str(UUID(bytes=event_id)) for event_id in group["samples"]),
        segment_id=segment.id,
    )
