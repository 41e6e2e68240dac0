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
    assert Watched(clients).look() == [
        "shop, instance i-1: number 9 never came",
        "shop, instance i-1: number 7 never came; over: the last of them came",
    ]


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


def test_a_source_that_is_back_is_told_to_be_over_once_by_whoever_watches_then(
    store: ClickHouseStore, clients: ClientPool
) -> None:
    beat(store, 0, 20)
    insert(store, None, lo=1, minutes_ago=9, source="other")
    watched = Watched(clients)
    watched.look()
    [silence] = watched.told
    beat(store, 2, 6)
    insert(store, None, lo=3, minutes_ago=5, source="other")

    assert Watched(clients).look("globex") == []
    after = Watched(clients)
    back = f"{NOW - timedelta(minutes=6):%Y-%m-%dT%H:%M:%SZ}"
    assert after.look() == [f"{silence.title}; over: its heartbeats are back, the last at {back}"]
    [over] = after.told
    assert (over.finding_id, over.version, over.status) == (silence.finding_id, 1_000, "RESOLVED")
    assert (over.severity, over.scope, over.observed) == (4, "source=shop", silence.observed)
    assert (over.window_start, over.attacks) == (silence.window_start, silence.attacks)
    assert after.look() == Watched(clients).look() == []


def test_a_gap_is_over_when_its_last_number_came_and_what_is_left_of_it_is_told_by_itself(
    store: ClickHouseStore, clients: ClientPool
) -> None:
    insert(store, 1, 2, 4, 9)
    watched = Watched(clients)
    assert watched.look() == [
        "shop, instance i-1: number 3 never came",
        "shop, instance i-1: numbers 5 to 8 never came",
    ]
    insert(store, 5, 3, lo=10)
    assert watched.look() == [], "it is looked at every ten minutes"
    watched.clock.advance(600)
    assert watched.look() == ["shop, instance i-1: number 3 never came; over: the last of them came"]
    assert [each.status for each in watched.told] == ["RESOLVED"]

    insert(store, 8, lo=20)
    after = Watched(clients)
    after.clock.advance(-720)
    assert after.look() == [], "6 and 7 may be late only: nobody is told that all is well"
    after.clock.advance(1320)
    assert after.look() == [
        "shop, instance i-1: numbers 6 to 7 never came",
        "shop, instance i-1: numbers 5 to 8 never came; over: the last of them came",
    ]
    assert Watched(clients).look() == []


def test_a_gap_stays_one_when_hours_have_gone_by(store: ClickHouseStore, clients: ClientPool) -> None:
    insert(store, 1, 3)
    watched = Watched(clients)
    assert watched.look() != []

    for _ in range(3):
        watched.clock.advance(3 * 3_600)
        assert watched.look() == Watched(clients).look() == []


def test_nobody_is_silent_while_nothing_at_all_is_recorded(
    store: ClickHouseStore, clients: ClientPool
) -> None:
    beat(store, 0, 100)

    assert Watched(clients).look() == []
