"""Streams of other packages, watched as they pass: the caller gets the package's own object.

The clients of OpenAI and Anthropic are made by one generator, and their streams take their pieces from
`_iterator`. That is what is replaced, so type, context manager and attributes stay as they are.
"""

from __future__ import annotations

import asyncio
import inspect
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from auditstream_sdk.integrations.observation import Observation


class WatchedIterator(Iterator[Any]):
    """Passes pieces on; the recording ends with the last one, with an error, or when nobody reads on.

    Args:
        pieces: The stream's own iterator.
        observation: Is told of each piece.
    """

    def __init__(self, pieces: Iterator[Any], observation: Observation) -> None:
        self._pieces = pieces
        self._observation = observation

    def __next__(self) -> Any:
        try:
            piece = next(self._pieces)
        except StopIteration:
            self._observation.end()
            raise
        except BaseException as error:
            self._observation.end(error, exhausted=False)
            raise
        self._observation.piece(piece)
        return piece

    def close(self) -> None:
        """Close the stream's own iterator: whoever closes it reads no further."""
        close = getattr(self._pieces, "close", None)
        try:
            if close is not None:
                close()
        finally:
            self._observation.end(exhausted=False)

    def __del__(self) -> None:
        self._observation.abandon()


class WatchedAsyncIterator(AsyncIterator[Any]):
    """The same for a stream that is awaited."""

    def __init__(self, pieces: AsyncIterator[Any], observation: Observation) -> None:
        self._pieces = pieces
        self._observation = observation

    async def __anext__(self) -> Any:
        try:
            piece = await self._pieces.__anext__()
        except StopAsyncIteration:
            await self._observation.end_soon()
            raise
        except asyncio.CancelledError as error:
            self._observation.abandon(error)
            raise
        except BaseException as error:
            await self._observation.end_soon(error, exhausted=False)
            raise
        self._observation.piece(piece)
        return piece

    async def aclose(self) -> None:
        """Close the stream's own iterator: whoever closes it reads no further."""
        close = getattr(self._pieces, "aclose", None)
        try:
            if close is not None:
                await close()
        finally:
            await self._observation.end_soon(exhausted=False)

    def __del__(self) -> None:
        self._observation.abandon()


def watch(stream: Any, observation: Observation) -> None:
    """Have a stream of pieces tell an observation of each, and of its end."""
    observation.streaming()
    pieces = stream._iterator
    if isinstance(pieces, AsyncIterator):
        stream._iterator = WatchedAsyncIterator(pieces, observation)
    else:
        stream._iterator = WatchedIterator(pieces, observation)
    stream.close = closing(stream, observation)


def closing(holder: Any, observation: Observation) -> Callable[[], Any]:
    """Return a `close` of a stream or response that ends its observation as well.

    It refers to its holder weakly: a cycle would leave it to the garbage collector to close what is dropped.
    """
    kind, reference = type(holder), weakref.ref(holder)

    def close() -> Any:
        try:
            closed = kind.close(reference())
        except BaseException as error:
            observation.end(error, exhausted=False)
            raise
        if inspect.isawaitable(closed):
            return _closed(closed, observation)
        observation.end(exhausted=False)
        return closed

    return close


async def _closed(closed: Awaitable[Any], observation: Observation) -> Any:
    try:
        return await closed
    finally:
        await observation.end_soon(exhausted=False)
