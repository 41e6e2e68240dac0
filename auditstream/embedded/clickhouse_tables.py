"""Which tables there are outside the database `system`, asked of the engine now and then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from auditstream.embedded.clickhouse_engine import Engine

_FRESH_S = 5.0
_TABLES = (
    "SELECT DISTINCT name FROM system.tables WHERE lower(database) NOT IN ('system', 'information_schema')"
)


class KnownTables:
    """Names of tables and views; belongs to one event loop.

    Args:
        engine: What to ask.
        now_s: Seconds of a clock that only runs on.
    """

    def __init__(self, engine: Engine, now_s: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._now_s = now_s
        self._names: frozenset[str] = frozenset()
        self._fresh_until_s = 0.0
        self._forgotten = 0

    async def names(self) -> frozenset[str]:
        """Return the names; at most some seconds old, and never older than the newest `forget`."""
        if self._now_s() < self._fresh_until_s:
            return self._names
        forgotten, now_s = self._forgotten, self._now_s()
        names = await asyncio.to_thread(self._read)
        if forgotten == self._forgotten:
            self._names, self._fresh_until_s = names, now_s + _FRESH_S
        return names

    def forget(self) -> None:
        """Ask again next time: tables may have been made or renamed."""
        self._fresh_until_s = 0.0
        self._forgotten += 1

    def _read(self) -> frozenset[str]:
        with self._engine.connect() as connection:
            return frozenset(str(row["name"]) for row in connection.rows(_TABLES))
