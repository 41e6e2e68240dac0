"""Price cards: the unit prices of one model and tier, as they hold in a window of event time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache
from typing import Literal

from auditstream.pricing.meters import Meter

Basis = Literal["dated", "undated"]
"""dated: the source says since when or until when the price holds; undated: it only knows today's."""

Shape = tuple[tuple[str, int], ...]
"""Key and least quantity of each priced meter."""

_KEPT_FACTORS = 65_536
"""Combinations of discounts kept: tenants times providers of a large company, with room for more."""

_UNIT_PRICE_STEP = Decimal(1).scaleb(-18)
_EXACT = Context(prec=80, rounding=ROUND_HALF_EVEN)  # so that only the quantize to 18 places rounds


@dataclass(frozen=True, slots=True)
class Rate:
    """The price of one unit of one meter.

    Attributes:
        meter: What is charged.
        price_id: Names the list price in its book.
        unit_price: List price of one unit, at most 18 places.
        contracted: Price of one unit under the tenant's contract; the list price without one.
        least: Smallest quantity that is charged once there is any.
    """

    meter: Meter
    price_id: str
    unit_price: Decimal
    contracted: Decimal = field(default=None)  # type: ignore[assignment]  # set below
    least: int = 0

    def __post_init__(self) -> None:
        if self.contracted is None:
            object.__setattr__(self, "contracted", self.unit_price)


@dataclass(frozen=True, slots=True)
class PriceCard:
    """Unit prices of a model and tier, as they hold at some event times.

    Attributes:
        starts: Total input tokens above which the next step of context length begins, ascending.
        steps: Rates by step of context length: one more than `starts`; meters are the same in each.
        basis: `dated` when the source of every price says since or until when it holds.
        currency: ISO 4217 code of the prices.
        factors: What a contract's discounts leave of each listed price of a step, as `shared_factors` has it;
            empty without a discount. Steps are then those of the list, and their contracted prices do not
            count.
    """

    starts: tuple[int, ...]
    steps: tuple[tuple[Rate, ...], ...]
    basis: Basis = "undated"
    currency: str = "USD"
    factors: tuple[Decimal, ...] = ()

    @property
    def shape(self) -> Shape:
        """What cards have in common whose calls are charged alike, prices aside."""
        return tuple((rate.meter.key, rate.least) for rate in self.steps[0])


@lru_cache(maxsize=_KEPT_FACTORS)
def shared_factors(factors: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
    """Return the one object of these factors, so that they can be told apart by identity.

    To hash decimals takes longer than to lay a contract over a card. An object that nobody asked for in a
    long time may come as another one: then equal cards are two.
    """
    return factors


def _nothing() -> None:
    """Stand for the list before one that begins anew."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class CardList:
    """Cards by number. Compared by identity: what is derived from one can be kept beside it.

    Attributes:
        cards: The cards.
        before: Returns the list that this one adds cards to, as long as somebody keeps it: what was derived
            from it needs adding to, and not making anew.
    """

    cards: tuple[PriceCard, ...] = ()
    before: Callable[[], CardList | None] = _nothing


def unit_price(price: Decimal, per: int) -> Decimal:
    """Return the price of one unit, rounded half-even to 18 places, from that of `per` units."""
    return rounded(_EXACT.divide(price, per))


def rounded(price: Decimal) -> Decimal:
    """Return a unit price with 18 places, rounded half-even."""
    return price.quantize(_UNIT_PRICE_STEP, context=_EXACT)


def product(price: Decimal, factor: Decimal) -> Decimal:
    """Return a unit price times a factor, rounded once, to 18 places."""
    return rounded(_EXACT.multiply(price, factor))


def quotient(price: Decimal, divisor: Decimal) -> Decimal:
    """Return a unit price over a divisor, rounded to 18 places."""
    return rounded(_EXACT.divide(price, divisor))
