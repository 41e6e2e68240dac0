"""What is spent of a budget is exact, its forecast is plain, and what it lacks is said."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import ValidationError

from auditstream.notify.budget_standing import Spent, standing_of
from schemas.records.vocabulary import SignalState
from tests.unit.notify.budgets import NOON, RATES, TODAY, budget, spent


def test_amounts_of_days_and_currencies_add_up_exactly() -> None:
    rows = [
        Spent(TODAY, "USD", Decimal("0.1")),
        Spent(TODAY, "USD", Decimal("0.2")),
        Spent(TODAY, "EUR", Decimal("8.000000000001")),
    ]
    assert standing_of(budget(), rows, RATES, NOON).spent == Decimal("10.300000000001")


def test_what_no_rate_converts_and_what_has_no_price_is_left_out_and_said() -> None:
    rows = [
        Spent(TODAY, "USD", Decimal(5)),
        Spent(TODAY, "JPY", Decimal(700)),
        Spent(TODAY, "JPY", Decimal(50)),
        Spent(TODAY, "", Decimal(0), unpriced_events=3),
    ]
    standing = standing_of(budget(), rows, RATES, NOON)
    assert (standing.spent, standing.left_out, standing.unpriced_events) == (5, {"JPY": Decimal(750)}, 3)


def test_the_forecast_goes_on_at_the_mean_rate_and_says_nothing_in_the_first_twentieth() -> None:
    assert spent("30").forecast == Decimal(60)
    at_one = datetime(2026, 11, 28, 1, tzinfo=UTC)
    at_two = datetime(2026, 11, 28, 2, tzinfo=UTC)
    assert spent("30", at_one).forecast is None
    assert spent("30", at_two).forecast == pytest.approx(Decimal(360))


@pytest.mark.parametrize(
    ("amount", "reached"), [("49.999999999999", 0), ("50", 50), ("99.99", 80), ("100", 100), ("1000", 100)]
)
def test_a_threshold_is_reached_at_its_very_amount(amount: str, reached: int) -> None:
    assert spent(amount).reached_pct == reached


@pytest.mark.parametrize(
    ("reaction", "state"),
    [
        ("notify", SignalState.ALLOW),
        ("throttle", SignalState.THROTTLE),
        ("fallback", SignalState.FALLBACK),
        ("block", SignalState.BLOCK),
    ],
)
def test_gateways_are_asked_for_the_reaction_once_the_amount_is_spent(
    reaction: str, state: SignalState
) -> None:
    fields = {"reaction": reaction, "fallback_model": "small"}
    assert spent("99.999999999999", **fields).state is SignalState.ALLOW
    assert spent("100", **fields).state is state


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        (
            {"scope": {"projct_id": "search"}},
            "'projct_id' is no column of costs; there are project_id, team_id",
        ),
        ({"scope": {"model": ""}}, "model: must not be empty"),
        ({"thresholds_pct": [80, 50]}, "at least one percentage, rising"),
        ({"thresholds_pct": []}, "at least one percentage, rising"),
        ({"reaction": "fallback"}, "fallback_model: must be stated"),
    ],
)
def test_a_budget_that_could_never_work_is_refused_with_the_field(
    fields: dict[str, object], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        budget(**fields)
