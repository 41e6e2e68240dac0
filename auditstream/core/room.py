"""A bounded amount of bytes that requests take and give back, in the order in which they asked."""

from __future__ import annotations

import asyncio
from collections import deque


class NoRoomError(Exception):
    """There was no room in time."""


class Room:
    """Bytes that may be in memory at a time; for one event loop.

    Args:
        size_bytes: How many.
    """

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.taken_bytes = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, count: int, *, within_s: float) -> None:
        """Take bytes; waits for others to give theirs back. More than there are is the same as all.

        Raises:
            NoRoomError: There is none within the time.
        """
        if self.take_now(count):
            return
        count = min(count, self.size_bytes)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (count, turn)
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(within_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.give(count)  # it came at the very moment at which nobody waited any more
            elif entry in self._waiting:
                self._waiting.remove(entry)
                self._let_in()
            if isinstance(error, TimeoutError):
                raise NoRoomError from None
            raise

    def take_now(self, count: int) -> bool:
        """Take bytes unless they would have to be waited for; return whether they were taken."""
        count = min(count, self.size_bytes)
        if self._waiting or self.taken_bytes + count > self.size_bytes:
            return False
        self.taken_bytes += count
        return True

    def give(self, count: int) -> None:
        """Give bytes back that were taken in one go."""
        self.taken_bytes -= min(count, self.size_bytes)
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting and self.taken_bytes + self._waiting[0][0] <= self.size_bytes:
            count, turn = self._waiting.popleft()
            if not turn.done():
                self.taken_bytes += count
                turn.set_result(None)
