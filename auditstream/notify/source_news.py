"""`source.silence_or_gap`: numbers of a source that never came, and sources whose heartbeats stopped.

Catalogue D27 and D28: three heartbeats missed; a number that is not there ten minutes after the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from auditstream.core.finding_ids import UPDATES_APART, finding_id
from auditstream.detection.severities import Severity
from auditstream.detection.sources import Gap, Pulse
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus

RULE = "source.silence_or_gap"

FILLED_WITHIN = timedelta(minutes=10)
"""How long a number may be late: partitions are recorded at their own pace, and senders try again."""

MISSED = 3
"""Heartbeats in a row without which a source is silent."""

GAP, SILENCE = "missing_numbers", "silence"
"""What is watched: metrics of the findings."""

VERSION = "1"
_CERTAIN = 100
ATTACKS = ("AML.T0107", "MCP08")
_INSTANCE = " instance="
_LONGEST_TITLE = 500  # as of episodes
_MICROSECOND = timedelta(microseconds=1)


def source_news(gaps: Iterable[Gap], pulses: Iterable[Pulse]) -> Iterator[Finding]:
    """Yield a finding of each gap, and of each source that is silent.

    A gap that is partly filled later, from its beginning, is the same one still.
    """
    for gap in gaps:
        count = gap.last - gap.first + 1
        numbers = f"number {gap.first}" if count == 1 else f"numbers {gap.first} to {gap.last}"
        yield Finding(
            finding_id=finding_id(
                gap.tenant, f"source={gap.source} {gap.instance}", GAP, RULE, str(gap.last)
            ),
            tenant_id=gap.tenant,
            rule_id=RULE,
            detector_version=VERSION,
            title=f"{gap.source}, instance {gap.instance or 'without a name'}: {numbers} never came",
            status=FindingStatus.NEW,
            severity=Severity.CRITICAL,
            confidence=_CERTAIN,
            scope=_scope_of(gap),
            metric=GAP,
            window_start=gap.noticed,
            window_end=gap.noticed + FILLED_WITHIN,
            observed=float(count),
            expected=0.0,
            attacks=ATTACKS,
        )
    for pulse in pulses:
        if not pulse.has_missed(MISSED):
            continue
        every_s = pulse.every.total_seconds()
        yield Finding(
            finding_id=finding_id(
                pulse.tenant, f"source={pulse.source}", SILENCE, RULE, pulse.last.isoformat()
            ),
            tenant_id=pulse.tenant,
            rule_id=RULE,
            detector_version=VERSION,
            title=f"{pulse.source} is silent: no heartbeat since {pulse.last:%Y-%m-%dT%H:%M:%SZ},"
            f" one is due every {every_s:g} s",
            status=FindingStatus.NEW,
            severity=Severity.HIGH,
            confidence=_CERTAIN,
            scope=f"source={pulse.source}",
            metric=SILENCE,
            window_start=pulse.last,
            window_end=pulse.until + _MICROSECOND,
            observed=(pulse.until - pulse.last).total_seconds(),
            expected=every_s,
            attacks=ATTACKS,
        )


def silences_over(told: Iterable[Finding], pulses: Iterable[Pulse]) -> Iterator[Finding]:
    """Yield the ends of silences: of sources with a heartbeat later than the last one that was told of.

    Args:
        told: Findings that are open; others than silences are left alone.
        pulses: Heartbeats; a source without any may be gone, and stays silent.
    """
    last = {f"source={each.source}": each.last for each in pulses}
    for each in told:
        back = last.get(each.scope) if each.metric == SILENCE else None
        if back is not None and back > each.window_start:
            yield _over(each, back, f"its heartbeats are back, the last at {back:%Y-%m-%dT%H:%M:%SZ}")


def gaps_over(told: Iterable[Finding], missing: Sequence[Gap], at: datetime) -> Iterator[Finding]:
    """Yield the ends of gaps: of those of which the last number came.

    What is left of a gap that was filled from its end is another one, and told by itself first.

    Args:
        told: Findings that are open; others than gaps are left alone.
        missing: What is missing at all of their sources, in event time that has what made each gap one;
            numbers that are merely late too.
        at: When that was looked up.
    """
    told = [each for each in told if each.metric == GAP]
    ids = {each.finding_id for each in source_news(missing, ())}
    known = {each.finding_id for each in told}
    waiting = {
        _scope_of(gap)
        for gap, finding in zip(missing, source_news(missing, ()), strict=True)
        if finding.finding_id not in known
    }
    for each in told:
        if each.finding_id not in ids and each.scope not in waiting:
            yield _over(each, at, "the last of them came")


def source_of_gap(told: Finding) -> str:
    """Return the source of a gap's finding; empty where names of our words leave more than one answer."""
    parts = told.scope.removeprefix("source=").split(_INSTANCE)
    return parts[0] if len(parts) == 2 else ""


def _scope_of(gap: Gap) -> str:
    return f"source={gap.source}{_INSTANCE}{gap.instance}"


def _over(told: Finding, until: datetime, ending: str) -> Finding:
    return replace(
        told,
        version=told.version + UPDATES_APART,
        title=f"{told.title}; over: {ending}"[:_LONGEST_TITLE],
        status=FindingStatus.RESOLVED,
        window_end=until + _MICROSECOND,
    )
