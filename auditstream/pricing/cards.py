"""Price cards: the unit prices of one model and tier in one window of event time.

How the catalogue applies prices (read in `genai-prices` 0.2.3, `types.py`):

- Of a model's conditional prices the last active one counts, the first when none is.
- A tier's variant replaces single prices; what it does not name stays at the standard price.
- A context-length tier applies to all tokens of a call as soon as its total input is above the tier's start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Literal

from genai_prices.types import ModelInfo, ModelPrice, PriceVariant, Tier, TieredPrices

from auditstream.pricing.meters import BY_PRICE_KEY, METERS, Meter
from auditstream.pricing.windows import Window, matches

Basis = Literal["dated", "undated"]
"""dated: the catalogue says since when or until when the price holds; undated: it only knows today's."""

Shape = tuple[tuple[str, int], ...]
"""Key and least quantity of each priced meter."""

_LEAST = {
    f"groq/whisper-large-v3{turbo}": {"audio_seconds": 10, "input_audio_seconds": 10}
    for turbo in ("", "-turbo")
}
"""Least quantities by card name; the catalogue has them in code (`ModelInfo.calc_price`), not in its data."""

_UNIT_PRICE_STEP = Decimal(1).scaleb(-18)
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)  # so that only the quantize to 18 places rounds


@dataclass(frozen=True, slots=True)
class Rate:
    """The price of one unit of one meter.

    Attributes:
        meter: What is charged.
        price_id: Names the price in its book: provider, model, meter, and what else chose it.
        unit_price: Price of one unit, at most 18 places.
        least: Smallest quantity that is charged once there is any.
    """

    meter: Meter
    price_id: str
    unit_price: Decimal
    least: int = 0


@dataclass(frozen=True, slots=True)
class PriceCard:
    """Unit prices of a model and tier in a window.

    Attributes:
        name: `provider/model`, the beginning of its price ids.
        tier: Service tier, `` for standard.
        window: Event times that it holds for.
        starts: Total input tokens above which the next step of context length begins, ascending.
        steps: Rates by step of context length: one more than `starts`; meters are the same in each.
        currency: ISO 4217 code of the prices.
    """

    name: str
    tier: str
    window: Window
    starts: tuple[int, ...]
    steps: tuple[tuple[Rate, ...], ...]
    currency: str = "USD"

    @property
    def basis(self) -> Basis:
        """Whether the price is known to be the one of its time."""
        return "dated" if self.window.dated else "undated"

    @property
    def shape(self) -> Shape:
        """What cards have in common whose calls are charged alike, prices aside."""
        return tuple((rate.meter.key, rate.least) for rate in self.steps[0])


def card_of(
    model: ModelInfo, context: Mapping[str, str], window: Window, *, provider: str, tier: str
) -> PriceCard | None:
    """Return the card that holds in a window; None when the catalogue has no price there.

    There is none when it lists no meter, and when no variant of the tier is active: falling back to the
    standard price would hide that.
    """
    at = window.sample
    if context and not any(_selected(variant, context, at) for variant in model.price_variants or ()):
        return None
    prices = _stated(model.get_prices(at, context or None))
    if not prices:
        return None
    starts = sorted({tier.start for price in prices.values() for tier in _tiers(price)})
    name = f"{provider}/{model.id}"
    suffix = (f"/{tier}" if tier else "", str(window))
    steps = tuple(_step(prices, above, name, suffix) for above in (None, *starts))
    return PriceCard(name, tier, window, tuple(starts), steps)


def unit_price(price: Decimal, per: int) -> Decimal:
    """Return the price of one unit, rounded half-even to 18 places, from that of `per` units."""
    return _EXACT.divide(price, per).quantize(_UNIT_PRICE_STEP, context=_EXACT)


def _selected(variant: PriceVariant, context: Mapping[str, str], at: datetime) -> bool:
    active = variant.constraint is None or variant.constraint.active(at)
    return active and matches(variant, context)


def _stated(prices: ModelPrice) -> dict[Meter, Decimal | TieredPrices]:
    """Return the prices that the catalogue states, by meter in the order of `METERS`."""
    stated = {BY_PRICE_KEY[key]: price for key, price in vars(prices).items() if price is not None}
    return {meter: stated[meter] for meter in METERS.values() if meter in stated}


def _step(
    prices: Mapping[Meter, Decimal | TieredPrices], above: int | None, name: str, suffix: tuple[str, str]
) -> tuple[Rate, ...]:
    """Return the rates of the step of context length that begins above a total of input tokens."""
    tier, window = suffix
    rates = []
    for meter, price in prices.items():
        start, amount = _price_above(price, above)
        length = "" if start is None else f">{start}"
        price_id = f"{name}/{meter.short_key}{tier}{length}{window}"
        least = _LEAST.get(name, {}).get(meter.key, 0)
        rates.append(Rate(meter, price_id, unit_price(amount, meter.per), least))
    return tuple(rates)


def _price_above(price: Decimal | TieredPrices, above: int | None) -> tuple[int | None, Decimal]:
    """Return the highest context-length tier reached, by its start, and its price."""
    if isinstance(price, Decimal):
        return None, price
    reached = [tier for tier in price.tiers if above is not None and tier.start <= above]
    return (reached[-1].start, reached[-1].price) if reached else (None, price.base)


def _tiers(price: Decimal | TieredPrices) -> Sequence[Tier]:
    return price.tiers if isinstance(price, TieredPrices) else ()
