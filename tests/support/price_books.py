"""Small price books, in the catalogue's own types."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    PriceVariant,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
)

from auditstream.pricing.catalogue import Catalogue
from auditstream.pricing.pricer import CataloguePricer


def prices(**amounts: str | TieredPrices) -> ModelPrice:
    """Return prices by the catalogue's keys, as decimal strings: `input_mtok="2.50"`."""
    return ModelPrice(
        **{key: Decimal(each) if isinstance(each, str) else each for key, each in amounts.items()}
    )


def tiered(base: str, *tiers: tuple[int, str]) -> TieredPrices:
    """Return a price that changes above totals of input tokens."""
    return TieredPrices(base=Decimal(base), tiers=[Tier(start, Decimal(price)) for start, price in tiers])


def since(day: date, stated: ModelPrice) -> ConditionalPrice:
    """Return prices that hold since a day."""
    return ConditionalPrice(StartDateConstraint(day), prices=stated)


def variant(when: dict[str, str], stated: ModelPrice, constraint: Any = None) -> PriceVariant:
    """Return the prices of a request context."""
    return PriceVariant(when=when, prices=stated, constraint=constraint)


def model(name: str, stated: ModelPrice | list[ConditionalPrice], *variants: PriceVariant) -> ModelInfo:
    """Return a model that is known by one name."""
    return ModelInfo(
        id=name, match=ClauseEquals(equals=name), prices=stated, price_variants=list(variants) or None
    )


def provider(name: str, *models: ModelInfo, **fields: Any) -> Provider:
    """Return a provider of models."""
    return Provider(id=name, name=name, api_pattern=name, models=list(models), **fields)


def book(*models: ModelInfo) -> Catalogue:
    """Return a book of one provider, `acme`."""
    return Catalogue([provider("acme", *models)], revision="book-1")


def pricer_of(*models: ModelInfo) -> CataloguePricer:
    """Return a pricer over a book of one provider, `acme`."""
    return CataloguePricer(book(*models))
