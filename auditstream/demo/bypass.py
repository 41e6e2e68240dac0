"""Past the gateway: producers from before it, which write to the topic by themselves, and badly.

What nobody checks on its way in is found here: values that are no events, and a credential that is in no
reference data.
"""

from __future__ import annotations

from msgspec import structs

from auditstream.demo.sendings import Sending
from auditstream.emit.kafka_way import KafkaWay
from auditstream.emit.message import Route, message_of
from schemas.intake import datum_of


class Bypass:
    """Writes messages to Kafka.

    Args:
        way: The way there.
        route: Topic and schema of events.
    """

    def __init__(self, way: KafkaWay, route: Route) -> None:
        self._way = way
        self._route = route

    @property
    def acknowledged(self) -> int:
        """Messages that all in-sync replicas have."""
        return self._way.acknowledged

    def send(self, sending: Sending) -> None:
        """Hand a message over."""
        message = message_of(datum_of(sending.draft, "audit_event"), self._route)
        if sending.spoil is not None:
            message = structs.replace(message, value=sending.spoil(message.value or b""))
        self._way.send(message)

    def finish(self) -> None:
        """Return once every message is acknowledged."""
        self._way.finish()

    def abandon(self) -> None:
        """Drop what is not acknowledged."""
        self._way.abandon()
