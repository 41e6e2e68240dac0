"""Price rows: one unit price each, with everything that it depends on; a price book is a set of them.

The same form serves the installed catalogue, the rows that were imported from it, and prices of our own:
cards are made of rows (`schedules`), wherever these come from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

from auditstream.pricing.cards import Basis, unit_price
from auditstream.pricing.meters import BY_PRICE_KEY, METERS, Meter
from auditstream.pricing.tiers import STANDARD, STANDARD_WORDS, context_of, route_of, tier_context
from auditstream.pricing.windows import Window, matches, windows_of


@dataclass(frozen=True, slots=True)
class PriceRow:
    """The price of one unit of one meter, under one set of conditions.

    Attributes:
        price_id: Its name, which cost lines carry.
        provider: Provider that lists it, by the catalogue's id where that knows it.
        model: Model, or a pattern of models with `*` and `?`.
        region: Region or route, empty for any.
        tier: Service tier, empty for the standard one.
        meter: What is counted.
        context_from: Total input tokens of a call from which on it holds; 0 for any.
        window: Event times that it holds for.
        unit_price: Price of one unit, at most 18 places.
        currency: ISO 4217 code.
        basis: Whether its source says since or until when it holds.
        own: Whether it was applied here, and not imported from a catalogue.
        revision: Reference revision that brought it; 0 for a row of the installed catalogue.
    """

    price_id: str
    provider: str
    model: str
    region: str
    tier: str
    meter: Meter
    context_from: int
    window: Window
    unit_price: Decimal
    currency: str = "USD"
    basis: Basis = "dated"
    own: bool = False
    revision: int = 0


def rows_of(provider: str, model: ModelInfo) -> Iterator[PriceRow]:
    """Yield what the catalogue says of a model: a row a meter, tier, route, context length and window.

    A tier's rows are those that it names; what it does not name costs what it costs at the standard tier. One
    that names nothing (it only says that it exists) has all of them.
    """
    yield from _of_context(provider, model, {}, tier=STANDARD, region="")
    for tier in _tiers_of(model):
        yield from _of_context(provider, model, context_of(model, tier) or {}, tier=tier, region="")
    for route, context in _routes_of(model).items():
        yield from _of_context(provider, model, context, tier=STANDARD, region=route)


def digest_of(rows: Iterator[PriceRow]) -> str:
    """Return the SHA-256 of rows, lower-case hex, whatever their order."""
    lines = sorted(
        f"{row.price_id} {row.provider} {row.model} {row.region} {row.tier} {row.meter.key} "
        f"{row.context_from} {row.window!r} {row.unit_price} {row.currency} {row.basis}"
        for row in rows
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _tiers_of(model: ModelInfo) -> list[str]:
    words = (word for variant in model.price_variants or () for word in tier_context(variant).values())
    return [word for word in dict.fromkeys(words) if word not in STANDARD_WORDS]


def _routes_of(model: ModelInfo) -> dict[str, Mapping[str, str]]:
    return {
        route: variant.when
        for variant in model.price_variants or ()
        if (route := route_of(variant)) is not None
    }


def _of_context(
    provider: str, model: ModelInfo, context: Mapping[str, str], *, tier: str, region: str
) -> Iterator[PriceRow]:
    suffix = "".join(f"/{word}" for word in (region, tier) if word)
    for window in windows_of(model, context):
        for meter, price in _stated(model, context, window).items():
            for start, amount in _steps(price):
                length = "" if start is None else f">{start}"
                yield PriceRow(
                    price_id=f"{provider}/{model.id}/{meter.short_key}{suffix}{length}{window}",
                    provider=provider,
                    model=model.id,
                    region=region,
                    tier=tier,
                    meter=meter,
                    context_from=0 if start is None else start + 1,
                    window=window,
                    unit_price=unit_price(amount, meter.per),
                    basis="dated" if window.dated else "undated",
                )


def _stated(
    model: ModelInfo, context: Mapping[str, str], window: Window
) -> dict[Meter, Decimal | TieredPrices]:
    """Return the prices that a context states in a window, by meter in the order of `METERS`."""
    prices = model.get_prices(window.sample, context or None)
    if context:
        active = [
            variant
            for variant in model.price_variants or ()
            if (variant.constraint is None or variant.constraint.active(window.sample))
            and matches(variant, context)
        ]
        if not active:
            return {}
        named = {
            key for variant in active for key, price in vars(variant.prices).items() if price is not None
        }
        prices = ModelPrice(
            **{key: price for key, price in vars(prices).items() if not named or key in named}
        )
    stated = {BY_PRICE_KEY[key]: price for key, price in vars(prices).items() if price is not None}
    return {meter: stated[meter] for meter in METERS.values() if meter in stated}


def _steps(price: Decimal | TieredPrices) -> Iterator[tuple[int | None, Decimal]]:
    """Yield the start of each context length, None for the first, and its price."""
    if isinstance(price, Decimal):
        yield None, price
        return
    yield None, price.base
    for tier in price.tiers:
        yield tier.start, tier.price
