"""Announcements: events about the product's own use, acknowledged before the act takes effect."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from auditstream.core.ids import uuid7
from auditstream.core.settings import Settings
from auditstream.emit.emission import Way
from auditstream.emit.kafka_way import KafkaWay
from auditstream.emit.message import Route, message_of
from auditstream.emit.route_finder import find_route
from schemas.contract import check
from schemas.intake import datum_of
from streams.kafka_security import librdkafka_settings

CONFIG_CHANGE = "ai.config.change"
INFORMATIONAL = 1
"""OCSF severity."""

_SOURCE = "urn:auditstream:"
_LINGER_MS = 1  # somebody waits for the answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What every announcement says.

    Attributes:
        by: Part of the product that says it, as `apply`; the event's source is `urn:auditstream:apply`.
        actor: Who acts. An operator of the deployment, in the clear.
        at: When (UTC).
        tenant_id: Tenant that it is about; empty for everybody.
        outcome: `SUCCESS`, `BLOCKED` for what was refused, `FAILURE`.
        actor_type: `USER`, or `SERVICE` for what acts by itself.
    """

    by: str
    actor: str
    at: datetime
    tenant_id: str = ""
    outcome: str = "SUCCESS"
    actor_type: str = "USER"


def announcement(event_type: str, said: Said, **fields: Any) -> dict[str, Any]:
    """Return an event as its codec takes it, checked against the contract.

    Args:
        event_type: As `ai.config.change`.
        said: Who, when, and how it ended.
        fields: Further fields of the event, as `change={...}`, `attributes={...}`.

    Raises:
        ContractError: A field is not what the contract says.
    """
    event = {
        "event_id": uuid7(),
        "event_type": event_type,
        "event_time": said.at.astimezone(UTC),
        "source": f"{_SOURCE}{said.by}",
        "source_instance": socket.gethostname(),
        "tenant_id": said.tenant_id,
        "actor_type": said.actor_type,
        "actor_id": said.actor,
        "outcome": said.outcome,
        "severity": INFORMATIONAL,
    }
    datum = datum_of(event | fields, "audit_event")
    check(datum)
    return datum


def announce(events: Iterable[Mapping[str, Any]], route: Route, way: Way) -> int:
    """Send events and return how many, once all are acknowledged.

    Raises:
        RetryableError: One was not acknowledged.
    """
    sent = 0
    for event in events:
        way.send(message_of(event, route))
        sent += 1
    way.finish()
    return sent


class Announcer:
    """Announces by way of Kafka, on a connection that stays; one thread at a time.

    Args:
        route: Topic and schema of the events.
        connection: librdkafka's settings that reach the brokers.
        within_s: How long an event may wait for its acknowledgement.
    """

    def __init__(self, route: Route, connection: Mapping[str, Any], *, within_s: float) -> None:
        self._route = route
        self._connection = connection
        self._within_s = within_s
        self._way: KafkaWay | None = None

    def __call__(self, events: Iterable[Mapping[str, Any]]) -> int:
        """Send events and return how many, once all are acknowledged.

        Raises:
            RetryableError: One was not acknowledged; it may be all the same. The next call connects anew.
        """
        if self._way is None:
            self._way = KafkaWay(self._connection, timeout_s=self._within_s, linger_ms=_LINGER_MS)
        try:
            return announce(events, self._route, self._way)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give up what is still waiting: it belongs to an act that was given up."""
        way, self._way = self._way, None
        if way is not None:
            way.abandon()


class LateAnnouncer:
    """As `Announcer`, for a process that may start before the registry: it is asked by the first call.

    Args:
        settings: Where Kafka and the registry are.
        within_s: How long an event may wait for its acknowledgement.
    """

    def __init__(self, settings: Settings, *, within_s: float) -> None:
        self._settings = settings
        self._within_s = within_s
        self._found: Announcer | None = None

    def __call__(self, events: Iterable[Mapping[str, Any]]) -> int:
        """Send events and return how many, once all are acknowledged; not in an event loop.

        Raises:
            RetryableError: One was not acknowledged, or the registry does not answer.
            ConfigError: The registry does not take the packaged schema.
        """
        if self._found is None:
            route = asyncio.run(find_route(self._settings.registry, self._settings.kafka.events_topic))
            connection = librdkafka_settings(self._settings.kafka)
            self._found = Announcer(route, connection, within_s=self._within_s)
        return self._found(events)

    def close(self) -> None:
        """Give up what is still waiting."""
        if self._found is not None:
            self._found.close()


@contextmanager
def announcer(settings: Settings, *, within_s: float) -> Iterator[Announcer]:
    """Lend what announces; the registry is asked first.

    Args:
        settings: Where Kafka and the registry are.
        within_s: How long an event may wait for its acknowledgement.

    Raises:
        RetryableError: The registry does not answer; from a call, an event was not acknowledged.
        ConfigError: The registry does not take the packaged schema.
    """
    route = asyncio.run(find_route(settings.registry, settings.kafka.events_topic))
    lent = Announcer(route, librdkafka_settings(settings.kafka), within_s=within_s)
    try:
        yield lent
    finally:
        lent.close()
