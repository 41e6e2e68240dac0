"""Numbers that never came and heartbeats that stopped, as the store tells them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from auditstream.core.clock import ManualClock
from auditstream.core.metrics import Metrics
from auditstream.emit.source_watch import SourceWatch
from schemas.records.detection import Finding
from sinks.clients import ClientPool
from sinks.finding_rows import add_findings
from tests.support.blocks import block_of
from tests.support.stores import ClickHouseStore, OpenClient

NOW = datetime.now(UTC)  # the store itself says when it recorded what


@pytest.fixture
def clients(engine: OpenClient, store: ClickHouseStore) -> Iterator[ClientPool]:
    store.client.command("TRUNCATE TABLE findings")
    pool = ClientPool(lambda: engine(str(store.client.database)))
    yield pool
    pool.close()


class Watched:
    def __init__(self, clients: ClientPool) -> None:
        self._clients = clients
        self.clock = ManualClock(time.time() + 720)
        self.told: list[Finding] = []
        self.watch = SourceWatch(clients, self._publish, Metrics(), self.clock)

    def look(self, tenant: str = "acme") -> list[str]:
        self.told.clear()
        self.watch.look(lambda each: each == tenant, is_full=True)
        return [each.title for each in self.told]

    def _publish(self, findings: list[Finding]) -> None:
        self.told += findings
        with self._clients.borrow() as client:
            add_findings(client, findings)


def insert(
    store: ClickHouseStore, *numbers: int | None, lo: int = 0, minutes_ago: float = 20, **columns: Any
) -> None:
    """Insert events with these numbers, recorded some minutes ago."""
    at = NOW - timedelta(minutes=minutes_ago)
    plain: dict[str, Any] = {
        "source": "shop", "source_instance": "i-1", "source_seq": list(numbers), "event_time": at,
        "kafka_timestamp": at,
    }  # fmt: skip
    store.insert(block_of(lo=lo, rows=len(numbers), **plain | columns))


def beat(store: ClickHouseStore, lo: int, minutes_ago: float, last: int = 0, **columns: Any) -> None:
    fields = {
        "event_type": "ai.source.heartbeat",
        "heartbeat_interval_us": 60_000_000,
        "heartbeat_last_seq": last,
    }
    insert(store, None, lo=lo, minutes_ago=minutes_ago, **fields | columns)


def test_a_number_that_never_came_is_told_once_when_it_has_had_ten_minutes(
    store: ClickHouseStore, clients: ClientPool
) -> None:
    insert(store, 1, 2, 5, 6, 8, 3)
    watched = Watched(clients)
    watched.clock.advance(-300)
    assert watched.look() == []
    watched.clock.advance(300)

    assert watched.look() == [
        "shop, instance i-1: number 4 never came",
        "shop, instance i-1: number 7 never came",
    ]
    assert [(each.severity, each.rule_id) for each in watched.told] == [(5, "source.silence_or_gap")] * 2
    assert watched.look() == []
    assert Watched(clients).look() == []
    insert(store, 7, 10, lo=10)
    assert Watched(clients).look() == ["shop, instance i-1: number 9 never came"]


def test_numbers_that_a_heartbeat_names_and_that_never_came_are_told(
    store: ClickHouseStore, clients: ClientPool
) -> None:
    insert(store, 1, 2)
    beat(store, 10, 20, last=2)
    assert Watched(clients).look() == []
    beat(store, 11, 15, last=5)

    assert Watched(clients).look() == ["shop, instance i-1: numbers 3 to 5 never came"]


def test_numbers_of_other_instances_and_repeats_are_no_gaps(
    store: ClickHouseStore, clients: ClientPool
) -> None:
    insert(store, 1, 2)
    insert(store, 7, 8, lo=10, source_instance="i-2")
    insert(store, 3, 9, lo=20, duplicate_of=[None, 5])

    assert Watched(clients).look() == []


def test_a_source_that_misses_three_heartbeats_is_silent_and_told_once(
    store: ClickHouseStore, clients: ClientPool
) -> None:
    beat(store, 0, 10)
    beat(store, 1, 8, source_instance="i-2")
    insert(store, None, lo=2, minutes_ago=5.1, source="other")
    watched = Watched(clients)
    assert watched.look() == []

    since = f"{NOW - timedelta(minutes=8):%Y-%m-%dT%H:%M:%SZ}"
    insert(store, None, lo=3, minutes_ago=4.9, source="other")
    assert watched.look() == [f"shop is silent: no heartbeat since {since}, one is due every 60 s"]
    assert watched.look() == []
    assert watched.look("globex") == []
    beat(store, 4, 4)
    assert watched.look() == []


def test_nobody_is_silent_while_nothing_at_all_is_recorded(
    store: ClickHouseStore, clients: ClientPool
) -> None:
    beat(store, 0, 100)

    assert Watched(clients).look() == []
