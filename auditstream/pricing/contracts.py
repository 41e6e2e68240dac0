"""Tenants' contracts over list prices: what a tenant pays beside what is listed.

One term applies to a price: of those that are for the call, one of the tenant's own before one for all
tenants, then the one that says more of the model, the meter, the tier and the region, then the latest. Terms
do not add up.

- A discount takes a percentage off the list price.
- A fixed rate replaces it. In another currency than the list price it makes that the currency of the call,
  and the list prices are converted at the rate that holds at the time; without a rate the call has no price.
- A commitment changes no price: whether a call is drawn from it depends on every call of the period.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from auditstream.pricing.book import NoPrice, Route, Schedule
from auditstream.pricing.cards import PriceCard, Rate, product, quotient
from auditstream.pricing.meters import Meter
from auditstream.pricing.names import matches_any, specificity
from auditstream.pricing.windows import Window, cut


@dataclass(frozen=True, slots=True)
class Term:
    """One line of a contract: a discount or a fixed rate.

    Attributes:
        contract_id: Its id.
        tenant: Tenant, empty for all.
        model: Model or pattern, empty for every model of the provider.
        region: Region, empty for any.
        tier: Service tier, empty for any.
        meter: Meter by key or name, empty for every meter.
        direction: `input` or `output`, empty for both.
        cache_action: `read` or `write`, empty for any.
        window: Event times that it holds for.
        kind: What it does to the list price.
        factor: What is left of the list price, of a discount.
        amount: Price of one unit, of a fixed rate.
        currency: ISO 4217 code of the amount.
        revision: Reference revision that brought it.
    """

    contract_id: str
    tenant: str
    model: str
    region: str
    tier: str
    meter: str
    direction: str
    cache_action: str
    window: Window
    kind: Literal["discount", "fixed_rate"]
    factor: Decimal = Decimal(1)
    amount: Decimal = Decimal(0)
    currency: str = ""
    revision: int = 0

    def is_for(self, route: Route, names: Sequence[str]) -> bool:
        """Return whether the term is for calls of a route, whose model has these names."""
        return (
            self.tenant in {"", route.tenant}
            and self.tier in {"", route.tier}
            and self.region in {"", route.region}
            and matches_any(self.model, names)
        )

    def covers(self, meter: Meter) -> bool:
        """Return whether the term is for a meter."""
        return (
            self.meter in {"", meter.key, meter.name}
            and self.direction in {"", meter.direction}
            and self.cache_action in {"", meter.cache_action}
        )

    @property
    def rank(self) -> tuple[int, ...]:
        """How much the term says; the highest counts."""
        said = (self.meter, self.direction, self.cache_action)
        return (
            bool(self.tenant),
            specificity(self.model),
            sum(map(bool, said)),
            bool(self.tier),
            bool(self.region),
            self.revision,
        )


@dataclass(frozen=True, slots=True)
class Exchange:
    """How much of `quote` one unit of `base` is, at some event times."""

    base: str
    quote: str
    rate: Decimal
    window: Window


def contracted(schedule: Schedule, terms: Sequence[Term], exchanges: Sequence[Exchange]) -> Schedule:
    """Return a schedule with the contracted price of each rate beside the listed one.

    Args:
        schedule: List prices of a route.
        terms: Terms that are for the route.
        exchanges: Currency rates; looked at where a fixed rate has another currency than the list.
    """
    if not terms:
        return schedule
    currencies = {term.currency for term in terms if term.kind == "fixed_rate"}
    rates = [each for each in exchanges if {each.base, each.quote} & currencies]
    windows = cut(
        [*(w for w, _ in schedule.cards), *(t.window for t in terms), *(each.window for each in rates)]
    )
    ranked = sorted(terms, key=lambda term: term.rank, reverse=True)
    cards = []
    for window in windows:
        card = next(card for listed, card in schedule.cards if listed.contains(window))
        held = [term for term in ranked if term.window.contains(window)]
        if isinstance(card, PriceCard):
            card = PriceCard(window, card.starts, card.steps, card.basis, card.currency)
            if held:
                card = _applied(card, held, [rate for rate in rates if rate.window.contains(window)])
        cards.append((window, card))
    return Schedule(tuple(cards))


def _applied(card: PriceCard, terms: Sequence[Term], rates: Sequence[Exchange]) -> PriceCard | NoPrice:
    """Return a card under terms, of which the first that covers a meter counts for it."""
    chosen = {
        rate.meter.key: next((term for term in terms if term.covers(rate.meter)), None)
        for rate in card.steps[0]
    }
    fixed = {term.currency for term in chosen.values() if term is not None and term.kind == "fixed_rate"}
    if len(fixed) > 1:
        return NoPrice.MIXED_CURRENCIES
    currency = fixed.pop() if fixed else card.currency
    steps: list[tuple[Rate, ...]] = []
    for step in card.steps:
        new = [_rate(rate, chosen[rate.meter.key], card.currency, currency, rates) for rate in step]
        if any(rate is None for rate in new):
            return NoPrice.NO_RATE
        steps.append(tuple(rate for rate in new if rate is not None))
    return replace(card, steps=tuple(steps), currency=currency)


def _rate(
    rate: Rate, term: Term | None, listed_in: str, currency: str, rates: Sequence[Exchange]
) -> Rate | None:
    """Return a rate in a currency and under a term; None when there is no exchange rate."""
    listed = exchanged(rate.unit_price, listed_in, currency, rates)
    if listed is None:
        return None
    if term is None:
        return Rate(rate.meter, rate.price_id, listed, listed, rate.least)
    price = term.amount if term.kind == "fixed_rate" else product(listed, term.factor)
    return Rate(rate.meter, rate.price_id, listed, price, rate.least, term.contract_id)


def exchanged(price: Decimal, base: str, quote: str, rates: Sequence[Exchange]) -> Decimal | None:
    """Return a unit price in another currency, by a rate between the two; None without."""
    if base == quote:
        return price
    for each in rates:
        if (each.base, each.quote) == (base, quote):
            return product(price, each.rate)
    for each in rates:
        if (each.base, each.quote) == (quote, base):
            return quotient(price, each.rate)
    return None
