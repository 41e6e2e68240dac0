"""A producer that remembers what Kafka acknowledged, so that a test can say what must be in the store."""

from __future__ import annotations

import random
import struct
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from auditstream.core.ids import uuid7
from tests.support.patience import patient

_TICK_S = 0.01  # how often the producer catches up with its rate
_JOIN_S = 10.0

Encode = Callable[[uuid.UUID, int], bytes]
"""Makes the value of one event from its id and its running number."""

Place = tuple[int, int]
"""Partition and offset of one record."""


def plain(event_id: uuid.UUID, number: int) -> bytes:
    """Return 48 bytes: the id as it is printed (16), the number (8, big-endian), zeros."""
    return struct.pack(">16sQ24x", event_id.bytes, number)


class Journal:
    """Produces events at a steady rate on a thread of its own and keeps the book of acknowledgements.

    Producing is idempotent with acks=all: an acknowledged event is in the log once. An event whose fate Kafka
    did not tell is `uncertain`: it may be in the log or not.
    """

    def __init__(
        self,
        brokers: str,
        topic: str,
        *,
        partitions: int,
        rate_per_s: float,
        encode: Encode = plain,
        seed: int = 0,
        repeat_share: float = 0.0,
        limit: int | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Prepare; nothing is sent before `start`.

        Args:
            brokers: Comma-separated host:port pairs.
            topic: Topic that exists, with at least `partitions` partitions.
            partitions: Events go to partitions 0 to `partitions - 1` at random.
            rate_per_s: Events a second; after a pause of the broker it catches up.
            encode: Makes values; two calls with equal arguments must give equal bytes.
            seed: Makes ids, partitions and repeats reproducible.
            repeat_share: Share of the records that repeat an earlier event in the event's own partition, as
                a source that retries would.
            limit: Send no more than so many records.
            settings: More of librdkafka's settings.
        """
        self._topic = topic
        self._partitions = partitions
        self._rate_per_s = rate_per_s
        self._encode = encode
        self._chance = random.Random(seed)
        self._repeat_share = repeat_share
        self._limit = limit
        self._producer = Producer(
            {
                "bootstrap.servers": brokers,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 5,
                "log_level": 2,  # a broker that is stopped is part of the tests
                "partitioner": "consistent_random",
                **(settings or {}),
            }
        )
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._stopping = threading.Event()
        self._news = threading.Condition()
        self._failure: BaseException | None = None
        self._sent: list[tuple[uuid.UUID, int]] = []
        self._acknowledged: dict[uuid.UUID, list[Place]] = {}
        self._unsettled: dict[uuid.UUID, int] = {}
        self._uncertain: set[uuid.UUID] = set()
        self._records = 0
        self._acknowledgements = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(_JOIN_S)
        self._producer.purge()
        self._producer.flush(_JOIN_S)

    def start(self) -> None:
        """Begin to produce."""
        self._thread.start()

    def stop(self, within_s: float = 30.0) -> None:
        """Produce nothing more and wait until Kafka has acknowledged everything that was sent.

        Raises:
            TimeoutError: Some records are still unacknowledged; their events are uncertain.
        """
        self._stopping.set()
        self._thread.join(_JOIN_S)
        self._raise_failure()
        within_s = patient(within_s)
        left = self._producer.flush(within_s)
        if left:
            raise TimeoutError(f"{left} records were not acknowledged in {within_s} s")

    @property
    def topic(self) -> str:
        """Topic that is produced to."""
        return self._topic

    @property
    def records(self) -> int:
        """How many records were sent, repeats counted."""
        return self._records

    @property
    def acknowledgements(self) -> int:
        """How many records Kafka acknowledged, repeats counted."""
        return self._acknowledgements

    @property
    def acknowledged(self) -> dict[uuid.UUID, list[Place]]:
        """Where each acknowledged event is, once for each time that it was sent."""
        with self._news:
            return {event_id: list(places) for event_id, places in self._acknowledged.items()}

    @property
    def uncertain(self) -> set[uuid.UUID]:
        """Events with at least one record whose fate is unknown."""
        with self._news:
            return self._uncertain | {event_id for event_id, count in self._unsettled.items() if count}

    def await_acknowledgements(self, count: int, *, within_s: float) -> None:
        """Wait until Kafka has acknowledged `count` records since the start.

        Raises:
            TimeoutError: It has not, in time.
        """
        within_s = patient(within_s)
        with self._news:
            if self._news.wait_for(lambda: self._acknowledgements >= count or self._failure, within_s):
                self._raise_failure()
                return
        raise TimeoutError(f"{self._acknowledgements} of {count} records acknowledged in {within_s} s")

    def _run(self) -> None:
        try:
            self._produce_at_rate()
        except BaseException as error:
            with self._news:
                self._failure = error
                self._news.notify_all()

    def _produce_at_rate(self) -> None:
        started_s = time.monotonic()
        while not self._stopping.is_set():
            due = int((time.monotonic() - started_s) * self._rate_per_s)
            if self._limit is not None:
                due = min(due, self._limit)
            while self._records < due and not self._stopping.is_set():
                self._send()
            self._producer.poll(_TICK_S)

    def _send(self) -> None:
        if self._sent and self._chance.random() < self._repeat_share:
            number = self._chance.randrange(len(self._sent))
        else:
            number = len(self._sent)
            partition = self._chance.randrange(self._partitions)
            self._sent.append((uuid7(random=self._chance.randbytes(10)), partition))
        event_id, partition = self._sent[number]
        with self._news:
            self._unsettled[event_id] = self._unsettled.get(event_id, 0) + 1
        self._hand_over(event_id, partition, self._encode(event_id, number))
        self._records += 1

    def _hand_over(self, event_id: uuid.UUID, partition: int, value: bytes) -> None:
        def settled(error: KafkaError | None, message: Message) -> None:
            self._settle(event_id, error, message)

        while True:
            try:
                self._producer.produce(self._topic, value, partition=partition, on_delivery=settled)
                return
            except BufferError:  # the broker is behind; what is due now is caught up later
                self._producer.poll(_TICK_S)

    def _settle(self, event_id: uuid.UUID, error: KafkaError | None, message: Message) -> None:
        with self._news:
            self._unsettled[event_id] -= 1
            partition, offset = message.partition(), message.offset()
            if error is not None or partition is None or offset is None:
                self._uncertain.add(event_id)
            else:
                self._acknowledged.setdefault(event_id, []).append((partition, offset))
                self._acknowledgements += 1
            self._news.notify_all()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise KafkaException(f"the journal's thread ended: {self._failure!r}") from self._failure
