"""The watch over sources: numbers that never came, and heartbeats that stopped, until they come after all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from auditstream.core.clock import Clock
from auditstream.core.metrics import Metrics
from auditstream.emit.told_findings import Publish, ToldFindings
from auditstream.notify.source_news import (
    FILLED_WITHIN,
    GAP,
    RULE,
    gaps_over,
    silences_over,
    source_news,
    source_of_gap,
)
from auditstream.query.reader import Reader
from auditstream.query.sources import MOST_GAPS, gaps, pulses
from schemas.records.detection import Finding
from sinks.clients import ClientPool
from sinks.findings_told import open_findings

LOOKS_BACK = timedelta(hours=2)
"""Event time in which gaps are looked for; the statement of complete days looks at all of it."""

_BEAT_WITHIN = timedelta(hours=24)
"""A source that has not beaten for longer is gone, and was told of."""

_SILENT_FOR = timedelta(days=30)
"""How long ago a silence was told of that still can end: who is away for longer comes as somebody new."""

_LATE_FOR = timedelta(hours=48)
"""How long ago a gap was told of that still is looked at: all events since then are read for it. A source
that sends what it kept has done so within two days, or a person has seen to it."""


class SourceWatch:
    """Looks for gaps and silences, tells of each once, and then that it is over.

    Args:
        clients: Where clients of the store come from.
        publish: Makes findings known.
        metrics: Where they are counted.
        clock: Says what time it is.
    """

    def __init__(self, clients: ClientPool, publish: Publish, metrics: Metrics, clock: Clock) -> None:
        self._clients = clients
        self._reader = Reader(clients)
        self._told = ToldFindings(clients, (RULE,), publish, metrics, remembers=2 * _BEAT_WITHIN)
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """Read again what was told: others may have told more."""
        self._told.forget()
        self._open: dict[str, Finding] | None = None
        self._gaps_looked = datetime.min.replace(tzinfo=UTC)

    def look(self, is_due: Callable[[str], bool], *, is_full: bool) -> None:
        """Look, and tell what is new of the tenants that are due, and what is over.

        Raises:
            RetryableError: Store or Kafka does not answer; the next look tells what this one did not.
        """
        now = datetime.fromtimestamp(self._clock.now_s(), UTC)
        self._told.begin(now)
        if self._open is None:
            known = open_findings(self._clients, (RULE,), now - _SILENT_FOR)
            self._open = {each.finding_id: each for each in known}
        missing = gaps(self._reader, now - LOOKS_BACK, now + LOOKS_BACK, settled=now - FILLED_WITHIN)
        beats = pulses(self._reader, now - _BEAT_WITHIN)
        found = [each for each in source_news(missing, beats) if is_due(each.tenant_id)]
        self._open |= {each.finding_id: each for each in self._told.tell(found)}
        ours = [each for each in self._open.values() if is_due(each.tenant_id)]
        ends = [*silences_over(ours, beats), *self._filled(ours, now)]
        self._told.tell_ends(ends)
        for each in ends:
            del self._open[each.finding_id]

    def _filled(self, told: list[Finding], now: datetime) -> list[Finding]:
        """Return the ends of gaps, each `FILLED_WITHIN`: numbers that came are no matter of a minute.

        What is read begins before the first event that a gap was seen by, for without that there is no gap.
        """
        known = [each for each in told if each.metric == GAP and each.window_start >= now - _LATE_FOR]
        sources = {each.finding_id: source for each in known if (source := source_of_gap(each))}
        late = [each for each in known if each.finding_id in sources]
        if not late or now - self._gaps_looked < FILLED_WITHIN:
            return []
        start = min(each.window_start for each in late) - LOOKS_BACK
        of = sorted(set(sources.values()))
        missing = gaps(self._reader, start, now + LOOKS_BACK, settled=now, of=of)
        self._gaps_looked = now
        return list(gaps_over(late, missing, now)) if len(missing) < MOST_GAPS else []
