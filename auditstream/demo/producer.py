"""Sends messages to Kafka and keeps account of what the broker acknowledged, and where."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from auditstream.core.errors import RetryableError
from auditstream.core.settings import KafkaSettings
from auditstream.demo import messages as demo
from streams.kafka_security import librdkafka_settings

_DELIVERY_S = 30.0
_LAST_FLUSH_S = 5.0  # when the hour is broken off
_REPORT_EVERY = 500


@dataclass(slots=True)
class Sent:
    """What was acknowledged.

    Attributes:
        messages: Their number.
        sizes: Bytes of keys, values and headers by partition.
        ranges: First and last offset by partition; nobody else is assumed to write between them.
    """

    messages: int = 0
    sizes: Counter[int] = field(default_factory=Counter)
    ranges: dict[int, tuple[int, int]] = field(default_factory=dict)

    def add(self, partition: int, offset: int, size: int) -> None:
        """Count an acknowledged message."""
        self.messages += 1
        self.sizes[partition] += size
        first, last = self.ranges.get(partition, (offset, offset))
        self.ranges[partition] = (min(first, offset), max(last, offset))


class DemoProducer:
    """A producer with `acks=all`; waits for all acknowledgements when its block ends.

    Args:
        kafka: Where to send to.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self.sent = Sent()
        self._in_flight_bytes = 0
        self._topic = kafka.events_topic
        self._failure: KafkaError | None = None
        self._producer = Producer(
            {
                **librdkafka_settings(kafka),
                "acks": "all",
                "enable.idempotence": True,
                "compression.type": "zstd",
                "linger.ms": 20,
                "delivery.timeout.ms": int(_DELIVERY_S * 1_000),
                "log_level": 2,  # the broker may end before this does
            }
        )

    def send(self, messages: Iterable[demo.Message]) -> Iterator[int]:
        """Send messages; yield now and then how many were handed over, so that a caller may show or slow it.

        Raises:
            RetryableError: The broker did not acknowledge one in time.
        """
        number = 0
        try:
            for number, message in enumerate(messages, start=1):
                self._hand_over(message)
                if number % _REPORT_EVERY == 0:
                    self._producer.poll(0)
                    yield number
            self.flush()
            yield number
        finally:
            self._producer.purge()
            self._producer.flush(_LAST_FLUSH_S)

    def unread_bytes(self, read: Mapping[int, int]) -> int:
        """Return how many bytes the fullest partition has at most beyond what was read of each."""
        beyond = (size - read.get(partition, 0) for partition, size in self.sent.sizes.items())
        return max(beyond, default=0) + self._in_flight_bytes

    def flush(self) -> None:
        """Wait until everything handed over is acknowledged.

        Raises:
            RetryableError: The broker did not acknowledge all in time.
        """
        deadline = time.monotonic() + _DELIVERY_S
        while self._producer.flush(0.2) and time.monotonic() < deadline:
            pass  # in short pieces, so that Ctrl-C is heard
        if self._failure is not None:
            raise RetryableError(f"Kafka did not acknowledge a message: {self._failure.str()}")
        if len(self._producer):
            raise RetryableError(
                f"{len(self._producer)} messages were not acknowledged in {_DELIVERY_S:.0f} s"
            )

    def _hand_over(self, message: demo.Message) -> None:
        self._in_flight_bytes += message.size
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    key=message.key,
                    value=message.value,
                    headers=list(message.headers),
                    on_delivery=partial(self._delivered, message.size),
                )
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                raise RetryableError(f"Kafka does not take a message: {error.args[0].str()}") from error
            else:
                return

    def _delivered(self, size: int, error: KafkaError | None, message: Message) -> None:
        self._in_flight_bytes -= size
        if error is not None:
            self._failure = self._failure or error
            return
        partition, offset = message.partition(), message.offset()
        if partition is not None and offset is not None:
            self.sent.add(partition, offset, size)
