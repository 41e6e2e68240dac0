"""Sinks with what a test needs beside the port: looking in, breaking the view, shrinking the window."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import polars as pl
from clickhouse_connect.driver.client import Client

from auditstream.core.clock import ManualClock
from auditstream.core.ports import Block, Sink
from auditstream.query.reader import Reader
from sinks.clickhouse import ClickHouseSink
from sinks.clients import ClientPool
from sinks.memory import MemorySink
from sinks.migrate import apply, create_database
from sinks.migration_files import TOKEN_WINDOW, packaged

TIMEOUT_S = 20.0

FED_TABLES = ("events", "segment_ranges", "usage_1m", "usage_1h", "outcomes_1m", "latency_1m")
"""Tables that one insert writes to."""

OpenClient = Callable[[str], Client]
"""Opens a client whose database is the one named."""


class Store(Protocol):
    """One empty, migrated store of a test's own."""

    sink: Sink

    def now_s(self) -> float:
        """Return the time by which the store judges leases."""
        ...

    def count(self) -> int:
        """Return how many rows there are."""
        ...

    def counted_by_view(self) -> int:
        """Return how many events the view has counted."""
        ...

    breakable: tuple[str, ...]

    def break_view(self) -> None:
        """Make the view fail at every block."""
        ...

    def mend_view(self) -> None:
        """Make the view work again; what it missed stays missed."""
        ...

    def keep_tokens(self, window: int) -> None:
        """Make the table and its view remember so many tokens."""
        ...

    def insert(self, block: Block, *, lease_s: float = 30.0) -> None:
        """Insert under a lease that runs out `lease_s` from now."""
        ...


class MemoryStore:
    breakable = ("view",)

    def __init__(self) -> None:
        self._clock = ManualClock(1_800_000_000.0)
        self.sink = MemorySink(self._clock)

    def now_s(self) -> float:
        return self._clock.now_s()

    def count(self) -> int:
        return self.sink.rows().height

    def counted_by_view(self) -> int:
        seen = self.sink.view_rows()
        if seen.is_empty():
            return 0
        return seen.filter(pl.col("leaf_kind") == 0, pl.col("duplicate_of").is_null()).height

    def break_view(self) -> None:
        self.sink.view_broken = True

    def mend_view(self) -> None:
        self.sink.view_broken = False

    def keep_tokens(self, window: int) -> None:
        self.sink = MemorySink(self._clock, window=window)

    def insert(self, block: Block, *, lease_s: float = 30.0) -> None:
        self.sink.insert(block, insert_by_s=self.now_s() + lease_s, timeout_s=TIMEOUT_S)


class ClickHouseStore:
    """A database in an engine; `client` asks it past the sink."""

    breakable = ("usage_1m",)

    def __init__(self, client: Client, sink: ClickHouseSink) -> None:
        self.client = client
        self.sink = sink
        self._altered = False

    def empty(self) -> None:
        """Be as new again: no rows, no tokens, every feed and setting as migrated."""
        if self._altered:
            self.keep_tokens(TOKEN_WINDOW)
            self.mend_view()
            self._altered = False
        for table in FED_TABLES:
            self.client.command(f"TRUNCATE TABLE {table}")

    def now_s(self) -> float:
        return time.time()

    def ask(self, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
        """Return a query's rows."""
        return [tuple(row) for row in self.client.query(sql, parameters).result_rows]

    def value(self, sql: str) -> Any:
        """Return the one value that a query answers."""
        return self.ask(sql)[0][0]

    def values(self, column: str) -> Sequence[Any]:
        """Return an expression over every row of `events`, in the order of leaves."""
        return [row[0] for row in self.ask(f"SELECT {column} FROM events ORDER BY log_id, leaf_index")]

    def count(self) -> int:
        return int(self.value("SELECT count() FROM events"))

    def counted_by_view(self) -> int:
        return int(self.value("SELECT sum(events) FROM usage_1m"))

    def break_view(self) -> None:
        self.replace_view(
            "usage_1m_feed", lambda sql: sql.replace("count()", "count() + throwIf(1, 'broken')")
        )

    def mend_view(self) -> None:
        self.replace_view("usage_1m_feed")

    def keep_tokens(self, window: int) -> None:
        self._altered = True
        for table in FED_TABLES:
            setting = f"non_replicated_deduplication_window = {window}"
            self.client.command(f"ALTER TABLE {table} MODIFY SETTING {setting}")

    def insert(self, block: Block, *, lease_s: float = 30.0) -> None:
        self.sink.insert(block, insert_by_s=self.now_s() + lease_s, timeout_s=TIMEOUT_S)

    def replace_view(self, name: str, edit: Callable[[str], str] = lambda sql: sql) -> None:
        """Make a feed anew from its migration, with its text edited."""
        self._altered = True
        self.client.command(f"DROP VIEW IF EXISTS {name}")
        statements = [each for file in packaged() for each in file.statements("MergeTree")]
        (made,) = [each for each in statements if f"MATERIALIZED VIEW IF NOT EXISTS {name} " in each]
        self.client.command(edit(made))


@contextmanager
def new_store(
    open_client: OpenClient, *, upto: int | None = None, keep: bool = False
) -> Iterator[ClickHouseStore]:
    """Yield a database of its own, migrated up to a version, with a sink on it; drop it unless it is kept."""
    database = f"test_{uuid.uuid4().hex[:12]}"
    with open_client("default") as admin:
        create_database(admin, database)
        with open_client(database) as client:
            apply(client, "MergeTree", packaged()[:upto])
        with store_in(open_client, database) as store:
            yield store
        if not keep:
            admin.command(f"DROP DATABASE {database}")


@contextmanager
def store_in(open_client: OpenClient, database: str) -> Iterator[ClickHouseStore]:
    """Yield a database that is migrated, with a sink on it."""
    with open_client(database) as client:
        sink = ClickHouseSink(ClientPool(lambda: open_client(database)))
        yield ClickHouseStore(client, sink)
        sink.close()


@contextmanager
def reading(engine: OpenClient, store: ClickHouseStore) -> Iterator[Reader]:
    """Lend what asks a store, by clients of its own, which end with the block."""
    opened = Reader(ClientPool(lambda: engine(str(store.client.database))))
    try:
        yield opened
    finally:
        opened.close()
