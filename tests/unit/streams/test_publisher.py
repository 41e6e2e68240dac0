"""Publishing until every message is acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    MessageSizeTooLargeError,
    NotEnoughReplicasError,
    TopicAuthorizationFailedError,
)

from auditstream.core.metrics import Metrics
from auditstream.core.ports import Outbound
from streams.publisher import KafkaPublisher
from tests.support.virtual_time import VirtualTime

A, B, C = (
    Outbound("audit.dlq.v1", key, b"value of " + key, [("reason", b"x")]) for key in (b"a", b"b", b"c")
)


class Producer:
    """aiokafka's producer: an acknowledgement, or an error, for every message, by script.

    Attributes:
        errors: Errors to come for a key, before it is acknowledged.
        sent: Keys of the messages in the order of sending.
        acknowledged: Messages that the broker has.
    """

    def __init__(self) -> None:
        self.errors: dict[bytes, list[BaseException]] = {}
        self.at_send: dict[bytes, list[BaseException]] = {}
        self.sent: list[bytes] = []
        self.acknowledged: list[Outbound] = []
        self.starts = self.stops = 0
        self.fails_to_start = 0
        self.hangs_at_start = 0

    async def start(self) -> None:
        await asyncio.sleep(0.01)
        self.starts += 1
        if self.hangs_at_start:
            self.hangs_at_start -= 1
            await asyncio.Event().wait()
        if self.fails_to_start:
            self.fails_to_start -= 1
            raise KafkaConnectionError("no broker")

    async def stop(self) -> None:
        self.stops += 1

    async def send(
        self, topic: str, value: bytes | None, *, key: bytes, headers: Sequence[tuple[str, bytes]]
    ) -> asyncio.Future[None]:
        if self.at_send.get(key):
            raise self.at_send[key].pop(0)
        self.sent.append(key)
        acknowledgement = asyncio.get_running_loop().create_future()
        message = Outbound(topic, key, value, headers)
        asyncio.get_running_loop().call_later(0.02, self._answer, message, acknowledgement)
        return acknowledgement

    def _answer(self, message: Outbound, acknowledgement: asyncio.Future[None]) -> None:
        if self.errors.get(message.key):
            acknowledgement.set_exception(self.errors[message.key].pop(0))
        else:
            self.acknowledged.append(message)
            acknowledgement.set_result(None)


def publish(producer: Producer, *messages: Outbound, metrics: Metrics | None = None) -> float:
    """Publish, and return how long it took in virtual time."""
    time = VirtualTime()
    publisher = KafkaPublisher(lambda: producer, metrics or Metrics())  # type: ignore[arg-type,return-value]
    time.run(publisher.publish(list(messages)))
    return time.now


def test_messages_are_sent_as_they_are_and_in_order() -> None:
    producer = Producer()
    publish(producer, A, B, C)
    assert producer.sent == [b"a", b"b", b"c"]
    assert producer.acknowledged == [A, B, C]


def test_returns_only_when_everything_is_acknowledged() -> None:
    producer = Producer()
    assert publish(producer, A, B) >= 0.02
    assert len(producer.acknowledged) == 2


@pytest.mark.parametrize("stage", ["errors", "at_send"])
def test_only_what_was_refused_is_sent_again(stage: str) -> None:
    producer = Producer()
    setattr(producer, stage, {b"b": [NotEnoughReplicasError(), KafkaConnectionError("gone")]})
    publish(producer, A, B, C)
    assert sorted(message.key for message in producer.acknowledged) == [b"a", b"b", b"c"]
    assert producer.sent.count(b"a") == producer.sent.count(b"c") == 1


def test_goes_on_for_as_long_as_the_broker_is_away_without_hurry() -> None:
    producer = Producer()
    producer.errors = {b"a": [KafkaConnectionError("away")] * 50}
    took = publish(producer, A)
    assert producer.acknowledged == [A]
    assert 100 < took < 400  # pauses grow to some seconds, and no longer


@pytest.mark.parametrize("start", ["fails_to_start", "hangs_at_start"])
def test_a_broker_that_is_away_at_the_start_is_waited_for_with_a_new_producer(start: str) -> None:
    producer = Producer()
    setattr(producer, start, 2)
    publish(producer, A)
    assert producer.acknowledged == [A]
    assert (producer.starts, producer.stops) == (3, 2)


@pytest.mark.parametrize(
    "error", [MessageSizeTooLargeError(), TopicAuthorizationFailedError("t"), ValueError("bug")], ids=repr
)
def test_an_error_that_no_retry_mends_is_raised(error: Exception) -> None:
    assert not (isinstance(error, KafkaError) and error.retriable)
    producer = Producer()
    producer.errors = {b"b": [error]}
    with pytest.raises(type(error)) as raised:
        publish(producer, A, B, C)
    assert raised.value is error


def test_one_connection_serves_all_calls() -> None:
    producer, time = Producer(), VirtualTime()

    async def scenario() -> None:
        publisher = KafkaPublisher(lambda: producer, Metrics())  # type: ignore[arg-type,return-value]
        await asyncio.gather(publisher.publish([A]), publisher.publish([B]))
        await publisher.publish([C])
        await publisher.stop()
        await publisher.stop()

    time.run(scenario())
    assert (producer.starts, producer.stops) == (1, 1)


def test_nothing_to_publish_needs_no_connection() -> None:
    producer = Producer()
    publish(producer)
    assert producer.starts == 0


def test_what_is_acknowledged_is_counted_by_topic_once_however_often_it_was_sent() -> None:
    producer, metrics = Producer(), Metrics()
    producer.errors = {b"b": [NotEnoughReplicasError()]}
    usage = Outbound("audit.usage.v1", b"acme", b"delta")
    publish(producer, A, B, usage, metrics=metrics)
    counted = {
        topic: metrics.registry.get_sample_value("auditstream_published_messages_total", {"topic": topic})
        for topic in ("audit.dlq.v1", "audit.usage.v1", "audit.findings.v1")
    }
    assert counted == {"audit.dlq.v1": 2, "audit.usage.v1": 1, "audit.findings.v1": None}
