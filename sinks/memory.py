"""A sink in memory with ClickHouse's semantics, for models of the protocol and tests without an engine."""

from __future__ import annotations

from collections import OrderedDict
from datetime import date
from threading import Lock

import polars as pl

from auditstream.core.clock import Clock
from auditstream.core.errors import LeaseExpiredError, StoreSchemaError
from auditstream.core.ports import Block, LogId, Lost, Plan, StoredRange, offsets_of
from sinks.columns import GAP, ingest_day_of, spelt_out


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
        rows = spelt_out(block.frame)
        with self._lock:
            # Whole milliseconds, as the store's column.
            if int(insert_by_s * 1000) <= int(self._clock.now_s() * 1000):
                raise LeaseExpiredError(f"insert of {block.segment_id}: its lease has run out")
            if self._table.admits(block.segment_id, day):
                self._blocks.append(rows)
            if self.view_broken:
                raise StoreSchemaError(f"insert of {block.segment_id}: the view is broken")
            if self._view.admits(block.segment_id, day):
                self._view_blocks.append(rows)

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

    def last_plan(self, log: LogId) -> Plan | None:
        """Return the plan of the segment with the log's highest leaf; see the port."""
        with self._lock:
            mine = [rows for rows in self._blocks if rows["log_id"][0] == str(log)]
        if not mine:
            return None
        rows = max(mine, key=lambda rows: rows["leaf_index"][-1])
        first = rows.row(0, named=True)
        lo, hi = offsets_of(first["segment_id"])
        lost = None
        if first["leaf_kind"] == GAP:
            lost = Lost(first["reject_reason"], rows["kafka_timestamp"].dt.epoch("ms")[0])
        return Plan(
            lo=lo,
            hi=hi,
            first_index=first["leaf_index"],
            day=first["ingest_day"],
            reference_revision=first.get("reference_revision", 0),
            enricher_version=first.get("enricher_version", 1),
            lost=lost,
        )

    def views_lacking(self, segment_id: str) -> list[str]:
        """Return the one view there is when it lacks the segment; see the port."""
        with self._lock:
            seen = any(rows["segment_id"][0] == segment_id for rows in self._view_blocks)
        return [] if seen else ["view"]

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
