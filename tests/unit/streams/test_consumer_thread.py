"""The consumer's thread at its start."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import KafkaConnectionError
from aiokafka.structs import BrokerMetadata
from faust.transport.drivers import aiokafka as driver

from streams.transport.consumer_thread import BatchConsumerThread


async def start(monkeypatch: pytest.MonkeyPatch, cluster: ClusterMetadata) -> None:
    """Start a thread whose consumer was told of a cluster."""
    thread = BatchConsumerThread.__new__(BatchConsumerThread)

    async def started(self: BatchConsumerThread) -> None:
        self._consumer = SimpleNamespace(_client=SimpleNamespace(cluster=cluster))

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "on_start", started)
    await thread.on_start()


async def test_a_broker_that_names_no_brokers_yet_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KafkaConnectionError, match="names no brokers yet"):
        await start(monkeypatch, ClusterMetadata())


async def test_a_broker_that_names_itself_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = ClusterMetadata()
    cluster._brokers = {1: BrokerMetadata(1, "127.0.0.1", 9092, None)}
    await start(monkeypatch, cluster)
