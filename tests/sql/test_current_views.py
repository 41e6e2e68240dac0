"""`events_current` and `costs_current`: what was learnt later is added, what was recorded stays."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.support.adjustments import adjust
from tests.support.blocks import block_of
from tests.support.stores import ClickHouseStore

CURRENT = "SELECT leaf_index, tenant_id, cost_status, cost_list FROM events_current ORDER BY leaf_index"
NET = (
    "SELECT tenant_id, sum(events), sum(unpriced_events), sum(cost_list) FROM costs_current "
    "GROUP BY tenant_id ORDER BY tenant_id"
)


@pytest.fixture
def recorded(store: ClickHouseStore) -> ClickHouseStore:
    """Leaf 0 cost 1, leaf 1 has no price, leaf 2 repeats leaf 0, leaf 3 is a dead letter, leaf 4 cost 2."""
    store.client.command("TRUNCATE TABLE cost_adjustments")
    store.insert(
        block_of(
            rows=5,
            leaf_kind=[0, 0, 0, 1, 0],
            duplicate_of=[None, None, 0, None, None],
            cost_currency="USD",
            cost_status=["priced", "unpriced", "priced", "", "priced"],
            cost_list=[Decimal(1), None, Decimal(1), None, Decimal(2)],
        )
    )
    return store


def test_repeats_and_dead_letters_are_not_current(recorded: ClickHouseStore) -> None:
    assert recorded.ask(CURRENT) == [
        (0, "acme", "priced", Decimal(1)),
        (1, "acme", "unpriced", None),
        (4, "acme", "priced", Decimal(2)),
    ]
    assert recorded.ask(NET) == [("acme", 3, 1, Decimal(3))]


def test_a_new_price_adds_its_difference(recorded: ClickHouseStore) -> None:
    adjust(recorded, 0, "reprice", cost_list=Decimal("0.5"))
    adjust(recorded, 0, "reprice", cost_list=Decimal("-0.25"))

    assert recorded.ask(CURRENT)[0] == (0, "acme", "priced", Decimal("1.25"))
    assert recorded.ask(NET) == [("acme", 3, 1, Decimal("3.25"))]
    assert recorded.value("SELECT cost_list FROM events WHERE leaf_index = 0") == Decimal(1)


def test_an_event_that_is_priced_late_is_unpriced_no_more(recorded: ClickHouseStore) -> None:
    adjust(recorded, 1, "reprice", cost_list=Decimal(7), unpriced_events=-1)

    assert recorded.ask(CURRENT)[1] == (1, "acme", "priced", Decimal(7))
    assert recorded.ask(NET) == [("acme", 3, 0, Decimal(10))]


def test_an_event_that_moves_takes_its_cost_along(recorded: ClickHouseStore) -> None:
    adjust(recorded, 4, "attribution", events=-1, cost_list=Decimal(-2))
    adjust(recorded, 4, "attribution", tenant="globex", events=1, cost_list=Decimal(2))

    assert recorded.ask(CURRENT)[2] == (4, "globex", "priced", Decimal(2))
    assert recorded.ask(NET) == [("acme", 2, 1, Decimal(1)), ("globex", 1, 0, Decimal(2))]


def test_an_unpriced_event_that_moves_stays_unpriced(recorded: ClickHouseStore) -> None:
    adjust(recorded, 1, "attribution", events=-1, unpriced_events=-1)
    adjust(recorded, 1, "attribution", tenant="globex", events=1, unpriced_events=1)

    assert recorded.ask(CURRENT)[1] == (1, "globex", "unpriced", None)


def test_a_repeat_that_is_found_late_is_current_no_more(recorded: ClickHouseStore) -> None:
    adjust(recorded, 4, "duplicate", events=-1, cost_list=Decimal(-2))

    assert [row[0] for row in recorded.ask(CURRENT)] == [0, 1]
    assert recorded.ask(NET) == [("acme", 2, 1, Decimal(1))]


def test_events_and_costs_agree_after_every_kind_of_adjustment(recorded: ClickHouseStore) -> None:
    adjust(recorded, 0, "reprice", cost_list=Decimal("0.5"))
    adjust(recorded, 1, "reprice", cost_list=Decimal(7), unpriced_events=-1)
    adjust(recorded, 0, "attribution", events=-1, cost_list=Decimal("-1.5"))
    adjust(recorded, 0, "attribution", tenant="globex", events=1, cost_list=Decimal("1.5"))
    adjust(recorded, 4, "duplicate", events=-1, cost_list=Decimal(-2))

    from_events = recorded.ask(
        "SELECT tenant_id, count(), countIf(cost_status = 'unpriced'), sum(ifNull(cost_list, 0)) "
        "FROM events_current GROUP BY tenant_id ORDER BY tenant_id"
    )

    assert recorded.ask(NET) == from_events == [("acme", 1, 0, Decimal(7)), ("globex", 1, 0, Decimal("1.5"))]


def test_what_was_current_at_a_time_leaves_out_what_was_recorded_later(recorded: ClickHouseStore) -> None:
    early, late = (datetime(2026, month, 1, tzinfo=UTC) for month in (3, 4))
    adjust(recorded, 0, "reprice", recorded_at=early, cost_list=Decimal("0.5"))
    adjust(recorded, 0, "reprice", recorded_at=late, cost_list=Decimal("0.25"))
    adjust(recorded, 4, "attribution", recorded_at=late, tenant="acme", events=-1, cost_list=Decimal(-2))
    adjust(recorded, 4, "attribution", recorded_at=late, tenant="globex", events=1, cost_list=Decimal(2))

    def at(moment: str) -> list[tuple]:
        return recorded.ask(CURRENT.replace("events_current", f"events_as_known(known_on = '{moment}')"))

    before = recorded.ask(CURRENT.replace("events_current", "events").replace("ORDER", "WHERE leaf_kind = 0 "
        "AND duplicate_of IS NULL ORDER"))  # fmt: skip
    assert at("2026-02-28 00:00:00") == before
    assert at("2026-03-01 00:00:00") == [
        (0, "acme", "priced", Decimal("1.5")),
        (1, "acme", "unpriced", None),
        (4, "acme", "priced", Decimal(2)),
    ]
    assert at("2026-04-01 00:00:00") == recorded.ask(CURRENT)


def test_the_current_view_has_the_columns_of_events_with_their_comments(migrated: ClickHouseStore) -> None:
    columns = "SELECT name, type, comment FROM system.columns WHERE database = currentDatabase() AND table = "

    assert migrated.ask(columns + "'events_current'") == migrated.ask(columns + "'events'")


def test_the_primary_key_is_used_through_the_view(recorded: ClickHouseStore) -> None:
    plan = recorded.ask(
        "EXPLAIN indexes = 1 SELECT event_id FROM events_current "
        "WHERE tenant_id = 'acme' AND event_time >= '2026-01-02 00:00:00'"
    )

    text = "\n".join(line for (line,) in plan)
    assert "tenant_id in ['acme', 'acme']" in text
