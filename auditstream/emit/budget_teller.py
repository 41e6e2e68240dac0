"""Tells what is new of budgets: a signal to gateways, an event to the record."""

from __future__ import annotations

from datetime import UTC, datetime

from auditstream.core.clock import Clock
from auditstream.core.logs import get_logger
from auditstream.core.metrics import Metrics
from auditstream.core.settings import Settings
from auditstream.emit.announcements import Said, announcement
from auditstream.emit.owner_fields import owner_fields
from auditstream.emit.signal_teller import SignalTeller
from auditstream.notify.budget_news import News

log = get_logger(__name__)

EVENT_TYPE = "ai.budget"
_BY = "budgets"


class BudgetTeller:
    """Tells news: gateways first, then the record; connects when there is something to tell."""

    def __init__(self, settings: Settings, metrics: Metrics, clock: Clock) -> None:
        self._teller = SignalTeller(settings)
        self._metrics = metrics
        self._clock = clock

    def __call__(self, news: News) -> None:
        """Return once signal and event are acknowledged.

        Raises:
            RetryableError: One may not be. The same news may be told again: its event has the same id.
        """
        self._teller.tell(news.signal, None if news.event_id is None else self._event(news))
        if news.event_id is not None:
            reason = "forecast" if news.is_forecast else "spent"
            self._metrics.count("auditstream_budget_events_total", reason=reason)
            budget = news.standing.budget
            log.info("budget_told", budget=budget.budget_id, about=reason, threshold_pct=news.threshold_pct)

    def close(self) -> None:
        """Give up what is still waiting: it is told again."""
        self._teller.close()

    def _event(self, news: News) -> dict[str, object]:
        budget = news.standing.budget
        said = Said(
            by=_BY,
            actor="auditstream",
            at=datetime.fromtimestamp(self._clock.now_s(), UTC),
            tenant_id=budget.tenant_id,
            actor_type="SYSTEM",
        )
        return announcement(EVENT_TYPE, said, **news.fields, **owner_fields(budget.scope))
