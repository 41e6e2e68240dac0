"""Agent runs, against the tables as migrated."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from auditstream.core.errors import RequestError
from auditstream.query.grammar import parse
from auditstream.query.periods import Period
from auditstream.query.reader import Reader
from auditstream.query.runs import Run, runs
from tests.support.blocks import NOON, block_of
from tests.support.kept_engine import KeptEngine
from tests.support.stores import ClickHouseStore, OpenClient, reading

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def reader(engine: OpenClient, kept_engine: KeptEngine) -> Iterator[Reader]:
    """Asks a store with two runs (a: three events, b: two), a call alone, and one without a trace."""
    with kept_engine.migrated() as store:
        _insert(store)
        with reading(engine, store) as opened:
            yield opened


def _insert(store: ClickHouseStore) -> None:
    store.insert(
        block_of(
            rows=7,
            trace_id=["a", "a", "a", "b", "b", "alone", ""],
            event_time=[
                NOON, NOON + timedelta(seconds=2), NOON + timedelta(seconds=1), NOON + HOUR, NOON + HOUR,
                NOON + 2 * HOUR, NOON + 3 * HOUR,
            ],
            duration_us=[None, 500_000, 9_000_000, None, 0, 1, 1],
            tenant_id=["acme", "acme", "acme", "globex", "globex", "acme", "acme"],
            agent_id=["planner", "", "helper", "", "", "planner", "planner"],
            outcome=["SUCCESS", "FAILURE", "BLOCKED", "SUCCESS", "", "SUCCESS", "SUCCESS"],
            input_tokens=[10, 20, None, None, 7, 1, 1],
            output_tokens=[1, None, None, None, None, 1, 1],
            cost_effective=[Decimal("0.1"), Decimal("0.2"), Decimal(3), None, None, Decimal(1), Decimal(1)],
            cost_currency=["USD", "USD", "EUR", "", "", "USD", "USD"],
            cost_status=["priced", "priced", "priced", "none", "unpriced", "priced", "priced"],
        )
    )  # fmt: skip


def found(reader: Reader, query: str = "", period: Period | None = None, limit: int = 10) -> list[Run]:
    return runs(reader, parse(query), period or Period(), limit=limit)


def test_a_run_is_a_trace_of_two_events_and_more_the_newest_first(reader: Reader) -> None:
    assert [run.trace_id for run in found(reader)] == ["b", "a"]


def test_a_run_tells_how_long_it_took_what_failed_and_what_it_cost(reader: Reader) -> None:
    _, run = found(reader)

    assert run == Run(
        trace_id="a",
        start=NOON,
        end=NOON + timedelta(seconds=10),
        agents=("helper", "planner"),
        tenants=("acme",),
        events=3,
        failed=2,
        tokens=31,
        costs={"USD": Decimal("0.3"), "EUR": Decimal(3)},
        unpriced=0,
    )


def test_a_run_without_a_price_has_no_costs(reader: Reader) -> None:
    run, _ = found(reader)

    assert (run.costs, run.unpriced, run.tokens) == ({}, 1, 7)


def test_a_run_is_found_by_one_of_its_events_and_told_of_as_a_whole(reader: Reader) -> None:
    (run,) = found(reader, "outcome:failure")

    assert (run.trace_id, run.events, run.failed) == ("a", 3, 2)
    assert found(reader, "outcome:failure tenant:globex") == []


def test_a_run_that_began_before_the_period_is_told_of_as_a_whole(reader: Reader) -> None:
    (run,) = found(reader, period=Period(NOON + timedelta(seconds=2), NOON + timedelta(minutes=1)))

    assert (run.trace_id, run.events, run.start) == ("a", 3, NOON)
    assert found(reader, period=Period(NOON - HOUR, NOON)) == []


def test_no_more_runs_than_the_limit(reader: Reader) -> None:
    assert [run.trace_id for run in found(reader, limit=1)] == ["b"]
    with pytest.raises(RequestError, match="limit 0: not between 1 and 500"):
        found(reader, limit=0)
