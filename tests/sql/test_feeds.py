"""Segments that a fed table lacks: found among others that it has, and added once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from auditstream.core.errors import NotFoundError, StoreBusyError
from sinks.feeds import rebuild
from tests.support.blocks import LOG, NOON, OTHER_LOG, block_of
from tests.support.examples import at_length
from tests.support.stores import ClickHouseStore

TARGETS = ["segment_ranges", "usage_1m", "usage_1h", "outcomes_1m", "latency_1m"]
# What a feed's table says.
SAYS = {
    "segment_ranges": "SELECT segment_id, rows, first_index FROM segment_ranges ORDER BY ALL",
    "usage_1m": "SELECT minute, sum(events), sum(input_tokens) FROM usage_1m GROUP BY ALL ORDER BY ALL",
    "usage_1h": "SELECT hour, sum(events), sum(output_tokens) FROM usage_1h GROUP BY ALL ORDER BY ALL",
    "outcomes_1m": "SELECT minute, sum(events) FROM outcomes_1m GROUP BY ALL ORDER BY ALL",
    "latency_1m": "SELECT minute, sum(events), quantilesDDMerge(0.01, 0.5, 0.9, 0.95, 0.99)(l.duration_us)"
    " FROM latency_1m AS l GROUP BY ALL",
}
SEGMENT = f"{LOG}/3-5"
MEASURED = {"duration_us": [10, 2_000, 300_000], "input_tokens": 7, "output_tokens": [1, 2, None]}


def miss(store: ClickHouseStore, target: str, insert: Callable[[], None]) -> None:
    """Let a feed be away during an insert."""
    store.client.command(f"DROP VIEW {target}_feed")
    insert()
    store.replace_view(f"{target}_feed")


def fill(store: ClickHouseStore, target: str | None) -> None:
    """Insert segments on the same keys, one of them past a feed."""
    store.insert(block_of(lo=0, rows=3, **MEASURED))
    store.insert(block_of(OTHER_LOG, rows=3, **MEASURED))

    def insert() -> None:
        store.insert(block_of(lo=3, rows=3, **MEASURED))

    insert() if target is None else miss(store, target, insert)
    store.insert(block_of(lo=6, rows=3, **{**MEASURED, "input_tokens": 9, "duration_us": [4, None, 5]}))


@pytest.fixture(scope="module")
def expected(migrated: ClickHouseStore) -> dict[str, list[tuple[Any, ...]]]:
    """What all tables say when no feed was away."""
    migrated.empty()
    fill(migrated, None)
    return {name: migrated.ask(sql) for name, sql in SAYS.items()}


@pytest.mark.parametrize("target", [*TARGETS[:2], *at_length(TARGETS[2:])])
def test_what_one_table_lacks_is_found_and_added(
    expected: dict[str, list[tuple[Any, ...]]], store: ClickHouseStore, target: str
) -> None:
    fill(store, target)
    assert store.ask(SAYS[target]) != expected[target]

    assert store.sink.views_lacking(SEGMENT) == [target]
    assert rebuild(store.client, SEGMENT) == [target]

    assert {name: store.ask(sql) for name, sql in SAYS.items()} == expected
    assert store.sink.views_lacking(SEGMENT) == []
    assert rebuild(store.client, SEGMENT) == []


def test_repeats_and_dead_letters_are_not_missed(store: ClickHouseStore) -> None:
    store.insert(block_of(lo=3, rows=3, leaf_kind=[0, 1, 0], duplicate_of=[None, None, 3]))

    assert store.sink.views_lacking(SEGMENT) == []


def test_a_segment_that_no_table_counts_is_lacking_nowhere(store: ClickHouseStore) -> None:
    store.insert(block_of(lo=3, rows=3, leaf_kind=1))

    assert store.sink.views_lacking(SEGMENT) == []


def test_a_difference_that_is_not_the_segment_is_left_alone(store: ClickHouseStore) -> None:
    store.insert(block_of(lo=3, rows=3))
    miss(store, "usage_1m", lambda: store.insert(block_of(lo=6, rows=2)))

    with pytest.raises(StoreBusyError, match="usage_1m differs from table events by something else"):
        rebuild(store.client, SEGMENT)


def test_other_minutes_and_tenants_do_not_matter(store: ClickHouseStore) -> None:
    store.insert(block_of(lo=3, rows=3))
    later = NOON.replace(minute=1)
    miss(store, "usage_1m", lambda: store.insert(block_of(lo=6, rows=2, event_time=later)))
    miss(store, "usage_1m", lambda: store.insert(block_of(lo=8, rows=2, tenant_id="globex")))

    assert store.sink.views_lacking(SEGMENT) == []


def test_a_segment_that_is_not_there_is_not_found(store: ClickHouseStore) -> None:
    with pytest.raises(NotFoundError, match="9-10"):
        rebuild(store.client, f"{LOG}/9-10")
