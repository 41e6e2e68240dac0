"""The bounded queue in memory: everything recorded gets the next number, kept or not.

What does not fit leaves a gap with a reason in its place: numbers stay dense, and each loss has a name.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import RLock
from time import time_ns
from typing import Any, TypeAlias

from auditstream_sdk.errors import ClosedError
from auditstream_sdk.recording import Captured, Receipt

Waiter: TypeAlias = Future["Receipt | None"]

_EVENT_BYTES = 640
"""What an event takes in memory beside its texts: objects of a recording with a dozen fields, measured."""


@dataclass
class Gap:
    """Events that were recorded and dropped.

    Attributes:
        first: Their first `source_seq`.
        last: Their last.
        reason: Why, as `queue_full`.
        since_ns: When the first was dropped.
        detail: What else is known.
    """

    first: int
    last: int
    reason: str
    since_ns: int
    detail: str = ""

    @property
    def count(self) -> int:
        """How many."""
        return self.last - self.first + 1


class Pending:
    """A queue that many threads fill and one empties.

    Args:
        most_events: Most events in it.
        most_bytes: Most bytes in it, estimated.
        recorded: Is told of each number, in order, before the caller goes on.
    """

    def __init__(self, most_events: int, most_bytes: int, recorded: Callable[[int], object]) -> None:
        self._items: deque[Captured | Gap] = deque()
        self._most_events = most_events
        self._most_bytes = most_bytes
        self._recorded = recorded
        # Reentrant: a signal handler or a finalizer may record while its own thread is in here.
        self._lock = RLock()
        self._is_inside = False
        self._is_closed = False
        self._late: list[Captured] = []
        self._events = 0
        self._bytes = 0
        self.last = 0
        self.waiters: dict[int, Waiter] = {}

    def __len__(self) -> int:
        return len(self._items)

    @property
    def oldest_ns(self) -> int | None:
        """When the oldest event in it began; None when it is empty."""
        with self._lock:
            for item in self._items:
                return item.started_ns if isinstance(item, Captured) else item.since_ns
        return None

    def put(self, captured: Captured, waiter: Waiter | None = None) -> bool:
        """Queue an event; False, and nothing done, when there is no room.

        Args:
            captured: What was captured.
            waiter: Is done when the gateway answered about it.

        Raises:
            ClosedError: Nothing is taken any more.
        """
        size = _size_of(captured)
        with self._lock:
            if self._is_closed:
                raise ClosedError("the client was closed; the event is not recorded")
            if self._is_inside:
                self._late.append(captured)
                return True
            if self._events >= self._most_events or self._bytes + size > self._most_bytes:
                return False
            self._is_inside = True
            try:
                self._push(captured, size, waiter)
                while self._late:
                    late = self._late.pop(0)
                    self._push(late, _size_of(late), None)
            finally:
                self._is_inside = False
        return True

    def _push(self, captured: Captured, size: int, waiter: Waiter | None) -> None:
        sequence = self.last + 1
        if waiter is not None:
            self.waiters[sequence] = waiter
        captured.sequence, captured.size_bytes = sequence, size
        self._items.append(captured)
        self._events += 1
        self._bytes += size
        self.last = sequence
        self._recorded(sequence)

    def drop(self, reason: str) -> None:
        """Give the next number to an event that is lost; nothing once it is closed."""
        with self._lock:
            if self._is_closed:
                return
            sequence = self.last + 1
            tail = self._items[-1] if self._items else None
            if isinstance(tail, Gap) and tail.reason == reason:
                tail.last = sequence
            else:
                self._items.append(Gap(sequence, sequence, reason, time_ns()))
            self.last = sequence
            self._recorded(sequence)

    def close(self) -> None:
        """Take nothing any more; what is queued stays."""
        with self._lock:
            self._is_closed = True

    def take(self, most: int) -> list[Captured | Gap]:
        """Return the oldest events and gaps, and forget them."""
        with self._lock:
            taken = [self._items.popleft() for _ in range(min(most, len(self._items)))]
            for item in taken:
                if isinstance(item, Captured):
                    self._events -= 1
                    self._bytes -= item.size_bytes
        return taken

    def withdraw(self, waiter: Waiter) -> None:
        """Forget who waits for an event."""
        with self._lock:
            for sequence, each in list(self.waiters.items()):
                if each is waiter:
                    del self.waiters[sequence]


def _size_of(captured: Captured) -> int:
    size = _EVENT_BYTES
    for values in captured.values():
        for value in values.values():
            if value.__class__ is str:
                size += len(value)
            elif value.__class__ is dict:
                size += _dict_bytes(value)
    return size


def _dict_bytes(values: dict[Any, Any]) -> int:
    return sum(64 + (len(value) if isinstance(value, str | bytes) else 32) for value in values.values())
