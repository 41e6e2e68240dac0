"""Faust's consumer thread, fetching slabs and committing lane states."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import aiokafka
from aiokafka.errors import ConsumerStoppedError, KafkaConnectionError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from auditstream.core.logs import get_logger
from streams.lane_services import Fenced
from streams.transport import private_names
from streams.transport.commits import LaneCommits, membership_of
from streams.transport.fetch import drain_fetched
from streams.transport.record_batches import keep_bytes

if TYPE_CHECKING:
    from streams.transport.consumer import BatchConsumer

log = get_logger(__name__)

T = TypeVar("T")


class BatchConsumerThread(driver.AIOKafkaConsumerThread):
    """Runs in its own thread and loop: fetches, heartbeats, commits."""

    consumer: BatchConsumer

    def __post_init__(self) -> None:
        """Check the private names this class relies on."""
        super().__post_init__()
        private_names.require(private_names.NAMES)
        keep_bytes()
        self.commits = LaneCommits(self._ensure_consumer)

    async def on_start(self) -> None:
        """Start the consumer.

        Raises:
            KafkaConnectionError: The broker is in the middle of its own start and names no brokers. A
                consumer that begins so has nobody to ask once that connection ends, and waits for ever.
        """
        await super().on_start()
        if not self._ensure_consumer()._client.cluster.brokers():
            raise KafkaConnectionError("the broker that answers names no brokers yet")

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        """Return the consumer with the fetch settings that Faust hides."""
        consumer = super()._create_worker_consumer(transport)
        tuning = self.consumer.tuning
        fetcher_settings = {
            "_fetch_max_wait_ms": tuning.fetch_max_wait_ms,
            "_fetch_min_bytes": tuning.fetch_min_bytes,
            "_fetch_max_bytes": tuning.fetch_max_bytes,
            # An aborted transaction's events never were.
            "_isolation_level": "read_committed",
        }
        for name, value in fetcher_settings.items():
            if not hasattr(consumer, name):
                log.warning("fetch_setting_unknown", name=name)
            setattr(consumer, name, value)
        return consumer

    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> dict[TP, list[Any]]:
        if not self.consumer.flow_active:
            return {}
        fetcher = consumer._fetcher
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError
        topics = self.consumer.batch_topics
        with fetcher._subscriptions.fetch_context():
            drained = await drain_fetched(
                fetcher, topics, active_partitions, wait_s=timeout or 0.0, max_records=max_records
            )
        membership = membership_of(consumer._coordinator)
        for tp, fetched in drained.items():
            if tp.topic in topics:
                for slab in fetched:
                    slab.membership = membership
        return drained

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit for Faust's timer and its stop: lanes by their state, the rest by their acks.

        This is the one place of the consumer's ordinary commits where Faust would write empty metadata, and
        with it wipe an open plan.
        """
        lanes = [lane for tp in offsets if (lane := self.consumer.lane_of(tp)) is not None]
        outcomes = await asyncio.gather(*map(self.commits.commit, lanes), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, Fenced):
                raise outcome
        assigned = self.assignment()
        others = {
            tp: offset for tp, offset in offsets.items() if not self.consumer.has_lanes(tp) and tp in assigned
        }
        return await super()._commit(others) if others else not any(outcomes)

    async def run_here(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on this thread's loop.

        Not Faust's `call_thread`: its two workers are shared with the fetch, which may wait a second.

        Raises:
            Fenced: The thread has ended; so has its membership of the group.
        """
        if self.thread_loop.is_closed():
            work.close()
            raise Fenced("the consumer thread has ended")
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.thread_loop))
