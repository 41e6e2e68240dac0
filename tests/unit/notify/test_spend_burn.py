"""Budgets of money that burn, by numbers made by hand: found long before they are spent, told of once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

import pytest

from auditstream.notify.burn_findings import RULE, episode_before
from auditstream.notify.spend_burn import SpendBurning, SpendTold, spend_burning, spend_news_of
from schemas.records.vocabulary import FindingStatus
from tests.unit.notify.budgets import NOON, budget

MONTH = 30 * 1_440  # November


def spent(*stretches: tuple[int, int, str]) -> Mapping[int, Decimal]:
    """Return amounts by minute: from so many minutes before noon on, up to which, so much a minute."""
    now = int(NOON.timestamp()) // 60
    return {
        minute: Decimal(amount)
        for since, until, amount in stretches
        for minute in range(now - since, now - until)
    }


def burning(*stretches: tuple[int, int, str], period: str = "month", later: int = 0) -> SpendBurning:
    found = spend_burning(
        budget(period=period, amount="432.000000000000"), spent(*stretches), NOON + timedelta(minutes=later)
    )
    assert found is not None
    return found


def test_a_rate_of_one_spends_the_budget_in_its_period() -> None:
    """432 USD a month are a cent a minute."""
    even = burning((4_320, 0, "0.01"))

    assert even.period == MONTH
    assert {round(rate, 9) for rate in even.rates.values()} == {1.0}
    assert even.spent[60] == Decimal("0.60")


@pytest.mark.parametrize(
    ("stretches", "row"),
    [
        ([(60, 0, "0.15")], "page_fast"),  # 15 times for an hour
        ([(360, 0, "0.07")], "page_slow"),  # 7 times for six
        ([(1_440, 0, "0.035")], "ticket_fast"),  # 3.5 times for a day
        ([(4_320, 0, "0.011")], "ticket_slow"),  # a tenth too fast for three
        ([(4_320, 0, "0.009")], None),
        ([(20, 0, "0.15"), (4_320, 20, "0.005")], None),  # a burst of a quarter of an hour
        ([(60, 6, "0.2"), (6, 0, "0")], None),  # it is over: 12 USD of 432
    ],
)
def test_a_budget_burns_by_the_same_rows_as_an_objective(
    stretches: list[tuple[int, int, str]], row: str | None
) -> None:
    firing = burning(*stretches).firing

    assert (firing.name if firing else None) == row


def test_a_surge_of_three_times_is_found_with_most_of_the_budget_left() -> None:
    """From one to three times: after a day and some it is a ticket, when a tenth of the budget is gone."""
    before = (4_320, 1_441, "0.01")
    day = burning(before, (1_441, 0, "0.0301"))

    assert day.firing is not None
    assert day.firing.name == "ticket_fast"
    assert day.spent[1_440] / 432 < Decimal("0.11")


def test_a_budget_of_a_day_has_no_windows() -> None:
    assert spend_burning(budget(period="day"), {}, NOON) is None


def test_a_week_has_rows_of_its_own() -> None:
    """432 USD a week are 4.2857 cents a minute; a row of 3.5 times over six hours is 15 cents."""
    weekly = burning((360, 0, "0.16"), period="week")

    assert weekly.firing is not None
    assert weekly.firing.name == "page_slow"


def test_it_is_told_when_it_begins_gets_worse_and_is_over() -> None:
    news, told = spend_news_of(burning((1_440, 0, "0.035")), SpendTold())
    assert news is not None
    finding = news.finding
    assert (finding.rule_id, finding.severity, finding.metric) == (RULE, 3, "spend")
    assert finding.scope == "budget=search-day/project_id=search"
    assert news.title == (
        "budget search-day burns 3.5 times as fast as it may: 50.40 of 432 USD a month within 1440 minutes"
    )
    assert (finding.excess_cost, finding.currency) == (Decimal(36), "USD")  # of 50.40 a day gives 14.40
    assert episode_before(news.fields["attributes"]) == news.episode
    assert news.signal is None

    assert spend_news_of(burning((1_440, 0, "0.035")), told)[0] is None
    worse, told = spend_news_of(burning((60, 0, "0.15")), told)
    assert worse is not None
    assert (worse.finding.finding_id, worse.finding.severity) == (finding.finding_id, 4)
    for minutes in (60, 119):
        none, told = spend_news_of(burning(later=minutes), told)
        assert none is None
    over, told = spend_news_of(burning(later=120), told)
    assert over is not None
    assert (over.finding.status, over.finding.excess_cost) == (FindingStatus.RESOLVED, None)
    assert spend_news_of(burning(later=121), told)[0] is None
