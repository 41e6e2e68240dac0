"""Rollups: what they sum is what events say, whatever an event says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from auditstream.core.ports import Block
from tests.support.blocks import NOON, block_of
from tests.support.stores import ClickHouseStore

MINUTES = [NOON, NOON + timedelta(seconds=59), NOON + timedelta(seconds=60), NOON + timedelta(hours=1)]


def insert_mixture(store: ClickHouseStore) -> None:
    """Four events over an hour: priced, unpriced, failed; a repeat and a dead letter that count nowhere."""
    store.insert(
        block_of(
            rows=6,
            event_time=[*MINUTES, NOON, None],
            leaf_kind=[0, 0, 0, 0, 0, 1],
            duplicate_of=[None, None, None, None, 0, None],
            outcome=["SUCCESS", "FAILURE", "SUCCESS", "SUCCESS", "SUCCESS", ""],
            inference_request_model=["gpt-4o", "gpt-4o", "o3", "o3", "gpt-4o", ""],
            inference_response_model=["gpt-4o-1", "gpt-4o-1", "", "", "gpt-4o-1", ""],
            input_tokens=[10, 20, None, 5, 1000, None],
            output_tokens=[1, 2, 3, None, 1000, None],
            cost_currency="USD",
            cost_status=["priced", "priced", "unpriced", "priced", "priced", ""],
            cost_list=[Decimal("0.1"), Decimal("0.02"), None, Decimal("0.000000000001"), Decimal(9), None],
            cost_effective=[Decimal("0.1"), Decimal("0.02"), None, Decimal(0), Decimal(9), None],
            duration_us=[1000, 2000, 3000, None, 9_999_999, None],
        )
    )


@pytest.mark.parametrize("table", ["usage_1m", "usage_1h", "costs_current"])
def test_sums_are_those_of_the_events_that_count(store: ClickHouseStore, table: str) -> None:
    insert_mixture(store)
    insert_mixture(store)

    sums = (
        "sum(events), sum(failures), sum(unpriced_events), sum(input_tokens), sum(output_tokens), "
        "sum(cost_list), sum(cost_effective)"
    )
    assert store.ask(f"SELECT {sums} FROM {table}") == [
        (4, 1, 1, 35, 6, Decimal("0.120000000001"), Decimal("0.12"))
    ]


def test_events_are_counted_in_the_minute_and_hour_of_their_own_time(store: ClickHouseStore) -> None:
    insert_mixture(store)

    minutes = store.ask("SELECT toString(minute), sum(events) FROM usage_1m GROUP BY minute ORDER BY minute")
    hours = store.ask("SELECT toString(hour), sum(events) FROM usage_1h GROUP BY hour ORDER BY hour")

    assert minutes == [("2026-01-02 12:00:00", 2), ("2026-01-02 12:01:00", 1), ("2026-01-02 13:00:00", 1)]
    assert hours == [("2026-01-02 12:00:00", 3), ("2026-01-02 13:00:00", 1)]


def test_the_model_is_the_one_that_answered_else_the_one_asked_for(store: ClickHouseStore) -> None:
    insert_mixture(store)

    assert store.ask("SELECT model, sum(events) FROM usage_1m GROUP BY model ORDER BY model") == [
        ("gpt-4o-1", 2),
        ("o3", 2),
    ]


def test_outcomes_are_counted_by_how_actions_ended(store: ClickHouseStore) -> None:
    insert_mixture(store)

    assert store.ask("SELECT outcome, sum(events) FROM outcomes_1m GROUP BY outcome ORDER BY outcome") == [
        ("FAILURE", 1),
        ("SUCCESS", 3),
    ]


def test_latency_quantiles_are_within_one_percent(store: ClickHouseStore) -> None:
    durations = [(n * n * 37) % 1_000_003 + 1 for n in range(400)]
    store.insert(block_of(lo=0, rows=200, duration_us=durations[:200]))
    store.insert(block_of(lo=200, rows=200, duration_us=durations[200:]))

    ((found, none),) = store.ask("SELECT duration_us, ttft_us FROM latency_quantiles_1m")

    exact = [pl.Series(durations).quantile(q, "lower") for q in (0.5, 0.9, 0.95, 0.99)]
    assert found == pytest.approx(exact, rel=0.01)
    assert all(value != value for value in none)


@pytest.mark.parametrize("microseconds", [2**63 - 1, -(2**63), 0, -1], ids=str)
def test_no_event_time_can_make_an_insert_fail(store: ClickHouseStore, microseconds: int) -> None:
    block = block_of(rows=2)
    claimed = pl.Series("event_time", [microseconds] * 2, dtype=pl.Int64).cast(pl.Datetime("us", "UTC"))

    store.insert(Block(block.segment_id, block.frame.with_columns(claimed)))

    assert (store.count(), store.counted_by_view()) == (2, 2)


def test_no_count_or_amount_can_make_an_insert_fail(store: ClickHouseStore) -> None:
    most = Decimal("99999999999999999999999999.999999999999")

    store.insert(
        block_of(
            rows=3,
            input_tokens=2**63 - 1,
            duration_us=[2**63 - 1, -(2**63), 0],
            inference_ttft_us=-1,
            cost_list=most,
            http_status=-(2**31),
        )
    )

    assert (store.count(), store.counted_by_view()) == (3, 3)


def test_sums_stay_right_when_parts_merge(store: ClickHouseStore) -> None:
    for lo in (0, 3, 6):
        store.insert(block_of(lo=lo, rows=3, input_tokens=7, cost_list=Decimal("0.1"), cost_currency="USD"))

    store.client.command("OPTIMIZE TABLE usage_1m FINAL")

    assert store.ask("SELECT events, input_tokens, cost_list FROM usage_1m") == [(9, 63, Decimal("0.9"))]


def test_a_block_goes_to_one_partition_of_every_rollup_however_far_its_events_lie_apart(
    store: ClickHouseStore,
) -> None:
    times = [datetime(year, 6, 1, tzinfo=UTC) for year in (1999, 2026, 2099)]

    store.insert(block_of(rows=3, event_time=times))

    partitions = "SELECT uniqExact(partition) FROM system.parts WHERE database = currentDatabase() AND active"
    for table in ("events", "usage_1m", "usage_1h", "outcomes_1m"):
        assert store.value(f"{partitions} AND table = '{table}'") == 1, table
