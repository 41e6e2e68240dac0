"""Service tiers: the word that an event has, and the catalogue's variant that it means.

Providers say the same thing under different keys: batch is `processing=batch`, fast is `speed=fast` at one
and `service_tier=fast` at another. A tier is therefore looked up by its word among the model's own variants,
and a word without a variant is no standard price: it has no price.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from genai_prices.types import ModelInfo, PriceVariant, Provider

BATCH = "batch"
STANDARD = ""

STANDARD_WORDS = frozenset({"", "default", "standard", "auto", "on_demand"})
"""Words that name the price without a tier. `auto` is the provider's choice, which is standard unless it says
so in its answer."""

_TIER_KEYS = frozenset({"processing", "service_tier", "speed"})
"""Keys of the catalogue's request context that are tiers; others (a route, a search type) are not."""


def tier_of(word: str | None, *, batch: bool | None = False) -> str:
    """Return the tier of an event in one spelling: `` for standard, else `batch`, `flex`, ...

    The word of the served answer counts. A batch call whose answer names the standard tier, or none, is
    batch; with any other tier it is both, joined by `+`, which no catalogue prices.
    """
    tier = (word or "").strip().lower().replace("-", "_").replace(" ", "_")
    tier = STANDARD if tier in STANDARD_WORDS else tier
    if not batch or tier == BATCH:
        return tier
    return BATCH if tier == STANDARD else f"{BATCH}+{tier}"


def context_of(model: ModelInfo, tier: str) -> Mapping[str, str] | None:
    """Return the request context that selects a tier of a model; None when the model has no such tier.

    The standard tier has an empty context.
    """
    if tier == STANDARD:
        return {}
    for variant in model.price_variants or ():
        context = tier_context(variant)
        if tier in context.values():
            return context
    return None


def tier_context(variant: PriceVariant) -> Mapping[str, str]:
    """Return a variant's context when it is a tier and nothing else, and an empty one otherwise."""
    return variant.when if _TIER_KEYS.issuperset(variant.when) else {}


def route_of(variant: PriceVariant) -> str | None:
    """Return the route that a variant is the price of, None when it is not of a route alone."""
    return variant.when["route"].lower() if set(variant.when) == {"route"} else None


def known_tiers(providers: Sequence[Provider]) -> frozenset[str]:
    """Return every tier that some model has, the standard one aside."""
    variants = (
        variant
        for provider in providers
        for model in provider.models
        for variant in model.price_variants or ()
    )
    words = {word for variant in variants for word in tier_context(variant).values()}
    return frozenset(words - STANDARD_WORDS)


def known_routes(providers: Sequence[Provider]) -> frozenset[str]:
    """Return every route that some model has a price of its own for."""
    variants = (v for provider in providers for model in provider.models for v in model.price_variants or ())
    return frozenset(route for variant in variants if (route := route_of(variant)) is not None)
