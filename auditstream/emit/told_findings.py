"""Findings that a watch told of: each once, also after a restart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from auditstream.core.logs import get_logger
from auditstream.core.metrics import Metrics
from schemas.records.detection import Finding
from sinks.clients import ClientPool
from sinks.findings_told import told_findings

log = get_logger(__name__)

Publish = Callable[[list[Finding]], None]
"""Makes findings known; raises `RetryableError` when they may not be."""


class ToldFindings:
    """Tells findings that were not told before.

    Args:
        clients: Where clients of the store come from.
        rules: Rules whose findings they are.
        publish: Makes them known.
        metrics: Where they are counted.
        remembers: How long a finding can be met again.
    """

    def __init__(
        self,
        clients: ClientPool,
        rules: Sequence[str],
        publish: Publish,
        metrics: Metrics,
        *,
        remembers: timedelta,
    ) -> None:
        self._clients = clients
        self._rules = rules
        self._publish = publish
        self._metrics = metrics
        self._remembers = remembers
        self.forget()

    def forget(self) -> None:
        """Read from the record again what was told: somebody else may have told more."""
        self._told: set[str] = set()
        self._day = datetime.min.date()

    def begin(self, now: datetime) -> None:
        """Read what was told, once a day; raises as `told_findings` does."""
        if self._day != now.date():
            self._told = told_findings(self._clients, self._rules, now - self._remembers)
            self._day = now.date()

    def is_told(self, finding: Finding) -> bool:
        """Return whether a finding was told of."""
        return finding.finding_id in self._told

    def tell(self, findings: Sequence[Finding]) -> list[Finding]:
        """Return what was new of findings once it is known; raises as `Publish`, then none counts as told."""
        fresh = list({each.finding_id: each for each in findings if not self.is_told(each)}.values())
        if not fresh:
            return fresh
        self._publish(fresh)
        for each in fresh:
            self._told.add(each.finding_id)
            self._metrics.count("auditstream_discovery_findings_total", rule=each.rule_id)
            log.info("finding_told", rule=each.rule_id, tenant=each.tenant_id, scope=each.scope)
        return fresh

    def tell_ends(self, ends: Sequence[Finding]) -> None:
        """Return once it is known that findings are over, given as versions that say so; raises as `tell`."""
        if not ends:
            return
        self._publish(list(ends))
        for each in ends:
            log.info("finding_over", rule=each.rule_id, tenant=each.tenant_id, scope=each.scope)
