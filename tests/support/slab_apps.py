"""Faust applications with batch topics inside a test's own loop, and what their agents received."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import faust
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from auditstream.core.ports import Slab
from streams.transport.app import BatchApp
from tests.support.brokers import Broker

COMMIT_S = 0.2


class Received:
    """What an agent received, in the order of arrival."""

    def __init__(self) -> None:
        self.slabs: list[Slab] = []

    def take(self, slab: Slab) -> None:
        self.slabs.append(slab)

    def of(self, partition: int) -> list[Slab]:
        """Return the slabs of one partition."""
        return [slab for slab in self.slabs if slab.partition == partition]

    def records(self, partition: int) -> list[tuple[int, bytes | None]]:
        """Return offset and value of one partition's records."""
        return [
            record for slab in self.of(partition) for record in zip(slab.offsets, slab.values, strict=True)
        ]

    @property
    def count(self) -> int:
        """How many records there are."""
        return sum(len(slab.values) for slab in self.slabs)

    def covered_to(self, partition: int) -> int:
        """Return the offset after the last one covered, once it is sure that slabs follow one another."""
        slabs = self.of(partition)
        for before, after in itertools.pairwise(slabs):
            assert after.first_offset == before.next_offset, f"{before} is followed by {after}"
        return slabs[-1].next_offset if slabs else 0


def batch_app(broker: Broker, group: str, folder: Path, *topics: str) -> BatchApp:
    """Return an application whose `topics` deliver slabs."""
    return BatchApp(
        group,
        batch_topics=topics,
        broker=[f"kafka://{address}" for address in broker.bootstrap.split(",")],
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=COMMIT_S,
        stream_wait_empty=False,
        stream_buffer_maxsize=64,
        store="memory://",
        datadir=str(folder),
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        web_enabled=False,
    )


def collect(app: BatchApp, *topics: str) -> Received:
    """Give the application an agent that keeps what it receives."""
    received = Received()

    @app.agent(app.slab_topic(*topics), name="collect")
    async def agent(stream: Any) -> None:
        async for event in stream.events():
            received.take(event.value)

    return received


@asynccontextmanager
async def running(app: faust.App) -> AsyncIterator[None]:
    """Run an application in the present loop; what made it crash is raised."""
    app.conf.datadir.mkdir(parents=True, exist_ok=True)
    await asyncio.wait_for(app.start(), 30)
    try:
        yield
    finally:
        await asyncio.wait_for(app.stop(), 30)
    if app.crash_reason is not None:
        raise app.crash_reason


async def committed(broker: Broker, group: str, topic: str, partition: int = 0) -> tuple[int, str] | None:
    """Return committed offset and metadata.

    Not by librdkafka (2.16): it does not end metadata with a zero byte, and reads beyond their end.
    """
    client = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await client.start()
    try:
        found = await client.list_consumer_group_offsets(group)
    finally:
        await client.close()
    each = found.get(TopicPartition(topic, partition))
    return None if each is None or each.offset < 0 else (each.offset, each.metadata)


async def until(
    done: Callable[[], object | Awaitable[object]], what: str, *, timeout_s: float = 20.0
) -> None:
    """Wait until something is so.

    Raises:
        TimeoutError: It did not become so in time.
    """
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not await _value(done()):
        if asyncio.get_running_loop().time() > deadline:
            raise TimeoutError(f"not within {timeout_s} s: {what}")
        await asyncio.sleep(0.02)


async def _value(answer: object | Awaitable[object]) -> object:
    return await answer if isinstance(answer, Awaitable) else answer
