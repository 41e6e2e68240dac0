"""Publishing after the insert: dead letters, usage deltas, findings."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from auditstream.core.logs import get_logger
from auditstream.core.metrics import Metrics
from auditstream.core.ports import Outbound
from streams.producer_start import started

log = get_logger(__name__)

_MAX_PAUSE_S = 5.0


class KafkaPublisher:
    """Publishes with acks from all in-sync replicas, and repeats until it has them.

    A repeat may publish a message twice: every message carries a deterministic key and id, by which readers
    drop repeats.
    """

    def __init__(self, new_producer: Callable[[], AIOKafkaProducer], metrics: Metrics) -> None:
        self._new_producer = new_producer
        self._metrics = metrics
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def publish(self, messages: list[Outbound]) -> None:
        """Return once every message is acknowledged; waits while the broker is away.

        Raises:
            KafkaError: The broker refuses a message for good.
        """
        pending, pause = messages, 0.1
        while pending:
            outcomes = await asyncio.gather(*map(self._send, pending), return_exceptions=True)
            failed = [(m, o) for m, o in zip(pending, outcomes, strict=True) if isinstance(o, BaseException)]
            for _, error in failed:
                if not (isinstance(error, KafkaError) and error.retriable):
                    raise error
            pending = [message for message, _ in failed]
            if pending:
                log.warning("publish_refused", messages=len(pending), error=repr(failed[0][1])[:300])
                await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311  jitter
                pause = min(_MAX_PAUSE_S, pause * 2)

    async def tell_all(self, messages: list[Outbound]) -> None:
        """Send messages to every partition of their topics, once: what is lost is followed by another one."""
        producer = await self._started()
        waiting: list[Any] = []
        for message in messages:
            for partition in await producer.partitions_for(message.topic):
                sent = await producer.send(
                    message.topic, message.value, key=message.key or None, partition=partition
                )
                waiting.append(sent)
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        if failed := [each for each in outcomes if isinstance(each, BaseException)]:
            log.warning("heartbeats_not_published", messages=len(failed), error=repr(failed[0])[:300])

    async def stop(self) -> None:
        """Send what is buffered and close the connection."""
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None

    async def _send(self, message: Outbound) -> None:
        producer = await self._started()
        acknowledged: Any = await producer.send(
            message.topic, message.value, key=message.key, headers=list(message.headers)
        )
        await acknowledged
        self._metrics.count("auditstream_published_messages_total", topic=message.topic)

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                self._producer = await started(self._new_producer())
            return self._producer
