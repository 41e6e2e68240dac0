"""What a producer knows of Kafka, by what is acknowledged and when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from auditstream.core.errors import RetryableError
from auditstream.core.ports import Outbound, Placed
from auditstream.gateway.batch_queue import BatchQueue
from streams.event_producer import EventProducer


class Batch:
    """What is to be sent."""

    def __init__(self) -> None:
        self.values: list[bytes] = []

    def append(self, *, timestamp: int | None, key: bytes, value: bytes, headers: Sequence[object]) -> None:
        self.values.append(value)

    def close(self) -> None: ...

    def record_count(self) -> int:
        return len(self.values)


class HeldKafka:
    """A producer whose batches wait until the test acknowledges them."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[asyncio.Future[Any]] = asyncio.Queue()

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def create_batch(self) -> Batch:
        return Batch()

    async def partitions_for(self, topic: str) -> set[int]:
        return {0}

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> asyncio.Future[Any]:
        acknowledged: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.sent.put_nowait(acknowledged)
        return acknowledged


MESSAGE = Outbound("t", b"acme|c", b"value")
PLACE = SimpleNamespace(offset=7)


async def connected(kafka: HeldKafka) -> EventProducer:
    made = EventProducer(lambda: kafka_of(kafka), topics=["t"], most_bytes=1 << 20)
    made.start()
    sending = asyncio.create_task(made.send([MESSAGE], within_s=30))
    (await kafka.sent.get()).set_result(PLACE)
    assert await sending == [Placed("t", 0, 7)]
    assert made.is_connected
    return made


def kafka_of(kafka: HeldKafka) -> AIOKafkaProducer:
    found: Any = kafka
    return found


async def test_an_acknowledgement_at_the_moment_of_the_deadline_leaves_kafka_known() -> None:
    kafka = HeldKafka()
    sender = await connected(kafka)
    loop = asyncio.get_running_loop()
    until_s = loop.time() + 0.05
    sending = asyncio.create_task(sender.send([MESSAGE], within_s=0.05))
    acknowledged = await kafka.sent.get()
    while loop.time() < until_s:  # so that both are due in the same turn of the loop
        pass
    acknowledged.set_result(PLACE)
    await asyncio.wait([sending])

    assert sender.is_connected
    await sender.stop(within_s=5)


async def test_what_is_queued_is_handed_over_once_however_late_it_is_acknowledged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("auditstream.gateway.batch_queue._PAUSE_S", 0)
    kafka = HeldKafka()
    sender = await connected(kafka)
    queue = BatchQueue(sender, most_bytes=1 << 20, within_s=0.01)
    queue.start()
    queue.put([MESSAGE] * 3)
    late = await kafka.sent.get()
    held_bytes = sender.waiting_bytes
    while sender.is_connected:
        await asyncio.sleep(0)
    for _ in range(20):  # turns in which it would be handed over again
        await asyncio.sleep(0)
    assert sender.waiting_bytes == held_bytes
    late.set_result(PLACE)

    assert await queue.stop(within_s=30) == {}
    assert (sender.is_connected, sender.waiting_bytes) == (True, 0)
    await sender.stop(within_s=5)


async def test_what_is_overdue_shows_that_kafka_is_away_until_it_is_acknowledged() -> None:
    kafka = HeldKafka()
    sender = await connected(kafka)

    with pytest.raises(RetryableError, match="did not acknowledge"):
        await sender.send([MESSAGE], within_s=0.01)
    away = sender.is_connected
    (await kafka.sent.get()).set_result(PLACE)
    await sender.stop(within_s=5)

    assert not away
    assert sender.waiting_bytes == 0


async def test_what_a_topic_never_takes_does_not_keep_its_partition() -> None:
    kafka = HeldKafka()
    sender = await connected(kafka)
    refused = asyncio.create_task(sender.send([MESSAGE], within_s=30))
    (await kafka.sent.get()).set_exception(MessageSizeTooLargeError())
    with pytest.raises(RetryableError):
        await refused
    sending = asyncio.create_task(sender.send([MESSAGE], within_s=30))
    (await kafka.sent.get()).set_result(PLACE)

    assert await sending == [Placed("t", 0, 7)]
    await sender.stop(within_s=5)


async def test_kafka_is_not_away_for_ever_when_what_was_overdue_is_given_up() -> None:
    kafka = HeldKafka()
    sender = await connected(kafka)

    with pytest.raises(RetryableError):
        await sender.send([MESSAGE], within_s=0.01)
    (await kafka.sent.get()).set_exception(ValueError("a fault of ours"))
    while sender.waiting_bytes:
        await asyncio.sleep(0)

    assert sender.is_connected
    await sender.stop(within_s=5)
