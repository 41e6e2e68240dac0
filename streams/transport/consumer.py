"""Faust's consumer for topics whose agents receive slabs."""

from __future__ import annotations

import asyncio
import collections
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from aiokafka import TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from auditstream.core.ports import Slab
from streams.lane import Lane
from streams.transport.consumer_thread import BatchConsumerThread

if TYPE_CHECKING:
    from streams.transport.app import BatchApp


@dataclass(frozen=True, slots=True)
class FetchTuning:
    """How the consumer fetches.

    Attributes:
        fetch_max_wait_ms: How long the broker may hold a fetch back to fill it.
        fetch_min_bytes: How much it tries to gather meanwhile.
        fetch_max_bytes: Most bytes of one fetch over all partitions.
    """

    fetch_max_wait_ms: int = 250
    fetch_min_bytes: int = 1
    fetch_max_bytes: int = 64 * 1024 * 1024


class BatchConsumer(driver.Consumer):
    """Delivers one slab a fetch and partition, and commits the longest acknowledged prefix of slabs.

    Enough for agents that may see an event twice. `LaneConsumer` adds what exactly-once needs.
    """

    tuning = FetchTuning()
    _thread: BatchConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._in_flight: dict[TP, collections.deque[int]] = collections.defaultdict(collections.deque)
        self._activated = asyncio.Event()
        super().__init__(*args, **kwargs)

    @property
    def batch_topics(self) -> frozenset[str]:
        """Topics whose agents receive slabs."""
        return cast("BatchApp", self.app).batch_topics

    def lane_of(self, tp: TP) -> Lane | None:
        """Return the lane of a partition, or None where there is none."""
        return None

    def has_lanes(self, tp: TP) -> bool:
        """Whether the partition's commits are its lane's business."""
        return False

    def _new_consumer_thread(self) -> BatchConsumerThread:
        return BatchConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
        if not isinstance(record, Slab):
            return super()._to_message(tp, record)
        last_offset = record.next_offset - 1
        if not self.has_lanes(tp):
            self._in_flight[tp].append(last_offset)
        stamp_ms = record.timestamps_ms[-1] if record.timestamps_ms else 0
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last_offset,
            stamp_ms / 1000,
            0,  # timestamp type
            [],  # headers
            None,  # key
            cast("bytes", record),  # Faust's type says bytes; the slab goes through it untouched
            None,  # checksum
            0,  # serialized key size
            record.size_bytes,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Keep no intervals for batch topics: a slab's last offset always jumps."""
        if tp.topic not in self.batch_topics:
            await super()._add_gap(tp, offset_from, offset_to)

    def _new_offset(self, tp: TP) -> int | None:
        if tp.topic not in self.batch_topics:
            return super()._new_offset(tp)
        in_flight, acked = self._in_flight[tp], self._acked_index[tp]
        last = None
        while in_flight and in_flight[0] in acked:
            last = in_flight.popleft()
            acked.discard(last)
        self._acked[tp][:] = acked
        return None if last is None else last + 1

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget what was in flight, then let Faust stop the flow."""
        for tp in revoked:
            self._in_flight.pop(tp, None)
        await super().on_partitions_revoked(revoked)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Look whether a partition stands still, where that can be said.

        Faust asks aiokafka for a position, which asserts that there is one: a partition whose offset is out
        of range has none until it is begun anew, and that must not end the worker.
        """
        with suppress(AssertionError):
            super().verify_event_path(now, tp)

    def on_buffer_drop(self, tp: TP) -> None:
        """Fetch a partition again, at once."""
        super().on_buffer_drop(tp)
        self._activated.set()

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:
        """Wait for records; where every partition is full, until one is not.

        Faust would sleep a flat second there.
        """
        if self.flow_active and not self.app.client_only and not self._get_active_partitions():
            self._activated.clear()
            try:
                async with asyncio.timeout(timeout):
                    await self._activated.wait()
            except TimeoutError:
                return {}, set()
        return await super()._wait_next_records(timeout)


def as_aiokafka(tp: TP) -> TopicPartition:
    """Return aiokafka's form of a partition."""
    return TopicPartition(tp.topic, tp.partition)
