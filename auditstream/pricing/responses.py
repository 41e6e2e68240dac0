"""Counts from a provider's recorded response, by the extractors of `genai-prices`.

A provider has a flavour a kind of answer (`chat`, `responses`, `embeddings`, ...). Where none is named, the
one counts that finds the most: answers of one kind often satisfy another's extractor, but less of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genai_prices.types import Provider, UsageExtractor

from auditstream.core.errors import RequestError


@dataclass(frozen=True, slots=True)
class Extracted:
    """What a response says of its use.

    Attributes:
        flavor: Kind of answer that it was read as.
        model: Model that it names, if it does.
        tier: Service tier that it names, if it does.
        counts: Counts by meter.
    """

    flavor: str
    model: str | None
    tier: str | None
    counts: Mapping[str, Any]


def extract(provider: Provider, response: Mapping[str, Any], *, flavor: str | None = None) -> Extracted:
    """Return what a response says of its use.

    Raises:
        RequestError: No extractor of the provider understands it, or there is no such flavour.
    """
    candidates = _extractors(provider, flavor)
    found = list(_readings(candidates, response))
    if not found:
        tried = ", ".join(extractor.api_flavor for extractor in candidates)
        raise RequestError(
            f"response: has no usage that {provider.id} is known to report (tried: {tried})", field="response"
        )
    return max(found, key=lambda reading: len(reading.counts))


def require_flavor(provider: Provider, flavor: str) -> None:
    """Refuse a flavour that a provider does not have.

    Raises:
        RequestError: It has others, or none.
    """
    _extractors(provider, flavor)


def _extractors(provider: Provider, flavor: str | None) -> Sequence[UsageExtractor]:
    known = provider.extractors or []
    if flavor is None:
        return known
    named = [extractor for extractor in known if extractor.api_flavor == flavor]
    if not named:
        names = ", ".join(extractor.api_flavor for extractor in known) or "none"
        raise RequestError(f"flavor: {flavor!r} is none of {provider.id}'s: {names}", field="flavor")
    return named


def _readings(extractors: Sequence[UsageExtractor], response: Mapping[str, Any]) -> Iterator[Extracted]:
    for extractor in extractors:
        try:
            model, usage = extractor.extract(response)
        except ValueError:
            continue
        yield Extracted(extractor.api_flavor, model, _tier(response), dict(vars(usage)))


def _tier(response: Mapping[str, Any]) -> str | None:
    """Return the served tier: beside the usage, or inside it."""
    usage = response.get("usage")
    inner = usage.get("service_tier") if isinstance(usage, Mapping) else None
    tier = response.get("service_tier") or inner
    return tier if isinstance(tier, str) else None
