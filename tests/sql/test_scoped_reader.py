"""What a scoped reader sees of a store with rows of three tenants, whatever the statement says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from auditstream.core.errors import InvariantError
from auditstream.query import events, facets
from auditstream.query.periods import Period
from auditstream.query.reader import Reader
from auditstream.query.scopes import Bounds, LimitError, Scope, ScopedReader
from tests.support.blocks import NOON, block_of
from tests.support.stores import ClickHouseStore, OpenClient, reading

TENANTS = ("acme", "globex", "initech")
ROWS = 90
ACME = Scope(tenants=frozenset({"acme"}))
BY_TENANT = ("events", "events_current", "usage_1m", "usage_1h", "outcomes_1m", "costs_current")


@pytest.fixture(scope="module")
def store(engine: OpenClient, migrated: ClickHouseStore) -> Iterator[Reader]:
    """Events of three tenants, one a second."""
    migrated.empty()
    migrated.insert(
        block_of(
            rows=ROWS,
            event_time=[NOON + timedelta(seconds=number) for number in range(ROWS)],
            tenant_id=[TENANTS[number % 3] for number in range(ROWS)],
            outcome="SUCCESS",
        )
    )
    with reading(engine, migrated) as opened:
        yield opened


def tenants_of(reader: Reader, table: str) -> set[str]:
    rows = reader.table(f"SELECT DISTINCT tenant_id FROM {table}", {}, doing="test").rows
    return {str(row[0]) for row in rows}


@pytest.mark.parametrize("table", BY_TENANT)
def test_only_the_tenants_of_the_scope_are_seen(store: Reader, table: str) -> None:
    two = Scope(tenants=frozenset({"acme", "globex"}))

    assert tenants_of(ScopedReader(store, ACME), table) == {"acme"}
    assert tenants_of(ScopedReader(store, two), table) == {"acme", "globex"}
    assert tenants_of(ScopedReader(store, Scope()), table) == set(TENANTS)
    assert tenants_of(ScopedReader(store, Scope(tenants=frozenset())), table) == set()


def test_a_condition_that_names_another_tenant_finds_nothing(store: Reader) -> None:
    sql = "SELECT count() FROM (SELECT * FROM events_current AS e WHERE tenant_id = 'globex' OR 1)"

    assert ScopedReader(store, ACME).table(sql, {}, doing="test").rows == ((30,),)


def test_batches_are_held_to_the_scope_too(store: Reader) -> None:
    batches = ScopedReader(store, ACME).batches("SELECT tenant_id FROM events_current", {}, doing="test")

    assert {value for batch in batches for value in batch.column(0).to_pylist()} == {"acme"}


def test_a_period_is_cut_to_the_microsecond(store: Reader) -> None:
    seen = replace(ACME, period=Period(NOON + timedelta(seconds=3), NOON + timedelta(seconds=9)))

    found = events.search(ScopedReader(store, seen), events.Search())

    assert [row["event_time"].second for row in found.records()] == [6, 3]


def test_more_rows_than_the_bound_are_refused_and_not_cut(store: Reader) -> None:
    bounded = ScopedReader(store, replace(ACME, bounds=Bounds(rows=10)))

    with pytest.raises(LimitError):
        events.search(bounded, events.Search(limit=50))


def test_more_bytes_than_the_bound_are_refused(store: Reader) -> None:
    bounded = ScopedReader(store, replace(ACME, bounds=Bounds(read_bytes=10)))

    with pytest.raises(LimitError):
        bounded.table("SELECT * FROM events_current", {}, doing="test")


def test_a_facet_beyond_the_bound_is_given_up_by_itself(store: Reader) -> None:
    bounded = ScopedReader(store, replace(ACME, bounds=Bounds(read_bytes=10)))

    assert [facet.in_time for facet in facets.facets(bounded, events.Search(), ["tenant"])] == [False]


def test_a_users_own_statement_is_not_taken(store: Reader) -> None:
    with pytest.raises(InvariantError), ScopedReader(store, ACME).stream("SELECT 1"):
        pass


def test_closing_a_scoped_reader_leaves_the_store_open(store: Reader) -> None:
    ScopedReader(store, ACME).close()

    assert tenants_of(store, "events") == set(TENANTS)
