"""What a reader of a period sees beneath views, whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from clickhouse_connect.driver.models import SettingDef

from auditstream.query.period_reader import within
from auditstream.query.periods import Period
from auditstream.query.reader import Reader
from auditstream.query.scopes import Scope, ScopedReader
from tests.support.adjustments import adjust
from tests.support.blocks import NOON, block_of
from tests.support.stores import ClickHouseStore, OpenClient, reading

HOUR = timedelta(hours=1)
FIRST = Period(NOON, NOON + HOUR)
BOOKED = "SELECT leaf_index FROM cost_adjustments ORDER BY leaf_index"
COSTS = "SELECT cost_effective FROM events_current WHERE event_time < {end:DateTime64(6)}"


@pytest.fixture
def reader(engine: OpenClient, store: ClickHouseStore) -> Iterator[Reader]:
    """Two events an hour apart, to both of which a price was booked."""
    store.client.command("TRUNCATE TABLE cost_adjustments")
    store.insert(block_of(rows=2, event_time=[NOON, NOON + HOUR], cost_effective=Decimal(1)))
    adjust(store, 0, "reprice", cost_effective=Decimal(2), event_time=NOON)
    adjust(store, 1, "reprice", cost_effective=Decimal(2), event_time=NOON + HOUR)
    with reading(engine, store) as opened:
        yield opened


def booked(reader: Reader) -> list[int]:
    return [int(leaf) for (leaf,) in reader.table(BOOKED, {}, doing="test").rows]


@pytest.mark.parametrize("is_scoped", [False, True])
def test_differences_of_other_times_are_not_read_and_costs_are_the_same(
    reader: Reader, is_scoped: bool
) -> None:
    asker = ScopedReader(reader, Scope()) if is_scoped else reader
    of_the_hour = within(asker, FIRST)
    end = {"end": NOON + HOUR}

    assert booked(asker) == [0, 1]
    assert booked(of_the_hour) == [0]
    assert booked(within(asker, Period())) == [0, 1]
    assert asker.table(COSTS, end, doing="test").rows == ((Decimal(3),),)
    assert of_the_hour.table(COSTS, end, doing="test").rows == ((Decimal(3),),)
    (batch,) = of_the_hour.batches(BOOKED, {}, doing="test")
    assert batch.column(0).to_pylist() == [0]


def test_closing_it_leaves_the_store_open(reader: Reader) -> None:
    within(reader, FIRST).close()

    assert booked(reader) == [0, 1]


def test_a_store_whose_user_may_set_nothing_is_asked_without(reader: Reader) -> None:
    with reader._clients.borrow() as client:  # the next that is borrowed
        client.server_settings["readonly"] = SettingDef("readonly", "1", 0)

    assert booked(within(reader, FIRST)) == [0, 1]
