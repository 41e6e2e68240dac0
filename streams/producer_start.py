"""The start of a producer, which is bounded, and the pace of its questions: aiokafka's own are not."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError, ProducerClosed

# A producer that met a broker in the middle of that broker's start was told of no brokers at all; when its
# connection then ends it has nobody left to ask, and waits for its id for ever. Another one finds the way.
_START_S = 15.0
_STOP_S = 5.0

_QUESTION_S = 0.1
"""Least time between two questions for metadata: aiokafka's own pause between attempts."""


async def started(producer: AIOKafkaProducer) -> AIOKafkaProducer:
    """Start a producer and return it; one that cannot be started is closed.

    Raises:
        KafkaError: No broker answers, or none gives an id in time. The next one may do better.
    """
    try:
        async with asyncio.timeout(_START_S):
            await producer.start()
    except TimeoutError:
        await stopped(producer)
        raise KafkaConnectionError(f"no producer id within {_START_S:g} s") from None
    except BaseException:
        await stopped(producer)
        raise
    return producer


async def stopped(producer: AIOKafkaProducer) -> None:
    """Close a producer; what it still holds is given up after some seconds, and who waits is told so."""
    try:
        await asyncio.wait_for(producer.stop(), _STOP_S)
    except TimeoutError:
        await _given_up(producer)
    except (KafkaError, OSError):
        pass


async def _given_up(producer: Any) -> None:
    """Close a producer whose `stop` was left: its tasks and connections would go on for ever."""
    with suppress(KafkaError, OSError):
        await producer.client.close()
    with suppress(Exception):  # of requests that were under way
        await asyncio.wait_for(producer._sender.close(), _STOP_S)
    held = producer._message_accumulator
    # A batch that was to be tried again is in neither place that its callback looks into.
    held._pending_batches.update(batch for batches in held._batches.values() for batch in batches)
    for batch in held._pending_batches:
        if not batch.future.done():
            batch.future.set_exception(ProducerClosed())
            batch.future.exception()  # it may be that nobody waits any more


def paced(producer: AIOKafkaProducer) -> AIOKafkaProducer:
    """Let a producer ask for metadata no more often than it tries other things again; return it.

    While a partition has no leader, as when its broker stops or starts, aiokafka's sender asks as fast as it
    is answered or refused, and keeps a processor busy with it.
    """
    client: Any = producer.client
    ask = client._metadata_update
    asked_s = float("-inf")

    async def ask_at_a_pace(cluster: Any, topics: Any) -> bool:
        nonlocal asked_s
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, asked_s + _QUESTION_S - loop.time()))
        asked_s = loop.time()
        is_updated: bool = await ask(cluster, topics)
        return is_updated

    client._metadata_update = ask_at_a_pace
    return producer
