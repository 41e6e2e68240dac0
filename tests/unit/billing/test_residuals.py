from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from auditstream.billing.bill import Bill, BillLine
from auditstream.billing.residuals import Limit, Recorded, Residual, residuals
from auditstream.emit.bill_findings import bill_findings

DAY, NEXT = date(2026, 11, 3), date(2026, 11, 4)


def bill(*lines: tuple[str, str], day: date = DAY) -> Bill:
    made = Bill()
    for model, amount in lines:
        made.add(BillLine("openai", model, day, "USD", Decimal(amount)))
    return made


def recorded(model: str, amount: str, **more: Any) -> Recorded:
    return Recorded(
        **{
            "provider": "openai",
            "model": model,
            "day": DAY,
            "currency": "USD",
            "amount": Decimal(amount),
            **more,
        }
    )


def test_lines_of_one_model_are_added_up_and_compared() -> None:
    (found,) = residuals(
        bill(("gpt-4o-2024-08-06", "1"), ("GPT-4o", "0.5")),
        [recorded("gpt-4o", "1.2"), recorded("gpt-4o-2024-11-20", "0.2")],
        [DAY],
    )

    assert (found.model, found.billed, found.recorded) == ("gpt-4o", Decimal("1.5"), Decimal("1.4"))
    assert (found.residual, found.percent, found.note) == (Decimal("0.1"), Decimal("6.67"), "")


def test_what_is_on_one_side_only_says_so() -> None:
    found = residuals(bill(("web search tool calls", "3"), ("gpt-4o", "1")), [recorded("gpt-5", "2")], [DAY])

    assert [(each.model, each.note) for each in found] == [
        ("gpt-4o", "only on the bill"),
        ("gpt-5", "only in the record"),
        ("web-search-tool-calls", "only on the bill"),
    ]
    assert found[1].percent is None


def test_a_bill_that_names_no_model_is_compared_as_a_whole() -> None:
    (found,) = residuals(bill(("", "3")), [recorded("a", "1"), recorded("b", "1.5")], [DAY])

    assert (found.model, found.residual) == ("(all)", Decimal("0.5"))


def test_days_that_the_bill_is_not_about_are_not_compared() -> None:
    known = [recorded("gpt-4o", "1"), recorded("gpt-4o", "9", day=NEXT)]

    assert len(residuals(bill(("gpt-4o", "1")), known, [DAY, NEXT])) == 1
    assert residuals(bill(("gpt-4o", "1")), known, [NEXT]) == []


def test_a_provider_that_is_not_on_the_bill_is_not_compared() -> None:
    assert residuals(bill(("m", "1")), [recorded("m", "1", provider="anthropic")], [DAY])[0].recorded == 0


def test_currencies_are_never_mixed() -> None:
    found = residuals(bill(("m", "1")), [recorded("m", "1", currency="EUR")], [DAY])

    assert [(each.currency, each.residual) for each in found] == [("EUR", -1), ("USD", 1)]


def test_events_without_a_price_are_said_where_they_explain_a_residual() -> None:
    (found,) = residuals(bill(("m", "5")), [recorded("m", "0", currency="", unpriced_events=7)], [DAY])

    assert (found.currency, found.note) == ("USD", "7 events without a price")


@pytest.mark.parametrize(
    ("billed", "ours", "is_above"),
    [
        ("100", "99", False),
        ("100", "98.99", True),
        ("100", "101.01", True),
        ("0", "5", True),
        ("5", "0", True),
        ("0.005", "0", False),
        ("0", "0", False),
        ("-100", "-98", True),
    ],
)
def test_a_residual_is_above_only_past_both_limits(billed: str, ours: str, is_above: bool) -> None:
    each = Residual("openai", "m", DAY, "USD", Decimal(billed), Decimal(ours))

    assert each.is_above(Limit()) is is_above


def test_there_is_a_finding_for_each_provider_and_day_with_its_evidence() -> None:
    above = [
        Residual("openai", "a", DAY, "USD", Decimal(10), Decimal(8)),
        Residual("openai", "b", DAY, "USD", Decimal(1), Decimal(2)),
        Residual("openai", "a", NEXT, "USD", Decimal(5), Decimal(0)),
    ]

    first, second = bill_findings(above, ["ab" * 32], "")

    assert first.rule_id == "bill-residual"
    assert first.title == (
        "openai billed 11 USD on 2026-11-03 where 10 is recorded, in 2 models; files abababababab"
    )
    assert first.contributors == {"a": 2.0, "b": -1.0}
    assert first.excess_cost == 1
    assert first.window_start == datetime(2026, 11, 3, tzinfo=UTC)
    assert first.scope == f"provider=openai day=2026-11-03 currency=USD bill_sha256={'ab' * 32}"
    assert [each.finding_id for each in bill_findings(above, ["ab" * 32], "")] == [
        first.finding_id,
        second.finding_id,
    ]
    assert bill_findings(above, ["cd" * 32], "")[0].finding_id != first.finding_id
