"""Calls that two logs report, settled by the product itself while events are recorded."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from auditstream.reference.closures import Closure
from auditstream.reference.owners import Credential, Tenant
from tests.support.price_books import model, prices, since
from tests.support.rated_books import LOGS, WEEK, RatedBooks, reported_call
from tests.support.stores import ClickHouseStore

NOW = WEEK + timedelta(minutes=10)
CHEAP = model("small", [since(date(2026, 1, 1), prices(input_mtok="1", output_mtok="10"))])
ONE_CALL = Decimal("0.002")
NET = (
    "SELECT tenant_id, sum(events), sum(input_tokens), sum(cost_billed) FROM costs_current "
    "GROUP BY tenant_id HAVING sum(events) != 0 ORDER BY tenant_id"
)


@pytest.fixture
def books(store: ClickHouseStore) -> RatedBooks:
    store.client.command("TRUNCATE TABLE cost_adjustments")
    return RatedBooks(store, [CHEAP])


def twice(books: RatedBooks, response_id: str = "r-1", **changes: Any) -> None:
    """Record two reports of a call; that in the last log arrived first."""
    for number, log in enumerate((LOGS[2], LOGS[0])):
        arrived = WEEK + timedelta(seconds=number)
        books.record(reported_call(response_id, **changes), log=log, arrived=arrived)


def settled(books: RatedBooks) -> list[tuple[Any, ...]]:
    return books.store.ask(
        "SELECT log_id, leaf_index, kind, same_call_as, actor FROM cost_adjustments ORDER BY ALL"
    )


def test_a_call_that_two_logs_report_counts_once_soon_after(books: RatedBooks) -> None:
    twice(books)
    assert books.store.ask(NET) == [("acme", 2, 2000, 2 * ONE_CALL)]

    assert books.settle(NOW) == 1

    assert books.store.ask(NET) == [("acme", 1, 1000, ONE_CALL)]
    assert settled(books) == [(str(LOGS[0]), 0, "same_call", f"{LOGS[2]}/0", "auditstream")]
    assert books.settle(NOW) == 0
    assert books.rerate().adjustments == 0, "a re-rating settles the same"


def test_a_third_report_that_comes_later_is_settled_too(books: RatedBooks) -> None:
    twice(books)
    books.settle(NOW)
    books.record(reported_call("r-1"), log=LOGS[1], arrived=WEEK - timedelta(seconds=1))

    assert books.settle(NOW) == 1
    assert books.store.ask(NET) == [("acme", 1, 1000, ONE_CALL)]
    assert books.rerate().adjustments == 0


def test_reports_of_other_tenants_and_of_long_ago_are_left_alone(books: RatedBooks) -> None:
    books.record(reported_call("r-1"), log=LOGS[0])
    books.record(reported_call("r-1", tenant_id="globex"), log=LOGS[1])
    twice(books, "r-2", at=NOW - timedelta(hours=5))

    assert books.settle(NOW) == 0


def test_a_report_is_taken_off_where_it_was_moved_to(books: RatedBooks) -> None:
    owned = [Tenant(tenant_id=name, name=name, valid_from=WEEK) for name in ("acme", "globex")]
    key = Credential(credential_id="key-1", tenant_id="globex", valid_from=WEEK)
    books.facts, books.revision = {1: owned, 2: [key]}, 1
    books.record(reported_call("r-1", tenant_id="", credential_id="key-1"), log=LOGS[0])
    books.revision = 2
    books.rerate()
    books.record(reported_call("r-1", tenant_id="globex"), log=LOGS[1], arrived=WEEK - timedelta(seconds=1))

    assert books.settle(NOW) == 1

    assert books.store.ask(NET) == [("globex", 1, 1000, ONE_CALL)]
    assert books.rerate().adjustments == 0


def test_nothing_is_taken_off_a_closed_month(books: RatedBooks) -> None:
    twice(books)
    books.closures = [Closure(month="2026-03", closed_by="cfo", valid_from=WEEK)]

    assert books.settle(NOW) == 0
    assert books.store.ask(NET) == [("acme", 2, 2000, 2 * ONE_CALL)]
