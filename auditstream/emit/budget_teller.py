"""Tells what is new of budgets: a signal to gateways, an event to the record."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from auditstream.core.clock import Clock
from auditstream.core.logs import get_logger
from auditstream.core.metrics import Metrics
from auditstream.core.ports import Outbound
from auditstream.core.settings import Settings
from auditstream.emit.announcements import Said, announcement
from auditstream.emit.kafka_way import KafkaWay
from auditstream.emit.message import Route, message_of
from auditstream.emit.route_finder import find_route
from auditstream.notify.budget_news import News
from auditstream.reference.limits import Budget
from schemas.codec import encode
from schemas.framing import prefix
from schemas.records.detection import Signal
from schemas.subjects import SIGNALS
from streams.kafka_security import librdkafka_settings

log = get_logger(__name__)

EVENT_TYPE = "ai.budget"
_BY = "budgets"
_WITHIN_S = 20.0
_LINGER_MS = 1  # somebody may be spending meanwhile


class BudgetTeller:
    """Tells news: gateways first, then the record; connects when there is something to tell."""

    def __init__(self, settings: Settings, metrics: Metrics, clock: Clock) -> None:
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._way: KafkaWay | None = None
        self._routes: tuple[Route, Route] | None = None

    def __call__(self, news: News) -> None:
        """Return once signal and event are acknowledged.

        Raises:
            RetryableError: One may not be. The same news may be told again: its event has the same id.
        """
        signals, events = self._found_routes()
        if self._way is None:
            connection = librdkafka_settings(self._settings.kafka)
            self._way = KafkaWay(connection, timeout_s=_WITHIN_S, linger_ms=_LINGER_MS)
        try:
            if news.signal is not None:
                self._way.send(_signal_message(news.signal, signals))
                self._way.finish()
            if news.event_id is not None:
                self._way.send(message_of(self._event(news), events))
                self._way.finish()
        except BaseException:
            self.close()
            raise
        if news.event_id is not None:
            reason = "forecast" if news.is_forecast else "spent"
            self._metrics.count("auditstream_budget_events_total", reason=reason)
            budget = news.standing.budget
            log.info("budget_told", budget=budget.budget_id, about=reason, threshold_pct=news.threshold_pct)

    def close(self) -> None:
        """Give up what is still waiting: it is told again."""
        way, self._way = self._way, None
        if way is not None:
            way.abandon()

    def _event(self, news: News) -> dict[str, object]:
        budget = news.standing.budget
        said = Said(
            by=_BY,
            actor="auditstream",
            at=datetime.fromtimestamp(self._clock.now_s(), UTC),
            tenant_id=budget.tenant_id,
            actor_type="SYSTEM",
        )
        return announcement(EVENT_TYPE, said, **news.fields, **_owner_fields(budget))

    def _found_routes(self) -> tuple[Route, Route]:
        if self._routes is None:
            registry, kafka = self._settings.registry, self._settings.kafka
            self._routes = (
                asyncio.run(find_route(registry, kafka.signals_topic, SIGNALS)),
                asyncio.run(find_route(registry, kafka.events_topic)),
            )
        return self._routes


def _signal_message(signal: Signal, route: Route) -> Outbound:
    return Outbound(
        route.topic,
        signal.scope.encode(),
        prefix(route.schema_id) + encode(signal),
        (("rule_id", signal.rule_id.encode()),),
    )


def _owner_fields(budget: Budget) -> dict[str, str]:
    """Return the fields of the envelope that say whose budget it is."""
    names = ("project_id", "team_id", "feature_id", "cost_center", "environment", "credential_id")
    return {name: budget.scope[name] for name in names if name in budget.scope}
