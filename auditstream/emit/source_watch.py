"""The watch over sources: numbers that never came, and heartbeats that stopped."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from auditstream.core.clock import Clock
from auditstream.core.metrics import Metrics
from auditstream.emit.told_findings import Publish, ToldFindings
from auditstream.notify.source_news import FILLED_WITHIN, MISSED, RULE, source_news
from auditstream.query.reader import Reader
from auditstream.query.sources import gaps, silences
from sinks.clients import ClientPool

LOOKS_BACK = timedelta(hours=2)
"""Event time in which gaps are looked for; the statement of complete days looks at all of it."""

_BEAT_WITHIN = timedelta(hours=24)
"""A source that has not beaten for longer is gone, and was told of."""


class SourceWatch:
    """Looks for gaps and silences, and tells of each once.

    Args:
        clients: Where clients of the store come from.
        publish: Makes findings known.
        metrics: Where they are counted.
        clock: Says what time it is.
    """

    def __init__(self, clients: ClientPool, publish: Publish, metrics: Metrics, clock: Clock) -> None:
        self._reader = Reader(clients)
        self._told = ToldFindings(clients, (RULE,), publish, metrics, remembers=2 * _BEAT_WITHIN)
        self._clock = clock

    def forget(self) -> None:
        """Read again what was told: others may have told more."""
        self._told.forget()

    def look(self, is_due: Callable[[str], bool], *, is_full: bool) -> None:
        """Look, and tell what is new of the tenants that are due.

        Raises:
            RetryableError: Store or Kafka does not answer; the next look tells what this one did not.
        """
        now = datetime.fromtimestamp(self._clock.now_s(), UTC)
        self._told.begin(now)
        missing = gaps(self._reader, now - LOOKS_BACK, now + LOOKS_BACK, settled=now - FILLED_WITHIN)
        silent = silences(self._reader, now - _BEAT_WITHIN, missed=MISSED)
        found = source_news(missing, silent)
        self._told.tell([each for each in found if is_due(each.tenant_id)])
