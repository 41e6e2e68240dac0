"""Re-rating over recorded events: what is booked, what is shown, and what a second run finds."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from auditstream.core.errors import NotAllowedError
from auditstream.reference.closures import Closure
from auditstream.reference.owners import Credential, Project, Tenant
from auditstream.reference.rates import Contract
from tests.support.events import full_cost
from tests.support.examples import at_length
from tests.support.price_books import model, prices, since
from tests.support.rated_books import LOGS, WEEK, RatedBooks, reported_call
from tests.support.stores import ClickHouseStore

DAY = timedelta(days=1)
CHEAP = model("small", [since(date(2026, 1, 1), prices(input_mtok="1", output_mtok="10"))])
DEAR = model("small", [since(date(2026, 1, 1), prices(input_mtok="3", output_mtok="10"))])
CHEAP_CALL, DEAR_CALL = Decimal("0.002"), Decimal("0.004")
BY_TENANT = (
    "SELECT tenant_id, sum(events), sum(unpriced_events), sum(input_tokens), sum(cost_billed) FROM {} "
    "GROUP BY tenant_id HAVING sum(events) != 0 OR sum(cost_billed) != 0 ORDER BY tenant_id"
)
FROM_EVENTS = (
    "SELECT tenant_id, countIf(NOT (event_type = 'ai.inference' AND input_tokens IS NULL)), "
    "countIf(cost_status = 'unpriced'), sum(ifNull(input_tokens, 0)), sum(ifNull(cost_billed, 0)) "
    "FROM events_current GROUP BY tenant_id ORDER BY tenant_id"
)


@pytest.fixture
def books(store: ClickHouseStore) -> RatedBooks:
    store.client.command("TRUNCATE TABLE cost_adjustments")
    return RatedBooks(store, [CHEAP])


def net(books: RatedBooks, view: str = "costs_current") -> list[tuple[Any, ...]]:
    return books.store.ask(BY_TENANT.format(view))


def as_known(books: RatedBooks, at_s: float) -> list[tuple[Any, ...]]:
    moment = books.store.value(f"SELECT toString(fromUnixTimestamp64Micro({int(at_s * 1e6)}, 'UTC'))")
    return net(books, f"costs_as_known(known_on = '{moment}')")


def booked(books: RatedBooks) -> int:
    return int(books.store.value("SELECT count() FROM cost_adjustments"))


def test_a_closed_week_does_not_change_when_prices_do(books: RatedBooks) -> None:
    books.record(reported_call(), reported_call())
    books.models = [DEAR]

    assert net(books) == [("acme", 2, 0, 2000, 2 * CHEAP_CALL)]
    books.rerate(dry_run=True)
    assert net(books) == [("acme", 2, 0, 2000, 2 * CHEAP_CALL)]
    assert booked(books) == 0


def test_a_week_that_is_rated_again_keeps_the_old_figure_and_shows_the_new(books: RatedBooks) -> None:
    books.record(reported_call(), reported_call())
    books.models = [DEAR]
    before_s = books.clock.now_s()

    summary = books.rerate()

    assert summary.rows == {"reprice": 2}
    assert net(books) == books.store.ask(FROM_EVENTS) == [("acme", 2, 0, 2000, 2 * DEAR_CALL)]
    assert as_known(books, before_s) == [("acme", 2, 0, 2000, 2 * CHEAP_CALL)]
    assert as_known(books, books.clock.now_s()) == [("acme", 2, 0, 2000, 2 * DEAR_CALL)]
    assert books.store.value("SELECT sum(cost_billed) FROM events") == 2 * CHEAP_CALL
    shown = (
        "SELECT arraySum(l -> ifNull(l.billed, 0), costs), price_book_revision, price_basis "
        "FROM events_current LIMIT 1"
    )
    assert books.store.ask(shown) == [(DEAR_CALL, "book-1", "dated")]


def test_a_second_run_books_nothing(books: RatedBooks) -> None:
    books.record(reported_call(), reported_call(model="unheard-of"))
    books.models = [DEAR]
    books.rerate()
    rows = booked(books)

    again = books.rerate()

    assert (again.adjustments, booked(books)) == (0, rows)
    assert again.seen == 2


def test_a_price_change_in_the_middle_prices_both_sides_right(books: RatedBooks) -> None:
    books.models = [
        model(
            "small",
            [
                since(date(2026, 1, 1), prices(input_mtok="1", output_mtok="10")),
                since(date(2026, 3, 4), prices(input_mtok="3", output_mtok="10")),
            ],
        )
    ]
    change = WEEK + 2 * DAY
    books.record(
        reported_call(at=change - timedelta(microseconds=1)),
        reported_call(at=change),
        reported_call(at=change + DAY),
    )

    assert books.store.values("cost_billed") == [CHEAP_CALL, DEAR_CALL, DEAR_CALL]
    assert books.rerate().adjustments == 0


def test_a_price_that_goes_back_and_forth_is_booked_each_time(books: RatedBooks) -> None:
    books.record(reported_call())
    known = []
    for models in ([DEAR], [CHEAP], [DEAR]):
        books.models = models
        books.rerate()
        known.append((books.clock.now_s(), net(books)[0][-1]))

    assert [cost for _, cost in known] == [DEAR_CALL, CHEAP_CALL, DEAR_CALL]
    assert booked(books) == 3
    for at_s, cost in known:
        assert as_known(books, at_s)[0][-1] == cost


def test_a_model_that_gets_a_price_is_unpriced_no_more_and_nothing_counts_twice(books: RatedBooks) -> None:
    books.models = []
    books.record(reported_call())
    assert net(books) == [("acme", 1, 1, 1000, Decimal(0))]
    books.models = [CHEAP]

    summary = books.rerate()

    assert summary.rows == {"reprice": 2}
    assert net(books) == books.store.ask(FROM_EVENTS) == [("acme", 1, 0, 1000, CHEAP_CALL)]
    by_currency = (
        "SELECT cost_currency, sum(events), sum(input_tokens) FROM costs_current GROUP BY 1 ORDER BY 1"
    )
    assert books.store.ask(by_currency) == [("", 0, 0), ("USD", 1, 1000)]
    reason = "SELECT unpriced_reason FROM {}"
    assert books.store.ask(reason.format("events")) == [("unknown_model",)]
    assert books.store.ask(reason.format("events_current")) == [("",)]


def test_a_call_that_stays_unpriced_is_listed_with_the_reason(books: RatedBooks) -> None:
    books.record(reported_call(model="unheard-of"), reported_call())

    summary = books.rerate(dry_run=True)

    assert summary.table() == [
        ("unpriced", "acme", "acme", "unheard-of", "", 1, None, None, None, "unknown_model")
    ]


def test_a_dry_run_says_by_tenant_and_model_what_would_change(books: RatedBooks) -> None:
    books.record(reported_call(), reported_call(), reported_call(tenant_id="globex"))
    books.models = [DEAR]

    summary = books.rerate(dry_run=True)

    assert summary.table() == [
        ("changed", "acme", "acme", "small", "USD", 2, 2 * CHEAP_CALL, 2 * DEAR_CALL, Decimal("0.004"), ""),
        ("changed", "globex", "acme", "small", "USD", 1, CHEAP_CALL, DEAR_CALL, Decimal("0.002"), ""),
    ]
    assert booked(books) == 0


def test_only_the_tenant_provider_and_model_that_are_asked_for_change(books: RatedBooks) -> None:
    books.record(reported_call(), reported_call(tenant_id="globex"))
    books.models = [DEAR]

    assert books.rerate(provider="other").seen == 0
    assert books.rerate(model="large").seen == 0
    books.rerate(tenant="globex", provider="acme", model="small")
    assert net(books) == [("acme", 1, 0, 1000, CHEAP_CALL), ("globex", 1, 0, 1000, DEAR_CALL)]
    books.rerate()
    assert net(books) == [("acme", 1, 0, 1000, DEAR_CALL), ("globex", 1, 0, 1000, DEAR_CALL)]


def test_an_event_outside_the_period_is_left_alone(books: RatedBooks) -> None:
    books.record(reported_call(at=WEEK), reported_call(at=WEEK + DAY), reported_call(at=WEEK + 2 * DAY))
    books.models = [DEAR]

    books.rerate(start=WEEK + DAY, end=WEEK + 2 * DAY)

    shown = books.store.ask("SELECT cost_billed FROM events_current ORDER BY leaf_index")
    assert shown == [(CHEAP_CALL,), (DEAR_CALL,), (CHEAP_CALL,)]


UNDATED_CHEAP = model("small", prices(input_mtok="1", output_mtok="10"))
UNDATED_DEAR = model("small", prices(input_mtok="3", output_mtok="10"))


def test_todays_price_of_no_known_date_does_not_replace_what_was_booked(books: RatedBooks) -> None:
    books.models = [UNDATED_CHEAP]
    books.record(reported_call())
    books.models = [UNDATED_DEAR]

    summary = books.rerate()

    assert (summary.adjustments, net(books)[0][-1]) == (0, CHEAP_CALL)
    assert summary.table() == [("kept", "acme", "acme", "small", "", 1, None, None, None, "undated")]
    books.rerate(take_undated=True)
    assert net(books)[0][-1] == DEAR_CALL


def test_a_price_that_left_the_book_stays_booked(books: RatedBooks) -> None:
    books.record(reported_call())
    books.models = []

    summary = books.rerate()

    assert (summary.adjustments, net(books)[0][-1]) == (0, CHEAP_CALL)
    assert summary.table() == [("kept", "acme", "acme", "small", "", 1, None, None, None, "no_price")]


def test_costs_that_an_event_brought_are_never_priced_again(books: RatedBooks) -> None:
    amounts = dict.fromkeys(("list", "contracted", "effective", "billed"), Decimal("0.5"))
    books.record(reported_call(costs=[full_cost() | amounts | {"currency": "EUR"}]))
    books.models = [DEAR]

    assert books.rerate().adjustments == 0
    assert net(books) == [("acme", 1, 0, 1000, Decimal("0.5"))]


OWNED = [
    Tenant(tenant_id="acme", name="A", valid_from=WEEK - DAY),
    Tenant(tenant_id="globex", name="G", valid_from=WEEK - DAY),
]
KEY = Credential(credential_id="key-1", tenant_id="globex", project_id="p", valid_from=WEEK - DAY)


def test_a_late_credential_moves_events_with_their_cost(books: RatedBooks) -> None:
    books.facts, books.revision = {1: OWNED, 2: [KEY]}, 1
    books.record(reported_call(tenant_id="", credential_id="key-1"), reported_call())
    assert net(books) == [("acme", 1, 0, 1000, CHEAP_CALL), ("unattributed", 1, 0, 1000, CHEAP_CALL)]
    before_s, books.revision = books.clock.now_s(), 2

    summary = books.rerate()

    assert summary.rows == {"attribution": 2}
    moved = [("acme", 1, 0, 1000, CHEAP_CALL), ("globex", 1, 0, 1000, CHEAP_CALL)]
    assert net(books) == books.store.ask(FROM_EVENTS) == moved
    assert as_known(books, before_s)[1][0] == "unattributed"
    owner = (
        "SELECT tenant_id, project_id, attribution_method FROM events_current WHERE credential_id = 'key-1'"
    )
    assert books.store.ask(owner) == [("globex", "p", "registry")]
    assert books.store.ask(
        "SELECT old_revision, new_revision, stands FROM cost_adjustments ORDER BY stands"
    ) == [("1", "2", False), ("1", "2", True)]
    assert books.rerate().adjustments == 0


def test_what_was_filled_in_is_filled_in_anew_and_what_an_event_said_stays(books: RatedBooks) -> None:
    project = Project(tenant_id="acme", project_id="p", team_id="old", valid_from=WEEK - DAY)
    corrected = Project(tenant_id="acme", project_id="p", team_id="new", valid_from=WEEK - DAY)
    books.facts, books.revision = {1: [*OWNED, project], 2: [corrected]}, 1
    books.record(reported_call(project_id="p"), reported_call(project_id="p", team_id="old"))
    assert books.store.values("team_id") == ["old", "old"]
    books.revision = 2

    assert books.rerate().rows == {"attribution": 2}
    assert books.store.ask("SELECT team_id FROM events_current ORDER BY leaf_index") == [("new",), ("old",)]


def test_an_event_that_moves_and_gets_a_price_does_both_once(books: RatedBooks) -> None:
    books.facts, books.revision, books.models = {1: OWNED, 2: [KEY]}, 1, []
    books.record(reported_call(tenant_id="", credential_id="key-1"))
    books.revision, books.models = 2, [CHEAP]

    assert books.rerate().rows == {"attribution": 2, "reprice": 2}
    assert net(books) == books.store.ask(FROM_EVENTS) == [("globex", 1, 0, 1000, CHEAP_CALL)]
    books.models = [DEAR]
    books.rerate()
    assert net(books) == books.store.ask(FROM_EVENTS) == [("globex", 1, 0, 1000, DEAR_CALL)]


def test_one_call_is_not_counted_as_two_where_sdk_and_gateway_went_to_different_partitions(
    books: RatedBooks,
) -> None:
    books.record(reported_call("r-1"), log=LOGS[1], arrived=WEEK + timedelta(seconds=1))
    books.record(reported_call("r-1"), reported_call("r-2"), log=LOGS[0], arrived=WEEK + timedelta(seconds=2))
    assert net(books) == [("acme", 3, 0, 3000, 3 * CHEAP_CALL)]

    summary = books.rerate()

    assert summary.rows == {"same_call": 1}
    assert net(books) == books.store.ask(FROM_EVENTS) == [("acme", 2, 0, 2000, 2 * CHEAP_CALL)]
    settled = f"SELECT input_tokens, cost_status, costs FROM events_current WHERE log_id = '{LOGS[0]}'"
    assert books.store.ask(f"{settled} AND leaf_index = 0") == [(None, "none", [])]
    assert books.store.value("SELECT same_call_as FROM cost_adjustments") == f"{LOGS[1]}/0"
    assert books.rerate().adjustments == 0
    books.models = [DEAR]
    books.rerate()
    assert net(books) == books.store.ask(FROM_EVENTS) == [("acme", 2, 0, 2000, 2 * DEAR_CALL)]


def test_a_report_without_counts_does_not_count_beside_one_that_has_them(books: RatedBooks) -> None:
    books.record(reported_call("r-1", usage=None), log=LOGS[1], arrived=WEEK)
    books.record(reported_call("r-1"), log=LOGS[0], arrived=WEEK + timedelta(seconds=2))
    assert net(books)[0][:3] == ("acme", 2, 1)

    books.rerate()

    assert net(books) == [("acme", 1, 0, 1000, CHEAP_CALL)]


def test_reports_that_turn_out_to_be_of_two_tenants_are_two_calls_again(books: RatedBooks) -> None:
    books.facts, books.revision = {1: OWNED, 2: [KEY]}, 1
    unknown = {"tenant_id": "", "credential_id": "key-1"}
    books.record(reported_call("r-1", tenant_id=""), log=LOGS[1], arrived=WEEK)
    books.record(reported_call("r-1", **unknown), log=LOGS[0], arrived=WEEK + timedelta(seconds=2))
    books.rerate()
    assert net(books) == [("unattributed", 1, 0, 1000, CHEAP_CALL)]
    books.revision, books.models = 2, [DEAR]

    books.rerate()

    both = [("globex", 1, 0, 1000, DEAR_CALL), ("unattributed", 1, 0, 1000, DEAR_CALL)]
    assert net(books) == books.store.ask(FROM_EVENTS) == both
    assert books.rerate().adjustments == 0


def test_whoever_an_event_was_recorded_for_and_whoever_owns_it_has_a_difference_of_it(
    books: RatedBooks,
) -> None:
    """So that a tenant without differences has its events as they were recorded."""
    again = Credential(credential_id="key-1", tenant_id="initech", valid_from=WEEK - DAY)
    third = Tenant(tenant_id="initech", name="I", valid_from=WEEK - DAY)
    books.facts, books.revision = {1: [*OWNED, third], 2: [KEY], 3: [again]}, 1
    unknown = {"tenant_id": "", "credential_id": "key-1"}
    books.record(reported_call("r-1", **unknown), reported_call("r-2"), log=LOGS[1], arrived=WEEK)
    books.record(reported_call("r-1", **unknown), log=LOGS[0], arrived=WEEK + timedelta(seconds=2))
    for books.revision, books.models in ((2, [CHEAP]), (3, [DEAR]), (3, [CHEAP])):
        books.rerate()

    owners = books.store.ask(
        "SELECT e.tenant_id, c.tenant_id, groupUniqArray(a.tenant_id) FROM cost_adjustments AS a "
        "JOIN events AS e USING (log_id, leaf_index) JOIN events_current AS c USING (log_id, leaf_index) "
        "GROUP BY log_id, leaf_index, e.tenant_id, c.tenant_id"
    )
    assert {(recorded, current) for recorded, current, _ in owners} == {
        ("acme", "acme"),
        ("unattributed", "initech"),
    }
    assert all({recorded, current} <= set(booked) for recorded, current, booked in owners)


@pytest.mark.parametrize("step", ["before_append", "after_append"])
@pytest.mark.parametrize("append", [2, *at_length((1, 3))])
def test_a_run_that_is_broken_off_and_run_again_ends_the_same(
    books: RatedBooks, step: str, append: int
) -> None:
    for number, log in enumerate(LOGS):
        books.record(reported_call("r-1"), reported_call(), log=log, arrived=WEEK + number * DAY / 100)
    books.models = [DEAR]
    seen = []

    def break_off(at: str) -> None:
        if at == step:
            seen.append(at)
            if len(seen) == append:
                raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        books.rerate(checkpoint=break_off)
    assert booked(books) == (append if step == "after_append" else append - 1) * 2
    books.rerate()

    assert net(books) == books.store.ask(FROM_EVENTS) == [("acme", 4, 0, 4000, 4 * DEAR_CALL)]
    assert booked(books) == 4 + 2
    assert books.store.value("SELECT uniqExact(adjustment_id) FROM cost_adjustments") == 6


def test_of_two_runs_side_by_side_each_difference_is_booked_once(books: RatedBooks) -> None:
    books.record(reported_call(), reported_call(tenant_id="globex"))
    books.models = [DEAR]
    other = []

    def interfere(step: str) -> None:
        if step == "before_append" and not other:
            other.append(books.rerate(tenant="acme"))

    books.rerate(checkpoint=interfere)

    assert other[0].adjustments == 1
    assert net(books) == [("acme", 1, 0, 1000, DEAR_CALL), ("globex", 1, 0, 1000, DEAR_CALL)]
    assert booked(books) == 2


def test_a_closed_month_needs_a_second_person(books: RatedBooks) -> None:
    books.record(reported_call())
    books.models, books.closures = [DEAR], [closure()]

    with pytest.raises(NotAllowedError, match=r"2026-03 of all, by cfo"):
        books.rerate()
    assert booked(books) == 0
    books.rerate(approved_by="bob")

    assert net(books)[0][-1] == DEAR_CALL
    assert books.store.ask("SELECT actor, approved_by FROM cost_adjustments") == [("ann", "bob")]


def test_nothing_moves_out_of_a_month_that_another_tenant_closed(books: RatedBooks) -> None:
    books.facts, books.revision = {1: OWNED, 2: [KEY]}, 1
    books.record(reported_call(tenant_id="", credential_id="key-1"))
    books.revision, books.closures = (
        2,
        [closure(tenant_id="unattributed-not", month="2026-02"), closure(tenant_id="globex")],
    )

    with pytest.raises(NotAllowedError, match=r"2026-03 of globex"):
        books.rerate(tenant="unattributed")
    assert booked(books) == 0


def closure(**changes: Any) -> Closure:
    return Closure(**{"month": "2026-03", "closed_by": "cfo", "valid_from": WEEK + 30 * DAY, **changes})


def test_it_is_told_of_once_and_before_the_first_row(books: RatedBooks) -> None:
    books.record(reported_call(), log=LOGS[0])
    books.record(reported_call(), log=LOGS[1])
    books.models = [DEAR]
    told: list[int] = []

    books.rerate(before_append=lambda: told.append(booked(books)))
    assert told == [0]
    books.rerate(before_append=lambda: told.append(-1))
    assert told == [0], "what changes nothing is not told of"


def test_a_contract_that_is_signed_late_prices_what_it_covers(books: RatedBooks) -> None:
    contract = Contract(
        contract_id="c-1", tenant_id="acme", provider="acme", kind="discount", discount_pct=Decimal(25),
        valid_from=WEEK - DAY,
    )  # fmt: skip
    books.facts, books.revision, books.models = {1: OWNED, 2: [contract]}, 1, [UNDATED_CHEAP]
    books.record(reported_call(), reported_call(tenant_id="globex"))
    books.revision = 2

    assert books.rerate().rows == {"reprice": 1}
    costs = "SELECT tenant_id, sum(cost_list), sum(cost_billed) FROM costs_current GROUP BY 1 ORDER BY 1"
    assert books.store.ask(costs) == [
        ("acme", CHEAP_CALL, CHEAP_CALL * 3 / 4), ("globex", CHEAP_CALL, CHEAP_CALL)
    ]  # fmt: skip
