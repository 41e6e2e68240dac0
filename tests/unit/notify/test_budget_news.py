"""A change of a budget is told once, under one id, and gateways hear only of what they are asked to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from auditstream.emit.budget_watch import told_before
from auditstream.notify.budget_news import News, Told, news_of, scope_of
from auditstream.notify.budget_standing import Standing
from schemas.records.vocabulary import SignalState
from tests.unit.notify.budgets import NOON, budget, spent

EARLY = datetime(2026, 11, 28, 1, tzinfo=UTC)  # no forecast yet


def told(standing: Standing, before: Told | None = None, now: datetime = EARLY) -> tuple[list[News], Told]:
    news = news_of(standing, before, now)
    assert news
    return news, news[-1].told


def test_a_budget_that_nothing_was_told_of_gives_gateways_a_signal_and_the_record_no_event() -> None:
    (news,) = news_of(spent("1", EARLY), None, EARLY)
    assert news.event_id is None
    assert news.signal is not None
    assert news.signal.state is SignalState.ALLOW
    assert news_of(spent("2", EARLY), news.told, EARLY) == []


def test_each_threshold_is_told_once_and_one_that_was_passed_with_a_higher_one_not_at_all() -> None:
    _, memory = told(spent("1", EARLY))
    (news,), memory = told(spent("55", EARLY), memory)
    assert (news.threshold_pct, news.severity) == (50, 2)
    assert news_of(spent("79", EARLY), memory, EARLY) == []
    (news,), memory = told(spent("120", EARLY), memory)
    assert (news.threshold_pct, news.severity) == (100, 4)
    assert news_of(spent("500", EARLY), memory, EARLY) == []


def test_a_spent_budget_asks_gateways_to_block_until_its_period_ends() -> None:
    (news,), _ = told(spent("100", EARLY, reaction="block"))
    signal = news.signal
    assert signal is not None
    assert signal.state is SignalState.BLOCK
    assert signal.expires == datetime(2026, 11, 29, tzinfo=UTC)
    assert signal.retry_after_us == 23 * 3_600 * 1_000_000
    assert (signal.limit, signal.spent, signal.currency) == (Decimal(100), Decimal(100), "USD")
    assert signal.reason == "100.0 % of 100 USD a day"
    assert news.fields["budget"]["reaction"] == "block"


def test_calls_that_race_through_a_budget_side_by_side_are_told_of_with_all_they_spent() -> None:
    """Budgets that count one call after the other are passed unseen by a hundred that run at once."""
    _, memory = told(spent("0", EARLY, reaction="block"))
    (news,), memory = told(spent("730", EARLY, reaction="block"), memory)

    assert news.signal is not None
    assert (news.signal.state, news.signal.spent) == (SignalState.BLOCK, Decimal(730))
    assert (news.threshold_pct, news.severity) == (100, 4)
    assert news.fields["budget"]["spent"] == Decimal(730)
    assert news_of(spent("731", EARLY, reaction="block"), memory, EARLY) == []


def test_a_new_period_and_a_larger_amount_open_the_gate_again_and_say_so() -> None:
    _, blocked = told(spent("100", EARLY, reaction="block"))
    tomorrow = EARLY + timedelta(days=1)
    (news,), _ = told(spent("0", tomorrow, reaction="block"), blocked, tomorrow)
    assert news.signal is not None
    assert (news.signal.state, news.threshold_pct, news.severity) == (SignalState.ALLOW, 0, 1)
    (news,), _ = told(spent("100", EARLY, reaction="block", amount="400"), blocked)
    assert news.signal is not None
    assert (news.signal.state, news.threshold_pct) == (SignalState.ALLOW, 0)
    assert news.signal.revision > 0


def test_a_new_period_of_a_budget_that_was_never_reached_is_no_news() -> None:
    _, quiet = told(spent("1", EARLY))
    tomorrow = EARLY + timedelta(days=1)
    assert news_of(spent("0", tomorrow), quiet, tomorrow) == []


def test_a_forecast_above_the_amount_is_told_once_a_period_and_not_when_it_is_spent_anyway() -> None:
    news, memory = told(spent("56", NOON), now=NOON)
    assert [(each.is_forecast, each.threshold_pct) for each in news] == [(False, 50), (True, 110)]
    assert news[1].signal is None
    assert news[1].fields["attributes"]["about"] == "forecast"
    assert news[1].fields["budget"]["forecast"] == Decimal(112)
    assert news_of(spent("57", NOON), memory, NOON) == []
    assert [each.is_forecast for each in told(spent("100", NOON), now=NOON)[0]] == [False]


def test_what_is_told_again_has_the_same_id_and_the_next_change_another() -> None:
    (first,), memory = told(spent("50", EARLY))
    (again,), _ = told(spent("51", EARLY))
    (later,), _ = told(spent("80", EARLY), memory)
    assert first.event_id == again.event_id != later.event_id


def test_the_record_says_all_that_has_to_be_remembered() -> None:
    memory = None
    for amount, now in (("56", NOON), ("81", NOON), ("100", NOON)):
        for news in news_of(spent(amount, now, reaction="throttle"), memory, now):
            memory = news.told
            assert told_before(news.fields["attributes"]) == news.told


def test_two_budgets_of_one_scope_have_signals_of_their_own() -> None:
    assert scope_of(budget()) == "budget=search-day/tenant=acme/project_id=search"
    assert scope_of(budget()) != scope_of(budget(budget_id="search-month"))
