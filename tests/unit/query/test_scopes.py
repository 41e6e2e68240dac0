"""Whose rows a statement may read, as the condition on each of its tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from auditstream.core.errors import InvariantError, StoreSchemaError, StoreTimeoutError
from auditstream.query.periods import Period
from auditstream.query.reader import Reader
from auditstream.query.scopes import TABLES, Bounds, LimitError, Scope, ScopedReader, filters, tables_of
from sinks.migration_files import packaged

ACME = Scope(tenants=frozenset({"acme"}))
MARCH = Period(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))


def test_every_table_of_a_statement_is_held_to_the_tenant() -> None:
    sql = "SELECT * FROM (SELECT 1 FROM events) AS e LEFT JOIN cost_adjustments AS a ON 1 WHERE 0"

    assert filters(sql, ACME) == {
        "events": "tenant_id IN ('acme')",
        "cost_adjustments": "tenant_id IN ('acme')",
    }


def test_a_statements_own_names_and_its_arrays_are_no_tables() -> None:
    sql = "WITH mine AS (SELECT * FROM findings) SELECT * FROM mine ARRAY JOIN costs AS c"

    assert tables_of(sql) == {"findings"}


def test_a_column_that_is_called_like_a_table_is_none() -> None:
    assert tables_of("SELECT count() AS events FROM events_current GROUP BY events") == {"events_current"}


@pytest.mark.parametrize("name", ["system.query_log", "secrets", "access_tokens"])
def test_a_table_of_which_nobody_said_whose_it_is_is_refused(name: str) -> None:
    with pytest.raises(InvariantError, match="nobody said whose"):
        filters(f"SELECT * FROM {name}", ACME)


def test_who_may_see_everybody_is_held_to_nothing() -> None:
    assert filters("SELECT * FROM events", Scope()) == {}


def test_nobodys_rows_are_none() -> None:
    assert filters("SELECT * FROM events", Scope(tenants=frozenset())) == {"events": "0"}


def test_narrowing_to_a_tenant_that_is_not_in_the_scope_leaves_nothing() -> None:
    assert ACME.narrowed("globex").tenants == frozenset()
    assert ACME.narrowed("acme") == ACME.narrowed("") == ACME
    assert Scope().narrowed("acme") == ACME
    assert Scope().narrowed("no'body").tenants == frozenset(), "what is no name of a tenant has no rows"


def test_a_period_cuts_events_at_their_time_and_sums_at_whole_hours() -> None:
    scope = Scope(period=MARCH)

    found = filters("SELECT * FROM events_current JOIN usage_1h ON 1", scope)

    start = "toDateTime64('2026-03-01 00:00:00.000000', 6, 'UTC')"
    end = "toDateTime64('2026-04-01 00:00:00.000000', 6, 'UTC')"
    in_march = f"event_time < {end} AND event_time >= {start}"
    assert found == {
        "events_current": in_march,
        "cost_adjustments": in_march,
        "usage_1h": f"addSeconds(hour, 3599) < {end} AND hour >= {start}",
    }


def test_beneath_a_view_differences_are_held_to_the_period_and_to_no_tenant() -> None:
    scope = Scope(tenants=frozenset({"acme"}), period=MARCH)
    of_march = filters("SELECT 1 FROM events", Scope(period=MARCH))["events"]

    assert filters("SELECT 1 FROM events_as_known", scope)["cost_adjustments"] == of_march
    assert "cost_adjustments" not in filters("SELECT 1 FROM events_current", ACME)
    named = filters("SELECT 1 FROM cost_adjustments", scope)["cost_adjustments"]
    assert named == f"tenant_id IN ('acme') AND {of_march}"


def test_what_is_for_every_tenant_is_seen_beside_ones_own() -> None:
    assert filters("SELECT * FROM tools", ACME) == {"tools": "tenant_id IN ('acme', '')"}


@pytest.mark.parametrize("tenant", ["acme' OR 1=1 --", "ac me", "", "a" * 129, "acme\\"])
def test_a_tenant_that_has_no_tenants_name_never_enters_a_condition(tenant: str) -> None:
    with pytest.raises(InvariantError):
        filters("SELECT * FROM events", Scope(tenants=frozenset({tenant})))


def test_every_table_that_a_migration_makes_is_known_or_kept_back() -> None:
    """A table that is added later is nobody's until somebody says whose its rows are."""
    made = {name for each in packaged() for name in _made(each.text)}

    assert made - set(TABLES) == {"allocation_rules", "access_tokens"}
    assert set(TABLES) <= made


def _made(text: str) -> set[str]:
    return set(re.findall(r"CREATE (?:TABLE|VIEW) IF NOT EXISTS (\w+)", text))


class Stopping:
    """Clients whose every statement the server stops with a code."""

    def __init__(self, code: int) -> None:
        self.code = code
        self.server_settings: dict[str, Any] = {}

    def query(self, *_: object, **settings: Any) -> Any:
        self.settings = settings["settings"]
        raise DatabaseError(f"Code: {self.code}", code=self.code)

    @contextmanager
    def borrow(self) -> Iterator[Any]:
        yield self

    def close(self) -> None:
        """Nothing is open."""


def asked(code: int, scope: Scope, *, limit_s: float = 0.0) -> dict[str, Any]:
    """Ask a store that stops everything, and return the settings that the statement came with."""
    clients: Any = Stopping(code)
    with pytest.raises(LimitError):
        ScopedReader(Reader(clients), scope).table("SELECT 1", {}, doing="test", limit_s=limit_s)
    settings: dict[str, Any] = clients.settings
    return settings


@pytest.mark.parametrize("code", [158, 159, 241, 307, 396])
def test_what_the_store_stops_at_a_bound_is_a_request_for_too_much(code: int) -> None:
    asked(code, Scope(bounds=Bounds(seconds=3)))


@pytest.mark.parametrize("code", [158, 159, 241, 307, 396])
def test_a_question_with_a_limit_of_its_own_is_given_up_by_itself(code: int) -> None:
    clients: Any = Stopping(code)

    with pytest.raises(StoreTimeoutError):
        ScopedReader(Reader(clients), Scope()).table("SELECT 1", {}, doing="test", limit_s=1)

    assert clients.settings == {"max_execution_time": 1}


def test_another_fault_of_the_store_stays_what_it_is() -> None:
    clients: Any = Stopping(60)

    with pytest.raises(StoreSchemaError):
        ScopedReader(Reader(clients), Scope()).table("SELECT 1", {}, doing="test")


def test_the_bounds_of_a_role_go_with_every_statement() -> None:
    bounds = Bounds(seconds=3, read_bytes=7, rows=5)

    assert asked(158, Scope(bounds=bounds)) == {
        "max_execution_time": 3,
        "max_bytes_to_read": 7,
        "max_result_rows": 5,
    }


def test_every_table_that_a_question_reads_is_known() -> None:
    """`system` is the store's own; what is put together at run time is read in the tests of the API."""
    folder = Path(__file__).parents[3] / "auditstream" / "query"
    read = {name for path in folder.glob("*.py") for name in tables_of(path.read_text(encoding="utf-8"))}

    tables = {name for name in read if name in TABLES}
    assert {"events", "cost_adjustments", "usage_1h", "findings", "costs_current", "logs"} <= tables


def test_leaves_that_are_seen_beside_ones_own_are_leaves_of_events_alone() -> None:
    scope = Scope(tenants=frozenset({"acme"}), leaves=frozenset({("audit.events.v1/0/0a1b2c3d", 7)}))

    found = filters("SELECT * FROM events JOIN events_current ON 1", scope)

    assert found["events_current"] == "tenant_id IN ('acme')"
    assert found["events"] == (
        "(tenant_id IN ('acme') OR (log_id, leaf_index) IN (('audit.events.v1/0/0a1b2c3d', 7)))"
    )


def test_a_leaf_whose_log_has_no_logs_name_never_enters_a_condition() -> None:
    with pytest.raises(InvariantError):
        filters("SELECT 1 FROM events", Scope(tenants=frozenset(), leaves=frozenset({("a') OR 1", 1)})))


def test_tables_are_found_however_the_words_before_them_are_written() -> None:
    assert tables_of("select 1 from events left join findings on 1") == {"events", "findings"}


@pytest.mark.parametrize("listed", ["events, findings", "events AS e, findings AS f", "events e ,findings"])
def test_tables_that_are_listed_with_commas_are_refused(listed: str) -> None:
    with pytest.raises(InvariantError, match="commas"):
        filters(f"SELECT a, b FROM {listed} WHERE 1", ACME)
