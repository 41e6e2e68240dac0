"""Budgets of failures by numbers reckoned by hand: what is left, what a day spent, how fast it burns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from auditstream.notify.slo_standing import Counted
from schemas.records.vocabulary import SignalState
from tests.unit.notify.slos import NOON, days_before, standing

DAY = 1_440


def test_days_of_the_ledger_add_up_to_what_is_spent() -> None:
    """1,000,000 events at 99.9 % allow 1,000 bad ones: 250, 100 and 50 of them are 40 %."""
    found = standing(
        earlier={
            days_before(20): Counted(250, 600_000),
            days_before(3): Counted(100, 300_000),
            days_before(0): Counted(50, 100_000),
        }
    )

    spent = {each.day: round(each.spent, 9) for each in found.ledger if each.spent}
    assert spent == {days_before(20): 0.25, days_before(3): 0.1, days_before(0): 0.05}
    assert [round(each.left, 9) for each in found.ledger if each.spent] == [0.6, 0.65, 0.75]
    assert (len(found.ledger), found.ledger[0].day) == (30, NOON.date())
    assert (found.total, found.left) == (Counted(400, 1_000_000), pytest.approx(0.6))
    assert found.good_share == 0.9996


def test_a_day_before_the_period_counts_no_more() -> None:
    found = standing(
        earlier={days_before(29): Counted(3, 1_000), days_before(30): Counted(900, 1_000)}, objective="0.99"
    )

    assert found.total == Counted(3, 1_000)
    assert found.ledger[-1].day == days_before(29)


def test_the_last_event_that_the_budget_allows_ends_it() -> None:
    assert not standing(earlier={days_before(1): Counted(0, 1_000)}).is_spent
    spent = standing(earlier={days_before(1): Counted(1, 1_000)}, reaction="throttle")
    assert (spent.left, spent.is_spent, spent.asked) == (0.0, True, SignalState.THROTTLE)


def test_a_budget_of_few_events_is_not_called_gone() -> None:
    """One of 99 is ten times what 99.9 % allows, and says nothing."""
    few = standing(earlier={days_before(1): Counted(1, 99)}, reaction="block")

    assert few.left < 0
    assert (few.is_spent, few.asked) == (False, SignalState.ALLOW)


def test_rates_are_shares_of_bad_events_over_the_share_that_is_allowed() -> None:
    """Of 100 a minute 2 are bad in the last 30 minutes, none in the 30 before: 2 % and 1 % at 99.9 %."""
    found = standing((30, 0, 2, 100), (60, 30, 0, 100))

    rates = {minutes: round(rate, 6) for minutes, rate in found.rates.items()}
    assert (rates[5], rates[30], rates[60]) == (20.0, 20.0, 10.0)
    assert rates[360] == 10.0  # nothing else happened in it
    assert found.counted[60] == Counted(60, 6_000)


@pytest.mark.parametrize(
    ("stretches", "row"),
    [
        # 1.6 % for an hour is 16 times; 14.4 pages.
        ([(60, 0, 16, 1_000)], "page_fast"),
        # The same for half an hour is 8 times over the hour, 8 over six: more than 6.
        ([(30, 0, 16, 1_000), (60, 30, 0, 1_000)], "page_slow"),
        # 7 times over 6 hours: 6 pages.
        ([(360, 0, 7, 1_000)], "page_slow"),
        # 4 times over a day: 3 is a ticket.
        ([(DAY, 0, 4, 1_000)], "ticket_fast"),
        # 1.5 times over 3 days: 1 is a ticket.
        ([(3 * DAY, 0, 3, 2_000)], "ticket_slow"),
        # Half of what is allowed.
        ([(3 * DAY, 0, 1, 2_000)], None),
        # An hour ago it burned: the hour is above, its last 5 minutes are not.
        ([(60, 6, 20, 1_000), (6, 0, 0, 1_000)], "page_slow"),
        # It has ended long ago for the short windows of pages, and not for those of tickets.
        ([(DAY, 60, 4, 1_000), (60, 0, 0, 1_000)], "ticket_slow"),
    ],
)
def test_a_row_fires_when_both_of_its_windows_burn(
    stretches: list[tuple[int, int, int, int]], row: str | None
) -> None:
    found = standing(*stretches)

    assert (found.firing.name if found.firing else None) == row
    assert (found.level >= 1) == (row is not None)


def test_nobody_is_paged_for_a_window_of_few_events() -> None:
    few = standing((60, 5, 0, 1), (5, 0, 8, 8))  # 8 bad of 95: 84 times what is allowed
    assert few.counted[60].valid == 95
    assert few.firing is not None
    assert not few.firing.pages
    more = standing((60, 5, 0, 2), (5, 0, 8, 8))
    assert more.firing is not None
    assert more.firing.pages


def test_what_the_minute_brought_that_is_not_over_waits_for_the_next() -> None:
    found = standing((1, 0, 1, 10), (0, -1, 5, 10), at=NOON + timedelta(seconds=59))

    assert found.at == NOON
    assert found.counted[5] == Counted(1, 10)


def test_a_projection_goes_on_with_the_rate_of_six_hours() -> None:
    """Half of the budget is left; at 5 times it lasts a tenth of 30 days, though the last hour was quiet."""
    found = standing((60, 0, 0, 1_000), (360, 60, 6, 1_000), earlier={days_before(9): Counted(0, 3_240_000)})

    assert found.left == pytest.approx(0.5)  # 1,800 of 3,600
    assert found.ends_at == datetime(2026, 12, 1, 12, tzinfo=UTC)
    assert standing((360, 0, 0, 1_000)).ends_at is None


def test_without_events_the_budget_is_whole() -> None:
    none = standing()

    assert (none.left, none.good_share, none.firing, none.ends_at) == (1.0, None, None, None)
    assert none.asked is SignalState.ALLOW
