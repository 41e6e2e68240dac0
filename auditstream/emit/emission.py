"""Sends a file's events and adds up what became of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from auditstream.core.ports import Outbound
from auditstream.emit.message import Route, message_of
from auditstream.emit.reading import Accepted, BadLineError, Reading, Refused


class Way(Protocol):
    """Where messages go."""

    acknowledged: int

    def send(self, message: Outbound) -> None:
        """Hand a message over.

        Raises:
            BadLineError: This message cannot be sent at all.
            RetryableError: Nobody takes messages.
        """
        ...

    def finish(self) -> None:
        """Return once every message is acknowledged.

        Raises:
            RetryableError: One was not.
        """
        ...


class Carrier(Protocol):
    """What carries events."""

    @property
    def acknowledged(self) -> int:
        """Events that were acknowledged."""
        ...

    @property
    def refused(self) -> int:
        """Events that were refused after they had been handed over."""
        ...

    def carry(self, event: Accepted) -> None:
        """Hand an event over.

        Raises:
            BadLineError: This event cannot be sent at all.
            RetryableError: Nobody takes events.
        """
        ...

    def finish(self) -> None:
        """Return once every event is acknowledged or refused.

        Raises:
            RetryableError: One was not.
        """
        ...


class MessageCarrier:
    """Carries events as messages.

    Args:
        route: Topic and schema.
        way: Where messages go.
    """

    def __init__(self, route: Route, way: Way) -> None:
        self._route = route
        self._way = way

    @property
    def acknowledged(self) -> int:
        """Messages that were acknowledged."""
        return self._way.acknowledged

    @property
    def refused(self) -> int:
        """Kafka refuses no event that was handed over."""
        return 0

    def carry(self, event: Accepted) -> None:
        """Hand an event's message over; raises as the way does."""
        self._way.send(message_of(event.datum, self._route))

    def finish(self) -> None:
        """Return once every message is acknowledged; raises as the way does."""
        self._way.finish()


@dataclass(slots=True)
class Tally:
    """What became of a file.

    Attributes:
        read: Lines that stood for an event.
        produced: Events that were acknowledged.
        refused: Lines that are no event.
        input_tokens: Tokens in of the events handed over.
        output_tokens: Tokens out of the events handed over.
        first_event_id: Id of the first event, empty when there was none.
        last_event_id: Id of the last event, empty when there was none.
        seconds: How long it took, acknowledgements included.
    """

    read: int = 0
    produced: int = 0
    refused: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    first_event_id: str = ""
    last_event_id: str = ""
    seconds: float = 0.0
    _began: float = field(default_factory=time.monotonic, repr=False)

    def add(self, event: Accepted) -> None:
        """Count an event that was handed over."""
        usage = event.datum.get("usage") or {}
        self.input_tokens += usage.get("input_tokens") or 0
        self.output_tokens += usage.get("output_tokens") or 0
        self.last_event_id = str(event.datum["event_id"])
        self.first_event_id = self.first_event_id or self.last_event_id

    def settle(self, carrier: Carrier) -> None:
        """Take over what was acknowledged and refused, and the time until now."""
        self.produced = carrier.acknowledged
        self.refused += carrier.refused
        self.seconds = time.monotonic() - self._began

    def summary(self) -> dict[str, Any]:
        """Return the figures as JSON data."""
        rate = self.produced / self.seconds if self.seconds else 0.0
        return {
            "read": self.read,
            "produced": self.produced,
            "refused": self.refused,
            "seconds": round(self.seconds, 3),
            "events_per_s": round(rate, 1),
            "first_event_id": self.first_event_id or None,
            "last_event_id": self.last_event_id or None,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
        }


def emit(
    readings: Iterable[Reading],
    carrier: Carrier,
    *,
    tally: Tally,
    on_refusal: Callable[[Refused], None],
    on_progress: Callable[[], None] = lambda: None,
) -> None:
    """Send every event, report every refusal, and return once all that was sent is acknowledged.

    Args:
        readings: What a format made of a file.
        carrier: What carries them.
        tally: Counts what happens; right also when this raises.
        on_refusal: Told of each line that is no event.
        on_progress: Called after each reading.

    Raises:
        RequestError: The file turned out not to be readable.
        RetryableError: An event was not acknowledged.
    """
    try:
        for reading in readings:
            tally.read += 1
            refused = reading if isinstance(reading, Refused) else _send(reading, carrier, tally)
            if refused is not None:
                tally.refused += 1
                on_refusal(refused)
            on_progress()
        carrier.finish()
    finally:
        tally.settle(carrier)


def _send(event: Accepted, carrier: Carrier, tally: Tally) -> Refused | None:
    try:
        carrier.carry(event)
    except BadLineError as bad:
        return Refused(event.line, bad.field, bad.reason)
    tally.add(event)
    return None
