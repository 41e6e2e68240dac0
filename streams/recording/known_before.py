"""Keys that a log had before: whether a row is the first of its key, as the store alone can tell.

What was read of it is kept: the first leaf of a key in a log never changes, so that a replay of an earlier
segment is answered as it was.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from auditstream.core.ports import LogId

_MOST_KEYS = 100_000
"""Keys that are kept over all logs, some 20 MB; when there are more, all are forgotten, and read again."""

K = TypeVar("K", bound=Hashable)


class KnownBefore:
    """First leaves of keys by log; any thread may ask.

    Args:
        most: How many keys are kept.
    """

    def __init__(self, *, most: int = _MOST_KEYS) -> None:
        self._first: dict[tuple[LogId, Hashable], int] = {}
        self._most = most
        self._lock = threading.Lock()

    def firsts(
        self,
        log: LogId,
        keys: Sequence[K],
        indexes: Iterable[int],
        first_index: int,
        read: Callable[[list[K]], dict[K, int]],
    ) -> list[bool]:
        """Return for each key whether no row of the log below the segment has it.

        Args:
            log: The log.
            keys: Keys of a segment, each once.
            indexes: Leaf index of the first row of each in the segment.
            first_index: Leaf index of the segment's first record.
            read: Returns of keys the first leaf below `first_index`, where there is one; asked for those
                that are not kept.

        Raises:
            RetryableError: The store does not answer; nothing was remembered.
        """
        if not keys:
            return []
        with self._lock:
            known = {key: self._first.get((log, key)) for key in keys}
        unread = [key for key, index in known.items() if index is None]
        stored = read(unread) if unread and first_index else {}
        found = [
            stored.get(key, index) if (kept := known[key]) is None else kept
            for key, index in zip(keys, indexes, strict=True)
        ]
        with self._lock:
            if len(self._first) + len(unread) > self._most:
                self._first.clear()
            self._first.update({(log, key): first for key, first in zip(keys, found, strict=True)})
        return [first >= first_index for first in found]
