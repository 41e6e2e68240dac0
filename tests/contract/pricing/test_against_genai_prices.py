"""The catalogue's own library as the oracle: the same model, usage, time and tier have the same total.

The only tolerance is our one rounding rule: a line is rounded to 12 places, and a unit price to 18.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import genai_prices
import pytest
from genai_prices.data import providers
from genai_prices.types import ModelPrice, StartDateConstraint, TieredPrices, TimeOfDateConstraint

from tests.support.calls import AT, Priced, call, line_sums, price

CONTEXTS = {
    "": {},
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"service_tier": "fast", "speed": "fast"},
}
REASONS = {"no_price", "no_price_for_tier", "no_price_for_meter"}


@dataclass(frozen=True)
class Case:
    provider: str
    model: str
    at: datetime
    tier: str
    usage: dict[str, int]

    def event(self) -> dict[str, Any]:
        usage = dict(self.usage)
        usage["reasoning_tokens"] = usage.pop("output_reasoning_tokens")
        return call(self.provider, self.model, at=self.at, tier=self.tier, **usage)

    def library(self) -> genai_prices.types.PriceCalculation:
        return genai_prices.calc_price(
            genai_prices.Usage(**self.usage),
            self.model,
            provider_id=self.provider,
            genai_request_timestamp=self.at,
            price_context=CONTEXTS[self.tier],
        )


def tolerance(priced: Priced) -> Decimal:
    """Half a step of 12 places a line, and half a step of 18 places a unit."""
    units = sum((line["quantity"] for line in priced.lines), Decimal(0))
    return Decimal("0.5e-12") * len(priced.lines) + Decimal("0.5e-18") * units


def usage_of(dice: random.Random, totals: tuple[int, ...]) -> dict[str, int]:
    total = dice.choice(totals)
    read = dice.choice((0, dice.randint(0, total)))
    written = dice.choice((0, dice.randint(0, total - read)))
    out = dice.randint(1, 50_000)
    return {
        "input_tokens": total,
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "output_tokens": out,
        "output_reasoning_tokens": dice.randint(0, out),
    }


def edges(model: genai_prices.types.ModelInfo) -> Iterator[datetime]:
    """Yield the times just before and at each change of a model's prices."""
    constraints = [] if isinstance(model.prices, ModelPrice) else [p.constraint for p in model.prices]
    constraints += [variant.constraint for variant in model.price_variants or ()]
    for constraint in constraints:
        if isinstance(constraint, StartDateConstraint):
            start = datetime.combine(constraint.start_date, datetime.min.time(), UTC)
            yield from (start - timedelta(microseconds=1), start)
        if isinstance(constraint, TimeOfDateConstraint):
            for moment in (constraint.start_time, constraint.end_time):
                start = datetime.combine(AT, moment)
                yield from (start - timedelta(microseconds=1), start)


def totals_at(model: genai_prices.types.ModelInfo) -> Iterator[int]:
    """Yield total inputs at and just above each context-length tier of a model."""
    prices = model.prices if isinstance(model.prices, ModelPrice) else model.prices[0].prices
    for value in vars(prices).values():
        if isinstance(value, TieredPrices):
            for tier in value.tiers:
                yield from (tier.start, tier.start + 1)


def sample() -> list[Case]:
    """Return calls of every model: at each change of price, at each context length, in each tier."""
    dice = random.Random(20261101)
    cases = []
    for provider in providers:
        for model in provider.models:
            totals = (0, 7, 1_234, 1_200_000, *totals_at(model))
            tiers = ["", *(CONTEXTS.keys() - {""} if model.price_variants else ())]
            for at in (AT, *edges(model)):
                cases += [Case(provider.id, model.id, at, tier, usage_of(dice, totals)) for tier in tiers]
    return cases


def test_totals_of_every_model_are_those_of_the_library() -> None:
    cases = sample()
    seen: Counter[str] = Counter()
    for case, priced in zip(cases, price(*(case.event() for case in cases)), strict=True):
        try:
            expected = case.library()
        except LookupError:
            assert priced.refusal == "unknown_model", case
            continue
        seen[priced.status] += 1
        if priced.status == "unpriced":
            assert priced.refusal in REASONS, case
            continue
        assert priced.total is not None
        assert abs(priced.total - expected.total_price) <= tolerance(priced), case
        assert priced.total == line_sums(priced.lines)
        seen["exact"] += priced.total == expected.total_price

    assert seen["priced"] > 2_500
    assert seen["exact"] > 0.98 * seen["priced"]


def test_a_call_without_a_tier_is_unpriced_only_where_the_library_has_no_price_to_multiply() -> None:
    cases = [case for case in sample() if case.tier == ""]
    for case, priced in zip(cases, price(*(case.event() for case in cases)), strict=True):
        if priced.refusal == "no_price":
            assert not [value for value in vars(case.library().model_price).values() if value is not None], (
                case
            )
        if priced.refusal == "no_price_for_meter":
            prices = vars(case.library().model_price)
            assert "output_mtok" not in prices or "input_mtok" not in prices, case


@pytest.mark.parametrize(
    ("at", "total", "basis"),
    [
        (datetime(2025, 5, 1, tzinfo=UTC), "48.10", "dated"),
        (datetime(2025, 7, 1, tzinfo=UTC), "9.70", "dated"),
    ],
)
def test_o3_costs_what_it_cost_at_the_time(at: datetime, total: str, basis: str) -> None:
    usage = {"input_tokens": 1_000_000, "cache_read_tokens": 200_000, "output_tokens": 1_000_000}

    (priced,) = price(call("openai", "o3", at=at, **usage))

    assert priced.total == Decimal(total)
    assert priced.row["price_basis"] == basis
