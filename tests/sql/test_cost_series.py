"""Costs over time, against the tables as migrated."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from auditstream.core.errors import RequestError
from auditstream.query.cost_dimensions import DIMENSIONS
from auditstream.query.cost_series import cost_series
from auditstream.query.named_periods import Span
from auditstream.query.reader import Reader
from tests.support.blocks import NOON, block_of
from tests.support.kept_engine import KeptEngine
from tests.support.stores import ClickHouseStore, OpenClient, reading

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
THREE_HOURS = Span(NOON, NOON + 3 * HOUR)


@pytest.fixture(scope="module")
def reader(engine: OpenClient, kept_engine: KeptEngine) -> Iterator[Reader]:
    with kept_engine.migrated() as store:
        _insert(store)
        with reading(engine, store) as opened:
            yield opened


def _insert(store: ClickHouseStore) -> None:
    store.insert(
        block_of(
            rows=6,
            event_time=[NOON, NOON + HOUR, NOON + 2 * HOUR, NOON, NOON + HOUR, NOON + 3 * HOUR],
            tenant_id=["acme", "acme", "acme", "globex", "acme", "acme"],
            team_id=["a", "a", "", "b", "a", "a"],
            cost_effective=[Decimal(3), Decimal(1), Decimal(5), Decimal("0.5"), Decimal(7), Decimal(100)],
            cost_currency=["USD", "USD", "USD", "USD", "EUR", "USD"],
            cost_status="priced",
        )
    )


def test_costs_are_told_by_hour_and_key_the_most_expensive_first(reader: Reader) -> None:
    euros, dollars = cost_series(reader, DIMENSIONS["team"], THREE_HOURS)

    assert (dollars.currency, dollars.step) == ("USD", HOUR)
    assert dollars.starts == (NOON, NOON + HOUR, NOON + 2 * HOUR)
    assert list(dollars.lines.items()) == [
        ("", (0, 0, 5)),
        ("a", (3, 1, 0)),
        ("b", (Decimal("0.5"), 0, 0)),
    ]
    assert dollars.others == ()
    assert (euros.currency, dict(euros.lines)) == ("EUR", {"a": (0, 7, 0)})


def test_a_range_of_centuries_is_told_from_its_first_cost_to_its_last(reader: Reader) -> None:
    from_the_beginning = Span(datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))

    _, dollars = cost_series(reader, DIMENSIONS["tenant"], from_the_beginning)

    assert dollars.starts == (NOON.replace(hour=0),)
    assert dollars.lines["acme"] == (109,)


def test_the_keys_beyond_the_limit_are_summed_up(reader: Reader) -> None:
    _, dollars = cost_series(reader, DIMENSIONS["team"], THREE_HOURS, keys=1)

    assert dict(dollars.lines) == {"": (0, 0, 5)}
    assert dollars.others == (Decimal("3.5"), 1, 0)


def test_the_costs_of_a_longer_range_are_told_by_day(reader: Reader) -> None:
    _, dollars = cost_series(reader, DIMENSIONS["tenant"], Span(NOON - 5 * DAY, NOON + DAY))

    assert dollars.step == DAY
    assert len(dollars.starts) == 7
    assert dollars.lines["acme"] == (0, 0, 0, 0, 0, 109, 0)


def test_only_what_is_booked_to_a_tenant_is_told(reader: Reader) -> None:
    (dollars,) = cost_series(reader, DIMENSIONS["team"], THREE_HOURS, tenant="globex")

    assert dict(dollars.lines) == {"b": (Decimal("0.5"), 0, 0)}
    assert cost_series(reader, DIMENSIONS["team"], THREE_HOURS, tenant="nobody") == []


def test_a_dimension_that_hours_do_not_have_is_refused(reader: Reader) -> None:
    with pytest.raises(RequestError, match="by: costs over time are not known by tool"):
        cost_series(reader, DIMENSIONS["tool"], THREE_HOURS)
