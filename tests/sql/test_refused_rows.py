"""Rows that ClickHouse cannot take as data, found without anything being applied."""

from __future__ import annotations

from decimal import Decimal

import pytest

from auditstream.core.errors import RejectError
from streams.refused_rows import find_refused
from tests.support.blocks import LOG, block_of
from tests.support.stores import ClickHouseStore, OpenClient, new_store

FITS, OVERFLOWS = Decimal("1.5"), Decimal(10) ** 15


def test_the_rows_that_overflow_are_found_and_nothing_is_applied(engine: OpenClient) -> None:
    with new_store(engine) as store:
        narrow(store)
        costs = [OVERFLOWS if number in {3, 8} else FITS for number in range(10)]
        block = block_of(rows=10, cost_list=costs)
        with pytest.raises(RejectError) as refusal:
            store.insert(block)

        found = find_refused(store.sink, block, refusal.value, timeout_s=10)

        assert [*found] == [3, 8]
        assert all("overflow" in said.lower() for said in found.values())
        assert (store.count(), store.counted_by_view()) == (0, 0)
        store.insert(block_of(rows=10, cost_list=FITS))
        assert (store.count(), store.counted_by_view()) == (10, 10)


def test_more_than_a_few_rows_are_not_their_own_fault(engine: OpenClient) -> None:
    with new_store(engine) as store:
        narrow(store)
        block = block_of(LOG, rows=200, cost_list=OVERFLOWS)
        with pytest.raises(RejectError) as refusal:
            store.insert(block)

        with pytest.raises(RejectError) as given_up:
            find_refused(store.sink, block, refusal.value, timeout_s=10)

        assert given_up.value is refusal.value
        assert store.count() == 0


def narrow(store: ClickHouseStore) -> None:
    """Make a column too small for what an event may hold."""
    store.client.command("ALTER TABLE events MODIFY COLUMN cost_list Nullable(Decimal(9, 2))")
