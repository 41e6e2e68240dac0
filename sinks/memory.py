"""A sink in memory with ClickHouse's semantics, for models of the protocol and tests without an engine."""

from __future__ import annotations

from collections import OrderedDict
from datetime import date
from threading import Lock

import polars as pl

from auditstream.core.clock import Clock
from auditstream.core.errors import LeaseExpiredError, StoreSchemaError
from auditstream.core.ports import Block, LogId, StoredRange
from sinks.columns import ingest_day_of


class TokenWindow:
    """Which tokens are remembered: the newest ones, a token by itself in each table partition."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._tokens: OrderedDict[tuple[str, date], None] = OrderedDict()

    def admits(self, token: str, day: date) -> bool:
        """Return whether the token is new, and remember it; a known one does not become newer."""
        if (token, day) in self._tokens:
            return False
        self._tokens[token, day] = None
        while len(self._tokens) > self.size:
            self._tokens.popitem(last=False)
        return True


class MemorySink:
    """Implements `auditstream.core.ports.Sink` in memory: tokens, leases, atomic blocks and one view.

    Args:
        clock: Judges leases, as the store's own clock does.
        window: How many tokens the table and its view remember each.

    Attributes:
        view_broken: While true the view misses every block: the rows become durable and the insert raises.
    """

    def __init__(self, clock: Clock, *, window: int = 10_000) -> None:
        self.view_broken = False
        self._clock = clock
        self._lock = Lock()
        self._table = TokenWindow(window)
        self._view = TokenWindow(window)
        self._blocks: list[pl.DataFrame] = []
        self._view_blocks: list[pl.DataFrame] = []

    def insert(self, block: Block, *, insert_by_s: float, timeout_s: float) -> None:
        """Keep the block, at most once under its segment id, or raise; see the port. `timeout_s` is unused.

        Raises:
            InvariantError: The rows are not of one day and of the block's segment; nothing was kept.
        """
        if not len(block):
            return
        day = ingest_day_of(block)
        with self._lock:
            # Whole milliseconds, as the store's column.
            if int(insert_by_s * 1000) <= int(self._clock.now_s() * 1000):
                raise LeaseExpiredError(f"insert of {block.segment_id}: its lease has run out")
            if self._table.admits(block.segment_id, day):
                self._blocks.append(block.frame)
            if self.view_broken:
                raise StoreSchemaError(f"insert of {block.segment_id}: the view is broken")
            if self._view.admits(block.segment_id, day):
                self._view_blocks.append(block.frame)

    def stored(self, log: LogId, from_offset: int) -> StoredRange:
        """Return what is kept of `log` at or above `from_offset`; see the port."""
        with self._lock:
            blocks = list(self._blocks)
        mine = [
            rows.filter(pl.col("log_id") == str(log), pl.col("kafka_offset") >= from_offset)
            for rows in blocks
        ]
        held = [number for number, rows in enumerate(mine) if rows.height]
        if not held:
            return StoredRange(0)
        rows = pl.concat([mine[number].select("leaf_index", "kafka_offset") for number in held])
        segments = {frame["segment_id"][0] for frame in blocks[held[0] :]}
        return StoredRange(
            rows.height,
            int(rows["leaf_index"].min()),  # type: ignore[arg-type]  # the column holds whole numbers
            int(rows["leaf_index"].max()),  # type: ignore[arg-type]
            int(rows["kafka_offset"].max()),  # type: ignore[arg-type]
            later_segments=len(segments) - 1,
        )

    def token_window(self) -> int:
        """Return how many of the newest inserts have their tokens remembered."""
        return self._table.size

    def rows(self) -> pl.DataFrame:
        """Return every row kept, in the order of the inserts; columns that a block lacked are null."""
        with self._lock:
            return pl.concat(self._blocks, how="diagonal") if self._blocks else pl.DataFrame()

    def view_rows(self) -> pl.DataFrame:
        """Return every row that the view has seen, as `rows` does."""
        with self._lock:
            return pl.concat(self._view_blocks, how="diagonal") if self._view_blocks else pl.DataFrame()
