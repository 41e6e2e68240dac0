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

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from auditstream.pricing.book import Laid, NoPrice, Route, Schedule
from auditstream.pricing.cards import PriceCard, Rate, product, quotient, shared_factors
from auditstream.pricing.meters import Meter
from auditstream.pricing.names import matches_any, specificity
from auditstream.pricing.windows import Window, cut

Kind = Literal["discount", "fixed_rate"]

_KEPT = 4096
"""Kept of what contracts have in common: enough for some thousand models under a few kinds of contract."""

_WHOLE = Decimal(1)
"""Factor of a price under no discount."""


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """Which prices terms change, and when. Compared by identity; see `scope_of`.

    Attributes:
        window: Event times that they hold for.
        kind: What they do to the list price.
        meter: Meter by key or name, empty for every meter.
        direction: `input` or `output`, empty for both.
        cache_action: `read` or `write`, empty for any.
    """

    window: Window
    kind: Kind
    meter: str = ""
    direction: str = ""
    cache_action: str = ""

    def covers(self, meter: Meter) -> bool:
        """Return whether the terms are for a meter."""
        return (
            self.meter in {"", meter.key, meter.name}
            and self.direction in {"", meter.direction}
            and self.cache_action in {"", meter.cache_action}
        )


@lru_cache(maxsize=_KEPT)
def scope_of(window: Window, kind: Kind, meter: str, direction: str, cache_action: str) -> Scope:
    """Return the one scope of these: most contracts of a company change the same prices at the same times."""
    return Scope(window, kind, meter, direction, cache_action)


@dataclass(frozen=True, slots=True)
class Term:
    """One line of a contract: a discount or a fixed rate.

    Attributes:
        contract_id: Its id.
        tenant: Tenant, empty for all.
        model: Model or pattern, empty for every model of the provider.
        region: Region, empty for any.
        tier: Service tier, empty for any.
        scope: Which prices it changes, and when.
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
    scope: Scope
    factor: Decimal = Decimal(1)
    amount: Decimal = Decimal(0)
    currency: str = ""
    revision: int = 0

    @property
    def is_general(self) -> bool:
        """Whether the term is for every call of the provider."""
        return not (self.model or self.tier or self.region)

    def is_for(self, route: Route, names: Sequence[str]) -> bool:
        """Return whether the term is for calls of a route, whose model has these names; its tenant aside."""
        return (
            self.tier in {"", route.tier}
            and self.region in {"", route.region}
            and matches_any(self.model, names)
        )

    @property
    def rank(self) -> tuple[int, ...]:
        """How much the term says; the highest counts."""
        said = (self.scope.meter, self.scope.direction, self.scope.cache_action)
        return (
            bool(self.tenant),
            specificity(self.model),
            sum(map(bool, said)),
            bool(self.tier),
            bool(self.region),
            self.revision,
        )


class Terms:
    """Terms that are for the same calls: of those that cover a meter the first one counts for it.

    Args:
        terms: The terms.
    """

    def __init__(self, terms: Iterable[Term]) -> None:
        self.ranked = tuple(sorted(terms, key=lambda term: term.rank, reverse=True))
        self.scopes = tuple(term.scope for term in self.ranked)
        self.has_rates = any(scope.kind == "fixed_rate" for scope in self.scopes)
        self._are_general = all(term.is_general for term in self.ranked)
        self._factors: dict[tuple[int | None, ...], tuple[Decimal, ...]] = {}

    def of(self, route: Route, names: Sequence[str]) -> Terms:
        """Return those that are for calls of a route, whose model has these names."""
        if self._are_general:
            return self
        return Terms(term for term in self.ranked if term.is_for(route, names))

    def factors(self, chosen: tuple[int | None, ...]) -> tuple[Decimal, ...]:
        """Return what discounts leave of each price of a card: the same object when asked again.

        Args:
            chosen: For each price the place of the term that counts for it, or None.
        """
        known = self._factors.get(chosen)
        if known is None:
            ranked = self.ranked
            factors = tuple(_WHOLE if place is None else ranked[place].factor for place in chosen)
            known = self._factors[chosen] = shared_factors(factors)
        return known


@dataclass(frozen=True, slots=True)
class Exchange:
    """How much of `quote` one unit of `base` is, at some event times."""

    base: str
    quote: str
    rate: Decimal
    window: Window


def contracted(schedule: Schedule, terms: Terms, exchanges: Sequence[Exchange]) -> Schedule:
    """Return a schedule with the contracted price of each rate beside the listed one.

    Args:
        schedule: List prices of a route.
        terms: Terms that are for the route.
        exchanges: Currency rates; looked at where a fixed rate has another currency than the list.
    """
    if not terms.ranked:
        return schedule
    if terms.has_rates:
        return _with_rates(schedule, terms.ranked, exchanges)
    cards: list[tuple[Window, PriceCard | NoPrice]] = []
    for window, listed, chosen in _discounts(schedule, terms.scopes):
        card = listed
        if chosen and isinstance(listed, PriceCard):
            card = _discounted(listed, terms.factors(chosen))
        cards.append((window, card))
    return Schedule(tuple(cards))


def laid(places: Sequence[int], schedule: Schedule, terms: Sequence[Terms]) -> Laid:
    """Return what discounts of the same scopes leave of a schedule for each of some tenants.

    Args:
        places: Places of the tenants among those asked for.
        schedule: List prices of a route.
        terms: The terms of each that are for the route; their scopes are the same, and they have no rates.
    """
    shared, places_of_terms = _shared_discounts(schedule, terms[0].scopes)
    factors = [[each.factors(chosen) for each in terms] if chosen else None for chosen in places_of_terms]
    return Laid(places, shared, factors)


@lru_cache(maxsize=_KEPT)
def _shared_discounts(
    schedule: Schedule, scopes: tuple[Scope, ...]
) -> tuple[Schedule, tuple[tuple[int | None, ...], ...]]:
    """Return the list's cards in the windows between all changes, and for each what counts for its rates."""
    if not scopes:
        return schedule, ((),) * len(schedule.cards)
    found = _discounts(schedule, scopes)
    return Schedule(tuple((window, card) for window, card, _ in found)), tuple(
        chosen for _, _, chosen in found
    )


@lru_cache(maxsize=_KEPT)
def _discounts(
    schedule: Schedule, scopes: tuple[Scope, ...]
) -> tuple[tuple[Window, PriceCard | NoPrice, tuple[int | None, ...]], ...]:
    """Return the windows between all changes, the list's card in each, and what counts for each of its rates.

    That is the place of a term, or None; no places where no term holds.
    """
    found: list[tuple[Window, PriceCard | NoPrice, tuple[int | None, ...]]] = []
    for window in cut([*(window for window, _ in schedule.cards), *(scope.window for scope in scopes)]):
        card = schedule.in_window(window)
        held = [(place, scope) for place, scope in enumerate(scopes) if scope.window.contains(window)]
        rates = card.steps[0] if held and isinstance(card, PriceCard) else ()
        chosen = [next((place for place, scope in held if scope.covers(rate.meter)), None) for rate in rates]
        found.append((window, card, tuple(chosen)))
    return tuple(found)


def _discounted(card: PriceCard, factors: tuple[Decimal, ...]) -> PriceCard:
    return PriceCard(card.starts, card.steps, card.basis, card.currency, factors)


def _with_rates(schedule: Schedule, ranked: Sequence[Term], exchanges: Sequence[Exchange]) -> Schedule:
    """Return a schedule under terms of which some are fixed rates."""
    currencies = {term.currency for term in ranked if term.scope.kind == "fixed_rate"}
    rates = [each for each in exchanges if {each.base, each.quote} & currencies]
    windows = cut(
        [
            *(window for window, _ in schedule.cards),
            *(term.scope.window for term in ranked),
            *(each.window for each in rates),
        ]
    )
    cards = []
    for window in windows:
        card = schedule.in_window(window)
        held = [term for term in ranked if term.scope.window.contains(window)]
        if held and isinstance(card, PriceCard):
            card = _applied(card, held, [rate for rate in rates if rate.window.contains(window)])
        cards.append((window, card))
    return Schedule(tuple(cards))


def _applied(card: PriceCard, terms: Sequence[Term], rates: Sequence[Exchange]) -> PriceCard | NoPrice:
    """Return a card under terms, of which the first that covers a meter counts for it."""
    chosen = [next((term for term in terms if term.scope.covers(rate.meter)), None) for rate in card.steps[0]]
    fixed = {term.currency for term in chosen if term is not None and term.scope.kind == "fixed_rate"}
    if len(fixed) > 1:
        return NoPrice.MIXED_CURRENCIES
    if not fixed:
        factors = tuple(_WHOLE if term is None else term.factor for term in chosen)
        return _discounted(card, shared_factors(factors))
    currency = fixed.pop()
    steps: list[tuple[Rate, ...]] = []
    for step in card.steps:
        new = [
            _rate(rate, term, card.currency, currency, rates) for rate, term in zip(step, chosen, strict=True)
        ]
        if any(rate is None for rate in new):
            return NoPrice.NO_RATE
        steps.append(tuple(rate for rate in new if rate is not None))
    return PriceCard(card.starts, tuple(steps), card.basis, currency)


def _rate(
    rate: Rate, term: Term | None, listed_in: str, currency: str, rates: Sequence[Exchange]
) -> Rate | None:
    """Return a rate in a currency and under a term; None when there is no exchange rate."""
    listed = exchanged(rate.unit_price, listed_in, currency, rates)
    if listed is None:
        return None
    if term is None:
        return Rate(rate.meter, rate.price_id, listed, listed, rate.least)
    price = term.amount if term.scope.kind == "fixed_rate" else product(listed, term.factor)
    return Rate(rate.meter, rate.price_id, listed, price, rate.least)


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
