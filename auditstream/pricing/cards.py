"""Price cards: the unit prices of one model and tier in one window of event time."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Literal

from auditstream.pricing.meters import Meter
from auditstream.pricing.windows import Window

Basis = Literal["dated", "undated"]
"""dated: the source says since when or until when the price holds; undated: it only knows today's."""

Shape = tuple[tuple[str, int], ...]
"""Key and least quantity of each priced meter."""

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
        contract_id: Contract that `contracted` is of, empty without one.
    """

    meter: Meter
    price_id: str
    unit_price: Decimal
    contracted: Decimal = field(default=None)  # type: ignore[assignment]  # set below
    least: int = 0
    contract_id: str = ""

    def __post_init__(self) -> None:
        if self.contracted is None:
            object.__setattr__(self, "contracted", self.unit_price)


@dataclass(frozen=True, slots=True)
class PriceCard:
    """Unit prices of a model and tier in a window.

    Attributes:
        window: Event times that it holds for.
        starts: Total input tokens above which the next step of context length begins, ascending.
        steps: Rates by step of context length: one more than `starts`; meters are the same in each.
        basis: `dated` when the source of every price says since or until when it holds.
        currency: ISO 4217 code of the prices.
    """

    window: Window
    starts: tuple[int, ...]
    steps: tuple[tuple[Rate, ...], ...]
    basis: Basis = "undated"
    currency: str = "USD"

    @property
    def shape(self) -> Shape:
        """What cards have in common whose calls are charged alike, prices aside."""
        return tuple((rate.meter.key, rate.least) for rate in self.steps[0])


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
