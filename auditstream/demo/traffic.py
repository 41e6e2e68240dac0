"""The day's events on their way in, each service's by the door that it uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from auditstream.demo.batches import CloudEventBatches, EventLines, SpanBatches
from auditstream.demo.bypass import Bypass
from auditstream.demo.sdk_service import SdkService
from auditstream.demo.sendings import Sending, Way
from auditstream.emit.kafka_way import KafkaWay
from auditstream.emit.message import Route

_SHOW_EVERY = 500


class Sender(Protocol):
    """Takes what one service sends by one way."""

    @property
    def acknowledged(self) -> int:
        """How much of it all in-sync replicas have."""
        ...

    def send(self, sending: Sending) -> None:
        """Hand one over; waits while enough are on their way.

        Raises:
            RetryableError: The other side does not answer, or one was not accepted.
        """
        ...

    def finish(self) -> None:
        """Return once everything is acknowledged; raises as `send`."""
        ...

    def abandon(self) -> None:
        """Let go of everything at once."""
        ...


class Traffic:
    """Sends a day; what it did not finish is given up when its block ends.

    Args:
        gateway_url: Address of the gateway.
        keys: Keys of the services, by credential.
        spool: Folder for what the SDK has not sent yet.
        connection: librdkafka's settings that reach the brokers.
        route: Topic and schema of events.
    """

    def __init__(
        self,
        *,
        gateway_url: str,
        keys: Mapping[str, str],
        spool: Path,
        connection: Mapping[str, object],
        route: Route,
    ) -> None:
        self._keys = keys
        self._senders: dict[tuple[Way, str, str], Sender] = {}
        self._makers: dict[Way, Callable[[Sending], Sender]] = {
            "sdk": lambda first: SdkService(gateway_url, self._key(first), first.draft, spool),
            "ndjson": lambda first: EventLines(gateway_url, self._key(first)),
            "cloudevents": lambda first: CloudEventBatches(gateway_url, self._key(first)),
            "traces": lambda first: SpanBatches(gateway_url, self._key(first)),
            "kafka": lambda _: Bypass(KafkaWay(connection), route),
        }

    @property
    def acknowledged(self) -> int:
        """How many of the sendings all in-sync replicas have."""
        return sum(sender.acknowledged for sender in self._senders.values())

    def send(self, sendings: Iterable[Sending]) -> Iterator[int]:
        """Send a day; yield now and then how many were handed over, so that a caller may show or slow it.

        Raises:
            RetryableError: The other side does not answer, or one was not accepted.
        """
        number = 0
        for number, sending in enumerate(sendings, start=1):
            self._sender(sending).send(sending)
            if number % _SHOW_EVERY == 0:
                yield number
        for sender in self._senders.values():
            sender.finish()
        yield number

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as ending:  # all of them, even when one cannot end
            for sender in self._senders.values():
                ending.callback(sender.abandon)

    def _sender(self, sending: Sending) -> Sender:
        way, draft = sending.way, sending.draft
        # Every instance of a service is a process of its own: its SDK has its own queue and numbers.
        instance = draft["source_instance"] if way == "sdk" else ""
        place = (way, "" if way == "kafka" else draft["source"], instance)
        sender = self._senders.get(place)
        if sender is None:
            sender = self._senders[place] = self._makers[way](sending)
        return sender

    def _key(self, sending: Sending) -> str:
        return self._keys[sending.draft["credential_id"]]
