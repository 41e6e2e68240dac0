"""How many queries run at once, how many may wait, and which ids they have."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from auditstream.embedded.clickhouse_errors import ErrorNumber, refusal

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """Bounds on queries in flight.

    Attributes:
        running: Queries at once; each has a thread and a connection.
        waiting: Queries that may wait for one of these to end.
        wait_s: How long each of them waits.
    """

    running: int = 8
    waiting: int = 64
    wait_s: float = 10.0


class Admission:
    """Runs blocking work of queries on threads, within limits; used by the event loop only."""

    def __init__(self, limits: AdmissionLimits) -> None:
        self._limits = limits
        self._threads = ThreadPoolExecutor(limits.running, thread_name_prefix="query")
        self._slots = asyncio.Semaphore(limits.running)
        self._waiting = 0
        self._is_stopped = False
        self._running: dict[str, asyncio.Future[object]] = {}

    @property
    def running(self) -> dict[str, asyncio.Future[object]]:
        """The work in flight by query id; a snapshot."""
        return dict(self._running)

    async def start(self, query_id: str, work: Callable[[], T]) -> asyncio.Future[T]:
        """Wait for a free place and start `work` on a thread; its place is free again when it has ended.

        Raises:
            QueryError: 202, too many wait already, no place came free in time, or this is stopped; 216, the
                id is in use.
        """
        await self._enter()
        if query_id in self._running:
            self._slots.release()
            raise refusal(
                ErrorNumber.QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING,
                f"Query with id = {query_id} is already running.",
            )
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        self._running[query_id] = future  # type: ignore[assignment]
        future.add_done_callback(lambda _: self._leave(query_id))
        return future

    def stop(self) -> None:
        """Start nothing more, of what waits neither."""
        self._is_stopped = True

    async def drained(self, timeout_s: float) -> bool:
        """Wait until nothing runs; return whether that came in time."""
        if not self._running:
            return True
        _, late = await asyncio.wait(self._running.values(), timeout=timeout_s)
        return not late

    def close(self) -> None:
        """End the threads; nothing may run any more."""
        self._threads.shutdown(wait=False)

    async def _enter(self) -> None:
        if self._slots.locked() and self._waiting >= self._limits.waiting:
            raise self._too_many()
        self._waiting += 1
        try:
            async with asyncio.timeout(self._limits.wait_s):
                await self._slots.acquire()
        except TimeoutError as error:
            raise self._too_many() from error
        finally:
            self._waiting -= 1
        if self._is_stopped:
            self._slots.release()
            raise refusal(ErrorNumber.TOO_MANY_SIMULTANEOUS_QUERIES, "The server is stopping.")

    def _too_many(self) -> Exception:
        return refusal(
            ErrorNumber.TOO_MANY_SIMULTANEOUS_QUERIES,
            f"Too many simultaneous queries. Maximum: {self._limits.running}.",
        )

    def _leave(self, query_id: str) -> None:
        self._running.pop(query_id, None)
        self._slots.release()
