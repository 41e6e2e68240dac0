"""`source.silence_or_gap`: numbers of a source that never came, and sources whose heartbeats stopped.

Catalogue D27 and D28: three heartbeats missed; a number that is not there ten minutes after the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from auditstream.core.finding_ids import finding_id
from auditstream.detection.severities import Severity
from auditstream.detection.sources import Gap, Silence
from schemas.records.detection import Finding
from schemas.records.vocabulary import FindingStatus

RULE = "source.silence_or_gap"

FILLED_WITHIN = timedelta(minutes=10)
"""How long a number may be late: partitions are recorded at their own pace, and senders try again."""

MISSED = 3
"""Heartbeats in a row without which a source is silent."""

VERSION = "1"
_CERTAIN = 100
ATTACKS = ("AML.T0107", "MCP08")
_MICROSECOND = timedelta(microseconds=1)


def source_news(gaps: Iterable[Gap], silences: Iterable[Silence]) -> Iterator[Finding]:
    """Yield a finding of each gap and silence; a gap that is partly filled later is the same one still."""
    for gap in gaps:
        count = gap.last - gap.first + 1
        numbers = f"number {gap.first}" if count == 1 else f"numbers {gap.first} to {gap.last}"
        yield Finding(
            finding_id=finding_id(
                gap.tenant, f"source={gap.source} {gap.instance}", "missing_numbers", RULE, str(gap.last)
            ),
            tenant_id=gap.tenant,
            rule_id=RULE,
            detector_version=VERSION,
            title=f"{gap.source}, instance {gap.instance or 'without a name'}: {numbers} never came",
            status=FindingStatus.NEW,
            severity=Severity.CRITICAL,
            confidence=_CERTAIN,
            scope=f"source={gap.source} instance={gap.instance}",
            metric="missing_numbers",
            window_start=gap.noticed,
            window_end=gap.noticed + FILLED_WITHIN,
            observed=float(count),
            expected=0.0,
            attacks=ATTACKS,
        )
    for silence in silences:
        every_s = silence.every.total_seconds()
        yield Finding(
            finding_id=finding_id(
                silence.tenant, f"source={silence.source}", "silence", RULE, silence.last.isoformat()
            ),
            tenant_id=silence.tenant,
            rule_id=RULE,
            detector_version=VERSION,
            title=f"{silence.source} is silent: no heartbeat since {silence.last:%Y-%m-%dT%H:%M:%SZ},"
            f" one is due every {every_s:g} s",
            status=FindingStatus.NEW,
            severity=Severity.HIGH,
            confidence=_CERTAIN,
            scope=f"source={silence.source}",
            metric="silence",
            window_start=silence.last,
            window_end=silence.until + _MICROSECOND,
            observed=(silence.until - silence.last).total_seconds(),
            expected=every_s,
            attacks=ATTACKS,
        )
