"""Sends signals to gateways and events to the record; connects when there is something to tell."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from auditstream.core.ports import Outbound
from auditstream.core.settings import Settings
from auditstream.emit.kafka_way import KafkaWay
from auditstream.emit.message import Route, message_of
from auditstream.emit.route_finder import find_route
from schemas.codec import encode
from schemas.framing import prefix
from schemas.records.detection import Signal
from schemas.subjects import SIGNALS
from streams.kafka_security import librdkafka_settings

_WITHIN_S = 20.0
_LINGER_MS = 1  # somebody may be spending meanwhile


class SignalTeller:
    """Tells gateways first, then the record; for one thread.

    Args:
        settings: Where Kafka and the registry are.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._way: KafkaWay | None = None
        self._routes: tuple[Route, Route] | None = None

    def tell(self, signal: Signal | None, event: Mapping[str, Any] | None) -> None:
        """Return once both are acknowledged.

        Raises:
            RetryableError: One may not be. Both may be told again: the event's id tells repeats.
        """
        signals, events = self._found_routes()
        if self._way is None:
            connection = librdkafka_settings(self._settings.kafka)
            self._way = KafkaWay(connection, timeout_s=_WITHIN_S, linger_ms=_LINGER_MS)
        try:
            if signal is not None:
                self._way.send(_signal_message(signal, signals))
                self._way.finish()
            if event is not None:
                self._way.send(message_of(event, events))
                self._way.finish()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give up what is still waiting: it is told again."""
        way, self._way = self._way, None
        if way is not None:
            way.abandon()

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
