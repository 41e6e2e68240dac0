"""The start of a producer, which is bounded: aiokafka's own is not."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError

# A producer that met a broker in the middle of that broker's start was told of no brokers at all; when its
# connection then ends it has nobody left to ask, and waits for its id for ever. Another one finds the way.
_START_S = 15.0
_STOP_S = 5.0


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
    """Close a producer; what it still holds is given up after some seconds."""
    with suppress(KafkaError, OSError, TimeoutError):
        await asyncio.wait_for(producer.stop(), _STOP_S)
