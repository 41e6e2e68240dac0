"""Where events wait between queue and gateway: what every such log does, and the one in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from auditstream_sdk.records import Kind, Record

CONTROL_BYTES = 256 * 1024
"""What heartbeats and reports of losses may take above a log's bound: a full log still says what was lost."""


class Log(Protocol):
    """Records in order: appended at one end, read and settled at the other. One thread at a time."""

    @property
    def instance(self) -> str:
        """Instance whose events it holds."""
        ...

    @property
    def number(self) -> int:
        """Every `source_seq` up to this one is told of in what was appended."""
        ...

    def append(self, records: Sequence[Record]) -> int:
        """Append records and return how many of them fitted.

        Raises:
            OSError: None was appended: the disk does not take them.
        """
        ...

    def read(self, most_events: int, most_bytes: int) -> list[Record]:
        """Return the oldest records that are not settled, at least one if there is any.

        Raises:
            OSError: They cannot be read.
        """
        ...

    def settle(self, count: int) -> None:
        """Forget the first records of what was read last: they are acknowledged, or refused and told of."""
        ...

    def sync(self) -> None:
        """Make what was appended survive a loss of power."""
        ...

    def close(self) -> None:
        """Let go of it; what is not settled stays for another process, if it can."""
        ...


class MemoryLog:
    """A log that ends with its process: for clients without a spool.

    Args:
        instance: Its instance.
        most_bytes: Bound on its size.
    """

    def __init__(self, instance: str, most_bytes: int) -> None:
        self._instance = instance
        self._most_bytes = most_bytes
        self._records: deque[Record] = deque()
        self._bytes = 0
        self._number = 0

    @property
    def instance(self) -> str:
        """Instance whose events it holds."""
        return self._instance

    @property
    def number(self) -> int:
        """Every `source_seq` up to this one is told of in what was appended."""
        return self._number

    def append(self, records: Sequence[Record]) -> int:
        """Append records and return how many of them fitted."""
        for count, record in enumerate(records):
            bound = self._most_bytes + (0 if record.kind is Kind.EVENT else CONTROL_BYTES)
            if self._bytes + record.size_bytes > bound:
                return count
            self._records.append(record)
            self._bytes += record.size_bytes
            self._number = record.number
        return len(records)

    def read(self, most_events: int, most_bytes: int) -> list[Record]:
        """Return the oldest records that are not settled, at least one if there is any."""
        return within(list(self._records)[:most_events], most_bytes)

    def settle(self, count: int) -> None:
        """Forget the oldest records."""
        for _ in range(count):
            self._bytes -= self._records.popleft().size_bytes

    def sync(self) -> None:
        """Do nothing: memory survives nothing."""

    def close(self) -> None:
        """Forget everything."""
        self._records.clear()
        self._bytes = 0


def within(records: Sequence[Record], most_bytes: int) -> list[Record]:
    """Return the first records that are together no larger, at least one if there is any."""
    found: list[Record] = []
    size = 0
    for record in records:
        size += len(record.event)
        if found and size > most_bytes:
            break
        found.append(record)
    return found
