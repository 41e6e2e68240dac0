"""Costs by key: blocks by currency, shares, trend, and what is missing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from auditstream.costing.breakdown import Block, blocks_of
from auditstream.costing.spent import Booked, Spent


def row(key: str, amount: str, currency: str = "USD", *, tenant: str = "acme", **counts: int) -> Booked:
    figures: dict[str, Any] = {"events": 1, **counts, "cost_effective": Decimal(amount)}
    spent = Spent(**figures)
    return Booked((key,), tenant, currency, spent)


def unpriced(key: str, *, tenant: str = "acme") -> Booked:
    return row(key, "0", "", tenant=tenant, unpriced_events=1, unpriced_tokens=70, input_tokens=70)


def blocks(now: list[Booked], before: list[Booked] | None = None, *, limit: int = 50) -> list[Block]:
    return blocks_of(now, before or [], nobody="unattributed", limit=limit, width=1)


def amounts(block: Block) -> dict[str, Decimal | None]:
    return {line.key[0]: line.spent.cost_effective if line.has_amounts else None for line in block.lines}


def test_the_most_expensive_comes_first_with_its_share() -> None:
    (block,) = blocks([row("a", "1"), row("b", "2"), row("a", "0.5"), row("c", "0.5")])

    assert [line.key[0] for line in block.lines] == ["b", "a", "c"]
    assert [str(line.share_pct) for line in block.lines] == ["50.00", "37.50", "12.50"]
    assert block.total.spent.cost_effective == Decimal(4)
    assert block.total.spent.events == 4


def test_amounts_of_two_currencies_are_never_added() -> None:
    found = blocks([row("a", "1"), row("a", "3", "EUR"), unpriced("a"), row("b", "2")])

    assert [block.currency for block in found] == ["EUR", "USD", ""]
    assert [amounts(block) for block in found] == [
        {"a": Decimal(3)},
        {"a": Decimal(1), "b": Decimal(2)},
        {"a": None},
    ]
    assert [str(block.lines[0].share_pct) for block in found[:2]] == ["100.00", "66.67"]
    assert [block.unpriced.spent.unpriced_events for block in found] == [0, 0, 1]


def test_what_has_no_price_has_no_amounts_and_is_counted() -> None:
    (block,) = blocks([row("a", "1"), unpriced("b"), unpriced("a")])

    assert amounts(block) == {"a": Decimal(1), "b": None}
    assert block.lines[0].spent.unpriced_events == 1
    assert block.unpriced.spent.events == 2
    assert block.unpriced.spent.unpriced_tokens == 140
    assert not block.unpriced.has_amounts


def test_nothing_but_calls_without_a_price_has_a_total_without_amounts() -> None:
    (block,) = blocks([unpriced("a")])

    assert (block.currency, block.total.has_amounts) == ("", False)


def test_what_costs_nothing_costs_zero() -> None:
    (block,) = blocks([row("a", "1"), row("tools", "0", "")])

    assert amounts(block) == {"a": Decimal(1), "tools": Decimal(0)}


def test_a_late_price_under_a_currency_takes_the_unpriced_event_away() -> None:
    priced = Booked(
        ("a",), "acme", "EUR", Spent(unpriced_events=-1, unpriced_tokens=-70, cost_effective=Decimal(7))
    )

    found = blocks([unpriced("a"), priced, row("b", "1")])

    assert [(block.currency, block.unpriced.spent.unpriced_events) for block in found] == [
        ("EUR", 0), ("USD", 0), ("", 0),
    ]  # fmt: skip
    assert found[2].unpriced.spent.unpriced_tokens == 0


def test_the_trend_is_against_the_same_key_before() -> None:
    (block,) = blocks([row("a", "3"), row("new", "1")], [row("a", "2"), row("gone", "5"), unpriced("a")])

    told = {line.key[0]: (line.before, line.change, line.change_pct) for line in block.lines}
    assert told == {
        "a": (Decimal(2), Decimal(1), Decimal("50.00")),
        "new": (None, Decimal(1), None),
        "gone": (Decimal(5), Decimal(-5), Decimal("-100.00")),
    }
    assert (block.total.before, block.total.change, str(block.total.change_pct)) == (
        Decimal(7),
        Decimal(-3),
        "-42.86",
    )


def test_keys_beyond_the_limit_are_one_line_and_nothing_is_lost() -> None:
    (block,) = blocks([row(key, "1") for key in "abcde"], [row("e", "4")], limit=2)

    assert block.rest is not None
    assert [line.key[0] for line in block.lines] == ["a", "b"]
    assert (block.rest.spent.cost_effective, block.rest.before) == (Decimal(3), Decimal(4))
    assert block.total.spent.cost_effective == 5


def test_what_nobody_owns_is_told_with_its_share() -> None:
    (block,) = blocks(
        [row("a", "3"), row("a", "1", tenant="unattributed"), unpriced("b", tenant="unattributed")]
    )

    assert block.unattributed.spent.events == 2
    assert (block.unattributed.spent.cost_effective, str(block.unattributed.share_pct)) == (
        Decimal(1),
        "25.00",
    )


def test_a_period_without_anything_has_no_block() -> None:
    assert blocks([]) == []


def test_sums_keep_every_digit_that_a_column_holds() -> None:
    large, small = "12345678901234567890123456.123456789012", "0.000000000001"

    (block,) = blocks([row("a", large), row("b", small)])

    assert str(block.total.spent.cost_effective) == "12345678901234567890123456.123456789013"
