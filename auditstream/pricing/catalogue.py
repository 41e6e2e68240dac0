"""The price book seeded from the `genai-prices` package: its data as installed, never updated over a network.

The book keeps its own look-up instead of the package's snapshot: that one can be replaced by any library in
the process, and remembers every model name that it was ever asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import version
from importlib.resources import files

from genai_prices.data import providers as bundled_providers
from genai_prices.data_snapshot import find_provider_by_id
from genai_prices.types import ModelInfo, Provider

from auditstream.pricing.book import Laid, NoPrice, Route, Schedule, Unpriced
from auditstream.pricing.price_rows import PriceRow, rows_of
from auditstream.pricing.schedules import schedule_of
from auditstream.pricing.tiers import context_of, known_routes, known_tiers

_PACKAGE = "genai-prices"
_DATA_FILES = ("data.py", "data_units.py")

_PROVIDER_NAMES = {"azure.ai.inference": "azure", "gcp.gen_ai": "google", "x_ai": "x-ai"}
"""Provider names of the OpenTelemetry conventions that the catalogue's own patterns do not know."""

_KEPT_SCHEDULES = 4096
"""Schedules kept: all that a company uses, and a bound on what made-up model names can take (4 kB each)."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A model as a provider lists it.

    Attributes:
        provider: The catalogue's id of the provider that served the call.
        model: The model; possibly of another provider whose price list this one follows.
        lister: The catalogue's id of the provider whose list has it.
        own: Whether it is the provider's own entry: tiers of a followed price list do not apply.
    """

    provider: str
    model: ModelInfo
    lister: str
    own: bool


class Catalogue:
    """List prices of a set of providers; implements `book.PriceBook`.

    The same at every reference revision: what it says changes with the installed package only, and then its
    `revision` changes.
    """

    def __init__(self, providers: Sequence[Provider], *, revision: str) -> None:
        self.providers = list(providers)
        self.revision = revision
        self.tiers = known_tiers(self.providers)
        self.regions = known_routes(self.providers)
        self.tenants: frozenset[str] = frozenset()
        self._listers = {id(model): each.id for each in self.providers for model in each.models}
        self.schedule = lru_cache(maxsize=_KEPT_SCHEDULES)(self._schedule)

    def provider(self, name: str) -> Provider | None:
        """Return a provider by any of its names; None when the catalogue does not know it."""
        name = name.strip().lower()
        return find_provider_by_id(self.providers, _PROVIDER_NAMES.get(name, name))

    def provider_id(self, name: str) -> str:
        """Return the catalogue's id of a provider, the name in small letters when it does not know it."""
        known = self.provider(name)
        return name.strip().lower() if known is None else known.id

    def listing(self, provider_name: str, model_name: str) -> Listing | None:
        """Return the entry of a model at a provider; None when the catalogue has none.

        A gateway that names itself (`litellm`) names the provider in the model: `openai/gpt-4o`.
        """
        if provider_name.strip().lower() == "litellm" and "/" in model_name:
            provider_name, model_name = model_name.split("/", 1)
        provider = self.provider(provider_name)
        if provider is None:
            return None
        model = provider.find_model(model_name.strip(), all_providers=self.providers)
        if model is None:
            return None
        lister = self._listers[id(model)]
        return Listing(provider.id, model, lister, own=any(model is own for own in provider.models))

    def rows(self) -> Iterator[PriceRow]:
        """Yield every price of the catalogue."""
        for provider in self.providers:
            for model in provider.models:
                yield from rows_of(provider.id, model)

    def rows_for(self, listing: Listing) -> list[PriceRow]:
        """Return the prices of a model that was found, under the provider that lists them."""
        rows = rows_of(listing.lister, listing.model)
        return [row for row in rows if listing.own or not (row.tier or row.region)]

    def schedules(self, route: Route, tenants: Sequence[str], /) -> Iterator[Laid]:
        """Yield the cards of a route, or why there are none, for each tenant: the same for all."""
        yield Laid(range(len(tenants)), self.schedule(route))

    def _schedule(self, route: Route) -> Schedule | Unpriced:
        """Return the cards of a call by event time, or why there are none at all."""
        listing = next(filter(None, (self.listing(route.provider, name) for name in route.models)), None)
        if listing is None:
            return Unpriced(self.why_not_found(route))
        if route.tier and (not listing.own or context_of(listing.model, route.tier) is None):
            return Unpriced(self.why_no_tier(route.tier))
        return schedule_of(self.rows_for(listing), tier=route.tier, region=route.region)

    def why_not_found(self, route: Route) -> NoPrice:
        """Return what is not known of a route that has no listing."""
        known = self.provider(route.provider) is not None or route.provider.strip().lower() == "litellm"
        return NoPrice.UNKNOWN_MODEL if known else NoPrice.UNKNOWN_PROVIDER

    def why_no_tier(self, tier: str) -> NoPrice:
        """Return what is wrong with a tier that a model does not have."""
        return NoPrice.NO_TIER if tier in self.tiers else NoPrice.UNKNOWN_TIER


@cache
def bundled_catalogue() -> Catalogue:
    """Return the catalogue of the installed `genai-prices` package; loading its data takes about a second."""
    return Catalogue(bundled_providers, revision=_bundled_revision())


def _bundled_revision() -> str:
    """Return the package's version and the first 12 hex digits of its data's SHA-256."""
    digest = hashlib.sha256()
    for name in _DATA_FILES:
        digest.update(files("genai_prices").joinpath(name).read_bytes())
    return f"{_PACKAGE}-{version(_PACKAGE)}-{digest.hexdigest()[:12]}"
