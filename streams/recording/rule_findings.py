"""Findings of rules over a segment's events: one a rule, scope and hour, and a bounded number of them.

A rule that goes on matching must not make a finding every second: all that a rule sees of a scope within an
hour of event time has one id, and is published once by a worker. A replay makes the same ids.
"""

from __future__ import annotations

import heapq
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np
import polars as pl

from auditstream.core.clock import EPOCH
from auditstream.core.finding_ids import finding_id
from auditstream.core.ports import LogId, Segment
from auditstream.core.tenants import UNATTRIBUTED
from auditstream.detection.rules.matching import Matcher, Rows
from auditstream.detection.rules.rule import About, Rule, RuleSet
from auditstream.detection.rules.windows import Crossing, columns_of
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus
from streams.recording.correlation_windows import CorrelationWindows, RecentEvents

REST = "rules.more"
"""Rule id of the finding that stands for those that one segment may not have."""

MOST = 50
"""Findings of one segment; the most severe, then those with most events."""

_SAMPLES = 5
"""event_ids that a finding names."""

_LONGEST = 256
"""Characters of a value in a scope; what is longer is cut."""

_BUCKET_US = 3_600_000_000
"""An hour: what a rule about single events sees of a scope within one is one finding."""

_REMEMBERED = 20_000
"""Ids that a worker remembers to have published; one that is forgotten is published again, the same."""

_ALWAYS = frozenset({"event_id", "event_time", "tenant_id", "same_call_as"})
"""Columns that every finding is made of."""

_SCOPES = {
    "agent_id": "agent",
    "actor_id": "actor",
    "credential_id": "credential",
    "conversation_id": "conversation",
    "project_id": "project",
    "inference_request_model": "model",
    "inference_response_model": "model",
    "routing_from_model": "model",
    "tool_name": "tool",
}
"""Words of scopes, as all findings have them."""


@dataclass(frozen=True, slots=True)
class Match:
    """What a rule saw of one scope.

    Attributes:
        about: The rule.
        tenant: Tenant.
        scope: What it is about within the tenant.
        metric: What was counted.
        bucket_us: Beginning of the hour or span, in microseconds.
        first_us: Time of the first event.
        last_us: Time of the last one.
        observed: What was counted.
        expected: From where on it is a match; 0 where any event is.
        event_ids: Some of them, 16 bytes each.
    """

    about: About
    tenant: str
    scope: str
    metric: str
    bucket_us: int
    first_us: int
    last_us: int
    observed: float
    expected: float
    event_ids: tuple[bytes, ...]

    @property
    def id(self) -> str:
        """The finding's id."""
        bucket = _time(self.bucket_us).isoformat()
        return finding_id(self.tenant, self.scope, self.metric, self.about.name, bucket)

    @property
    def rank(self) -> tuple[int, float, str, str, str, int]:
        """What comes first where there are too many."""
        return (
            -self.about.severity, -self.observed, self.about.name, self.tenant, self.scope, self.bucket_us,
        )  # fmt: skip


class RuleStage:
    """Asks the rules of segments.

    Args:
        rules: The rules that are on.
        history: What was recorded before.
    """

    def __init__(self, rules: RuleSet, history: RecentEvents) -> None:
        self._matcher = Matcher(rules.rules.values())
        scopes = {about.scope for about in rules.abouts() if about.scope}
        counted = set().union(*map(columns_of, rules.correlations)) - {"index", "stamp"}
        self._columns = sorted(self._matcher.columns | scopes | counted | _ALWAYS)
        self._windows = CorrelationWindows(rules, history)
        self._told = Told()

    def findings(self, segment: Segment, events: pl.DataFrame, positions: list[int]) -> Iterator[Finding]:
        """Yield the findings of a segment, the most severe first.

        Args:
            segment: The segment.
            events: Its events: attributed, priced, and marked with `duplicate_of`.
            positions: Position in the segment of each event.

        Raises:
            RetryableError: The store does not answer; nothing was remembered.
        """
        plan = segment.plan
        stamps = np.asarray(segment.timestamps_ms, np.int64)
        indexes = np.arange(plan.first_index, plan.first_index + len(segment))
        if len(positions) < len(segment):
            places = np.asarray(positions, np.intp)
            stamps, indexes = stamps[places], indexes[places]
        place = [pl.Series("index", indexes), pl.Series("stamp", stamps * 1_000)]
        placed = pl.DataFrame([*map(events.get_column, self._columns), *place])
        matched = {rule.about.name: (rule, rows) for rule, rows in self._matcher.matches(placed)}
        crossed = self._windows.crossings(
            segment.log, plan.first_index, plan.first_index + len(segment), placed, matched
        )
        found = [
            *(
                match
                for rule, rows in matched.values()
                if rule.reports
                for match in _matches(rule, rows, placed)
            ),
            *map(_crossed, crossed),
        ]
        by = (segment.log, plan.first_index)
        fresh = [each for each in found if self._told.is_new(each.id, by)]
        kept = heapq.nsmallest(MOST, fresh, key=lambda each: each.rank)
        self._told.tell((each.id for each in kept), by)
        yield from (_finding(segment, each) for each in kept)
        if len(fresh) > len(kept):
            yield _rest(segment, fresh, kept)

    def keep_only(self, logs: Collection[LogId]) -> None:
        """Forget what correlations look back at in other logs."""
        self._windows.keep_only(logs)


class Told:
    """Ids that were published lately, and by which segment: it publishes them again when it is retried."""

    def __init__(self, most: int = _REMEMBERED) -> None:
        self._by: OrderedDict[str, tuple[LogId, int]] = OrderedDict()
        self._most = most
        self._lock = threading.Lock()

    def is_new(self, id_: str, by: tuple[LogId, int]) -> bool:
        """Return whether no other segment told of an id."""
        with self._lock:
            return self._by.get(id_, by) == by

    def tell(self, ids: Iterable[str], by: tuple[LogId, int]) -> None:
        """Note that a segment tells of some ids."""
        with self._lock:
            for id_ in ids:
                self._by[id_] = by
                self._by.move_to_end(id_)
            while len(self._by) > self._most:
                self._by.popitem(last=False)


def _matches(rule: Rule, rows: Rows, events: pl.DataFrame) -> Iterator[Match]:
    """Yield what a rule saw, by tenant, scope and hour."""
    about = rule.about
    scope = pl.col(about.scope).cast(pl.String).fill_null("") if about.scope else pl.lit("")
    time = pl.min_horizontal(pl.col("event_time").to_physical(), "stamp")
    groups = (
        events[rows]
        .select("tenant_id", scope.alias("value"), time.alias("time"), "event_id")
        .group_by(
            "tenant_id", "value", pl.col("time").floordiv(_BUCKET_US).alias("hour"), maintain_order=True
        )
        .agg(
            pl.len().alias("events"),
            pl.col("time").min().alias("first"),
            pl.col("time").max().alias("last"),
            pl.col("event_id").head(_SAMPLES).alias("samples"),
        )
    )
    for tenant, value, hour, events_seen, first, last, samples in groups.iter_rows():
        yield Match(
            about=about,
            tenant=tenant or UNATTRIBUTED,
            scope=_scope([(about.scope, value)]),
            metric="events",
            bucket_us=hour * _BUCKET_US,
            first_us=first,
            last_us=last,
            observed=float(events_seen),
            expected=0.0,
            event_ids=tuple(samples),
        )


def _crossed(crossing: Crossing) -> Match:
    correlation = crossing.correlation
    names = (field.name for field in correlation.keys)
    return Match(
        about=correlation.about,
        tenant=crossing.tenant or UNATTRIBUTED,
        scope=_scope(zip(names, crossing.key, strict=True)) if correlation.keys else "",
        metric=correlation.kind,
        bucket_us=crossing.bucket_us,
        first_us=crossing.first_us,
        last_us=crossing.last_us,
        observed=crossing.observed,
        expected=correlation.least,
        event_ids=crossing.event_ids,
    )


def _scope(named: Iterable[tuple[str, str]]) -> str:
    """Return a scope: `agent=planner`, or nothing where there is no value."""
    return " ".join(f"{_SCOPES.get(name, name)}={value[:_LONGEST]}" for name, value in named if value)


def _finding(segment: Segment, match: Match) -> Finding:
    about = match.about
    of = f" ({match.scope})" if match.scope else ""
    return Finding(
        finding_id=match.id,
        tenant_id=match.tenant,
        rule_id=about.name,
        detector_version=about.version,
        title=f"{about.title}{of}",
        status=FindingStatus.NEW,
        severity=about.severity,
        confidence=100,
        scope=match.scope,
        metric=match.metric,
        window_start=_time(match.first_us),
        window_end=_time(match.last_us + 1),
        observed=match.observed,
        expected=match.expected,
        attacks=about.attacks,
        related_events=tuple(str(UUID(bytes=event_id)) for event_id in match.event_ids),
        segment_id=segment.id,
    )


def _rest(segment: Segment, fresh: list[Match], kept: list[Match]) -> Finding:
    """Return the finding that tells how many there were besides, to those who see all tenants."""
    rest = sorted(fresh, key=lambda each: each.rank)[len(kept) :]
    rules = sorted({each.about.name for each in rest})
    named = ", ".join(rules[:_SAMPLES])
    return Finding(
        finding_id=finding_id(UNATTRIBUTED, "rest", "findings", REST, segment.id),
        tenant_id=UNATTRIBUTED,
        rule_id=REST,
        title=f"{len(rest)} more findings of {len(rules)} rules in one segment are not told of: {named}",
        status=FindingStatus.NEW,
        severity=max(each.about.severity for each in rest),
        confidence=100,
        scope="rest",
        metric="findings",
        window_start=_time(min(each.first_us for each in rest)),
        window_end=_time(max(each.last_us for each in rest) + 1),
        observed=float(len(rest)),
        expected=0.0,
        related_events=tuple(str(UUID(bytes=each.event_ids[-1])) for each in rest[:_SAMPLES]),
        segment_id=segment.id,
    )


def _time(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)
