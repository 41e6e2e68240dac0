"""Telling of changes of reference data before they take effect, and refusing what cannot be told of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from auditstream.core.errors import RetryableError
from auditstream.core.settings import Settings
from auditstream.emit.config_changes import Applied, announce
from auditstream.emit.kafka_way import KafkaWay
from auditstream.emit.route_finder import find_route
from auditstream.reference.changes import Change
from streams.kafka_security import librdkafka_settings

ACKNOWLEDGED_WITHIN_S = 20.0
"""How long an event may wait for its acknowledgement; less than others wait for a revision to be settled."""

Announce = Callable[[Sequence[Change], Applied], object]
"""Tells of changes, and returns when everybody who must know does."""

Announcer = Callable[[], AbstractContextManager[Announce]]
"""Lends what tells of changes for the length of a block."""


@contextmanager
def announced(settings: Settings) -> Iterator[Announce]:
    """Lend what sends the events of changes; registry and Kafka are asked before the store is.

    Raises:
        RetryableError: One of them does not answer; says that nothing was changed, and the way around.
    """

    def send(changes: Sequence[Change], applied: Applied) -> None:
        with _nothing_changed():
            announce(changes, applied, route, way)

    with _nothing_changed():
        route = asyncio.run(find_route(settings.registry, settings.kafka.events_topic))
    way = KafkaWay(librdkafka_settings(settings.kafka), timeout_s=ACKNOWLEDGED_WITHIN_S)
    try:
        yield send
    finally:
        way.abandon()  # what is still waiting belongs to a revision that was given up


@contextmanager
def _nothing_changed() -> Iterator[None]:
    try:
        yield
    except RetryableError as error:
        hint = (
            "Changes take effect only when an event tells of them. Run it again when Kafka and the registry "
            "answer (`auditstream doctor`), or with --without-event."
        )
        raise RetryableError(f"nothing was changed: {error.message}", hint=hint) from error
