"""Producing for somebody who waits: to all in-sync replicas, in batches, bounded in memory and time.

Messages that come while a batch of their partition is on its way make the next batch; one batch a partition
is on its way at a time, so that order holds, and all of them leave at the same ticks. A broker that is away
is waited for: what was handed over stays until it is acknowledged, and a repeat by the idempotent producer
cannot double it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

from auditstream.core.errors import RetryableError
from auditstream.core.logs import get_logger
from auditstream.core.ports import MOST_MESSAGE_BYTES, Outbound, Placed
from auditstream.core.room import NoRoomError, Room
from auditstream.core.settings import KafkaSettings
from streams.java_partitioner import hashes_of
from streams.kafka_security import aiokafka_settings
from streams.producer_start import paced, started, stopped
from streams.ticks import Ticks

log = get_logger(__name__)

_PARCEL_BYTES = 512 * 1024
_BATCH_BYTES = MOST_MESSAGE_BYTES + _PARCEL_BYTES  # aiokafka's own limit: never the one that is reached
_REQUEST_MS = 10_000
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_NOWHERE = -1  # instead of an offset
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
"""What a topic says that takes less than `MOST_MESSAGE_BYTES`, as `doctor` tells of it."""

NewProducer = Callable[[], AIOKafkaProducer]
Place = tuple[str, int]
Told = Callable[[Sequence[int], Sequence[Placed] | RetryableError], None]


@dataclass(slots=True, eq=False)
class _Parcel:
    """Messages of one partition that travel as one batch.

    Attributes:
        waiters: Set to the offset of the first message; one for each time that somebody handed messages over.
        messages: The messages.
        size_bytes: What they take.
        is_closed: Whether it is on its way, and takes no more.
    """

    waiters: list[asyncio.Future[int]] = field(default_factory=list)
    messages: list[Outbound] = field(default_factory=list)
    size_bytes: int = 0
    is_closed: bool = False


@dataclass(slots=True, eq=False)
class _Share:
    """What one caller handed over at one time to one parcel.

    Attributes:
        topic: Its topic.
        partition: Its partition.
        base: Set to the offset of the first message of the parcel.
        first: Place in the parcel of the first message.
        indexes: The messages by their place among those of the caller, in the order of the parcel.
    """

    topic: str
    partition: int
    base: asyncio.Future[int]
    first: int
    indexes: list[int] = field(default_factory=list)

    def placed(self) -> list[Placed]:
        """Return where the messages are; nothing while they are not acknowledged."""
        base = self.base
        if not base.done() or base.cancelled() or base.result() == _NOWHERE:
            return []
        begin = base.result() + self.first
        topic, partition = self.topic, self.partition
        return [Placed(topic, partition, offset) for offset in range(begin, begin + len(self.indexes))]


class EventProducer:
    """Sends messages and says where they are; for one event loop.

    Args:
        new_producer: Makes an idempotent producer with `acks=all`.
        topics: Topics that are sent to.
        most_bytes: How many bytes may wait for their acknowledgement.
    """

    def __init__(self, new_producer: NewProducer, *, topics: Sequence[str], most_bytes: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._new_producer = new_producer
        self._topics = tuple(topics)
        self._room = Room(most_bytes)
        self._producer: AIOKafkaProducer | None = None
        self._partitions: dict[str, list[int]] = {}
        self._parcels: dict[Place, deque[_Parcel]] = {}
        self._senders: dict[Place, asyncio.Task[None]] = {}
        self._connecting: asyncio.Task[None] | None = None
        self._first_connected = asyncio.Event()
        self._is_overdue = False
        self._ticks = Ticks()

    @property
    def is_connected(self) -> bool:
        """Whether Kafka was reached, and nothing has shown since that it is away.

        What is overdue shows it only while something waits: else nothing that could be acknowledged would
        ever say that Kafka is back.
        """
        return self._producer is not None and not (self._is_overdue and self._room.taken_bytes)

    @property
    def waiting_bytes(self) -> int:
        """Bytes that wait for their acknowledgement."""
        return self._room.taken_bytes

    def start(self) -> None:
        """Connect in the background, for as long as it takes."""
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._connect(), name="kafka-connect")

    async def send(
        self, messages: Sequence[Outbound], *, within_s: float, patiently: bool = False
    ) -> list[Placed | None]:
        """Return where the messages are, in their order, once all in-sync replicas have them.

        Args:
            messages: What to send, each at most `MOST_MESSAGE_BYTES`; those of one key stay in order.
            within_s: How long it may take.
            patiently: Whether to wait on for what was handed over in time, as long as it takes: for who would
                only hand over the same again.

        Returns:
            None for a message that was not acknowledged in time. It may be recorded all the same.

        Raises:
            RetryableError: None was acknowledged in time, or Kafka takes none.
        """
        shares: list[_Share] = []
        count = 0
        until_s = self._loop.time() + within_s
        try:
            for few, sizes in self._portions(messages):
                size = sum(sizes)
                await self._room.take(size, within_s=until_s - self._loop.time())
                if not self._partitions:
                    await self._wait_for_partitions(size, until_s)
                shares += self._hand_over(few, sizes, count)
                count += len(few)
        except (TimeoutError, NoRoomError):
            self._is_overdue = True
        await self._acknowledged(shares, until_s, self._fall_due if patiently else self._give_up)
        found: list[Placed | None] = [None] * len(messages)
        for share in shares:
            for index, place in zip(share.indexes, share.placed(), strict=False):
                found[index] = place
        if messages and not any(found):
            raise _unacknowledged(within_s, is_handed_over=bool(shares))
        return found

    def send_now(self, messages: Sequence[Outbound], *, within_s: float, told: Told) -> bool:
        """Send messages if nothing has to be waited for first; return whether they are under way.

        Nobody waits for anybody else's partition: what is on one is told of as soon as Kafka has it.

        Args:
            messages: As for `send`.
            within_s: How long it may take.
            told: Called once for each partition, with the indexes of its messages and where they are, or
                with the error that `send` would raise.
        """
        sizes = self._charges(messages)
        size = sum(sizes)
        if not self._partitions or size > self._room.size_bytes // 2 or not self._room.take_now(size):
            return False
        shares = self._hand_over(messages, sizes, 0)
        waiting = len(shares)
        timer = self._loop.call_at(self._loop.time() + within_s, self._give_up, shares)

        def tell(share: _Share, _base: asyncio.Future[int]) -> None:
            nonlocal waiting
            waiting -= 1
            if not waiting:
                timer.cancel()
            told(share.indexes, share.placed() or _unacknowledged(within_s, is_handed_over=True))

        for share in shares:
            share.base.add_done_callback(partial(tell, share))
        return True

    async def _acknowledged(
        self, shares: Sequence[_Share], until_s: float, overdue: Callable[[Sequence[_Share]], None]
    ) -> None:
        """Return once all of the messages are acknowledged or given up; `overdue` is called at their time."""
        # A timer of the loop: `asyncio.timeout` would cost a request as much as the judging of its event.
        timer = self._loop.call_at(until_s, overdue, shares)
        try:
            for each in shares:
                if not each.base.done():
                    await each.base
        finally:
            timer.cancel()

    def _fall_due(self, shares: Sequence[_Share]) -> None:
        if not all(each.base.done() for each in shares):
            self._is_overdue = True  # until something is acknowledged

    def _give_up(self, shares: Sequence[_Share]) -> None:
        for each in shares:
            if not each.base.done():
                self._is_overdue = True  # until something is acknowledged
                each.base.set_result(_NOWHERE)

    async def stop(self, *, within_s: float) -> int:
        """Send what waits, close the connection, and return how many messages were not acknowledged."""
        senders = set(self._senders.values())
        if senders:
            await asyncio.wait(senders, timeout=within_s)
        for task in (*self._senders.values(), self._connecting):
            if task is not None and not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        await self._close()
        return sum(len(parcel.messages) for waiting in self._parcels.values() for parcel in waiting)

    def _portions(self, messages: Sequence[Outbound]) -> Iterator[tuple[Sequence[Outbound], list[int]]]:
        """Yield messages in portions that leave room for others, with the size of each."""
        sizes = self._charges(messages)
        begin, size = 0, 0
        for number, charge in enumerate(sizes):
            if size and size + charge > self._room.size_bytes // 2:
                yield messages[begin:number], sizes[begin:number]
                begin, size = number, 0
            size += charge
        if messages:
            yield messages[begin:], sizes[begin:]

    def _charges(self, messages: Sequence[Outbound]) -> list[int]:
        most = self._room.size_bytes
        return [size if (size := message.size_bytes) < most else most for message in messages]

    async def _wait_for_partitions(self, taken: int, until_s: float) -> None:
        """Wait for the first connection; give the room that is held back when it does not come."""
        try:
            async with asyncio.timeout_at(until_s):
                await self._first_connected.wait()
        except BaseException:
            self._room.give(taken)
            raise

    def _hand_over(self, messages: Sequence[Outbound], sizes: Sequence[int], begin: int) -> list[_Share]:
        """Put messages into parcels of their partitions; never waits, so that order holds.

        Args:
            messages: The messages.
            sizes: What each takes.
            begin: Index of the first of them among those of the caller.
        """
        self._ticks.count(len(messages), self._loop.time())
        # Java's partitioner, so that an event of any producer's finds its conversation's partition.
        hashes = hashes_of([message.key for message in messages])
        shares: list[_Share] = []
        open_ones: dict[Place, tuple[_Parcel, _Share]] = {}
        for index, (message, size, number) in enumerate(zip(messages, sizes, hashes, strict=True), begin):
            topic = message.topic
            partitions = self._partitions[topic]
            place = topic, partitions[number % len(partitions)]
            found = open_ones.get(place)
            if found is None or found[0].size_bytes + size > _PARCEL_BYTES:
                parcel = self._parcel(place, size)
                share = _Share(*place, self._loop.create_future(), len(parcel.messages))
                parcel.waiters.append(share.base)
                shares.append(share)
                open_ones[place] = parcel, share
            else:
                parcel, share = found
            parcel.size_bytes += size
            parcel.messages.append(message)
            share.indexes.append(index)
        return shares

    def _parcel(self, place: Place, size: int) -> _Parcel:
        """Return the parcel of a partition that takes so much more, with a sender under way."""
        parcels = self._parcels.get(place)
        if parcels is None:
            parcels = self._parcels[place] = deque()
        if not parcels or parcels[-1].is_closed or parcels[-1].size_bytes + size > _PARCEL_BYTES:
            parcels.append(_Parcel())
        if place not in self._senders:
            name = f"produce-{place[0]}-{place[1]}"
            self._senders[place] = self._loop.create_task(self._send_parcels(place), name=name)
        return parcels[-1]

    async def _send_parcels(self, place: Place) -> None:
        """Send the parcels of one partition, one after the other, until there are none."""
        parcels = self._parcels[place]
        try:
            while parcels:
                if parcels[0].size_bytes < _PARCEL_BYTES // 2:
                    # At the same moment as the other partitions: one request then carries them all.
                    await asyncio.sleep(self._ticks.wait_s(self._loop.time()))
                parcel = parcels[0]  # it stays there meanwhile, so that `stop` counts it
                parcel.is_closed = True
                try:
                    base = await self._send_parcel(place, parcel.messages)
                except Exception as error:  # noqa: BLE001  a fault of ours must not keep out who comes later
                    log.error("produce_broken", error=repr(error)[:300])  # noqa: TRY400
                    base = _NOWHERE
                for waiter in parcel.waiters:
                    if not waiter.done():
                        waiter.set_result(base)
                self._room.give(parcels.popleft().size_bytes)
        finally:
            del self._senders[place]

    async def _send_parcel(self, place: Place, messages: Sequence[Outbound]) -> int:
        """Return the offset of the first message once all are acknowledged; tries for as long as it takes.

        `_NOWHERE` is returned of what the topic never takes.
        """
        topic, partition = place
        pause_s = _FIRST_PAUSE_S
        while True:
            producer = await self._a_producer()
            batch = producer.create_batch()
            for message in messages:
                batch.append(
                    timestamp=None, key=message.key, value=message.value, headers=list(message.headers)
                )
            batch.close()
            assert batch.record_count() == len(messages)
            try:
                acknowledged: Any = await (await producer.send_batch(batch, topic, partition=partition))
                self._partitions[topic] = sorted(await producer.partitions_for(topic))
            except KafkaError as error:
                # Broken for good, as a sequence that the broker does not know: a new producer begins a new
                # one.
                log.warning("produce_failed", error=repr(error)[:300], topic=topic, partition=partition)
                await self._replace(producer)
                if isinstance(error, _TOO_LARGE):
                    # It will be at every attempt, and would keep its partition to itself for ever.
                    return _NOWHERE
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            self._is_overdue = False
            return int(acknowledged.offset)

    async def _a_producer(self) -> AIOKafkaProducer:
        while self._producer is None:
            self.start()
            assert self._connecting is not None
            await asyncio.shield(self._connecting)
        return self._producer

    async def _replace(self, producer: AIOKafkaProducer) -> None:
        if self._producer is producer:
            await self._close()

    async def _close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await stopped(producer)

    async def _connect(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                producer = await started(self._new_producer())
                await self._learn_partitions(producer)
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("kafka_away", error=repr(error)[:300], again_in_s=pause_s)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            self._producer = producer
            self._first_connected.set()
            log.info("kafka_connected", topics=list(self._topics))
            return

    async def _learn_partitions(self, producer: AIOKafkaProducer) -> None:
        try:
            for topic in self._topics:
                self._partitions[topic] = sorted(await producer.partitions_for(topic))
        except BaseException:
            await stopped(producer)
            raise


def new_event_producer(settings: KafkaSettings, *, topics: Sequence[str], most_bytes: int) -> EventProducer:
    """Return a producer for the settings; call it in the event loop, and `start` it."""

    def new_producer() -> AIOKafkaProducer:
        return paced(
            AIOKafkaProducer(
                **aiokafka_settings(settings),
                acks="all",
                enable_idempotence=True,
                compression_type="zstd",
                max_batch_size=_BATCH_BYTES,
                request_timeout_ms=_REQUEST_MS,
                metadata_max_age_ms=60_000,
            )
        )

    return EventProducer(new_producer, topics=topics, most_bytes=most_bytes)


def _unacknowledged(within_s: float, *, is_handed_over: bool) -> RetryableError:
    what = "did not acknowledge" if is_handed_over else "takes nothing"
    return RetryableError(
        f"Kafka {what} within {within_s:g} s",
        hint="Send the same events again: an event that arrives twice is one event.",
    )
