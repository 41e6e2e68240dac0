"""The price book seeded from the `genai-prices` package: its data as installed, never updated over a network.

The book keeps its own look-up instead of the package's snapshot: that one can be replaced by any library in
the process, and remembers every model name that it was ever asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import version
from importlib.resources import files

from genai_prices.data import providers as bundled_providers
from genai_prices.data_snapshot import find_provider_by_id
from genai_prices.types import ModelInfo, Provider

from auditstream.pricing.book import NoPrice, Route, Schedule, Unpriced
from auditstream.pricing.cards import card_of
from auditstream.pricing.tiers import context_of, known_tiers
from auditstream.pricing.windows import windows_of

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
        own: Whether it is the provider's own entry: tiers of a followed price list do not apply.
    """

    provider: str
    model: ModelInfo
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
        self.schedule = lru_cache(maxsize=_KEPT_SCHEDULES)(self._schedule)

    def provider(self, name: str) -> Provider | None:
        """Return a provider by any of its names; None when the catalogue does not know it."""
        name = name.strip().lower()
        return find_provider_by_id(self.providers, _PROVIDER_NAMES.get(name, name))

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
        return Listing(provider.id, model, any(model is own for own in provider.models))

    def _schedule(self, route: Route) -> Schedule | Unpriced:
        """Return the cards of a call by event time, or why there are none at all."""
        if self.provider(route.provider) is None and route.provider.strip().lower() != "litellm":
            return Unpriced(NoPrice.UNKNOWN_PROVIDER)
        listing = next(filter(None, (self.listing(route.provider, name) for name in route.models)), None)
        if listing is None:
            return Unpriced(NoPrice.UNKNOWN_MODEL)
        context = context_of(listing.model, route.tier) if listing.own or not route.tier else None
        if context is None:
            return Unpriced(NoPrice.NO_TIER if route.tier in self.tiers else NoPrice.UNKNOWN_TIER)
        return Schedule(
            tuple(
                (window, card_of(listing.model, context, window, provider=listing.provider, tier=route.tier))
                for window in windows_of(listing.model, context)
            )
        )


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
