"""Meters: what a model call is charged by, and which meters are part of which.

A meter's key is the catalogue's usage key (`cache_read_tokens`). A meter is part of another when it has all
of the other's dimensions and more: cache reads are part of input, audio cache reads are part of cache reads
and of audio input. Source: the unit definitions of `genai-prices`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genai_prices.data_units import unit_data

_UNITS = {
    "tokens": "tokens",
    "characters": "characters",
    "messages": "messages",
    "durations": "seconds",
    "pixels": "pixels",
    "document_pages": "pages",
    "rerank": "searches",
    "tool_calls": "calls",
    "requests": "requests",
}
"""Unit of a meter by the family it belongs to."""

_NOUNS = {"durations": "audio", "pixels": "image", "document_pages": "document", "rerank": "rerank"}
"""What is counted in a family whose dimensions do not say so."""

_CACHE_ACTIONS = {"cache_read": "read", "cache_write": "write"}


@dataclass(frozen=True, slots=True)
class Meter:
    """One meter.

    Attributes:
        key: Usage key, as `cache_read_tokens`.
        price_key: Name of its price in the catalogue, as `cache_read_mtok`.
        per: How many units the catalogue's price is for.
        dimensions: What sets it apart from other meters.
        name: `costs[].meter`: what is counted, `text` where the count is of all modalities.
        direction: `costs[].direction`: `input`, `output`, or None.
        cache_action: `costs[].cache_action`: `read`, `write`, or None.
        unit: `costs[].unit`.
    """

    key: str
    price_key: str
    per: int
    dimensions: frozenset[tuple[str, str]]
    name: str
    direction: str | None
    cache_action: str | None
    unit: str

    def has_part(self, other: Meter) -> bool:
        """Return whether `other` counts a part of what this meter counts; a meter is no part of itself."""
        return self.dimensions < other.dimensions

    @property
    def short_key(self) -> str:
        """The key as price ids have it: `cache_read`."""
        return self.key.removesuffix("_tokens")


def _meter(key: str, raw: Mapping[str, Any]) -> Meter:
    dimensions: Mapping[str, str] = raw["dimensions"]
    family, kind = dimensions["family"], dimensions.get("token_type")
    return Meter(
        key=key,
        price_key=raw["price_key"],
        per=raw["per"],
        dimensions=frozenset(dimensions.items()),
        name=_name(family, dimensions),
        direction=dimensions.get("direction"),
        cache_action=_CACHE_ACTIONS.get(kind or ""),
        unit=_UNITS[family],
    )


def _name(family: str, dimensions: Mapping[str, str]) -> str:
    kind = dimensions.get("token_type", "")
    words = [
        dimensions.get("modality") or _NOUNS.get(family),
        None if kind in _CACHE_ACTIONS else kind,
        dimensions.get("page_type"),
        dimensions.get("tool_type"),
        "request" if family == "requests" else None,
    ]
    return "_".join(word for word in words if word) or "text"


METERS: dict[str, Meter] = {key: _meter(key, raw) for key, raw in unit_data.items()}
"""Every meter by its key, in the catalogue's order."""

BY_PRICE_KEY: dict[str, Meter] = {meter.price_key: meter for meter in METERS.values()}

PER_REQUEST = "requests"
"""The one meter that nobody counts: every call is one."""


def parts_of(key: str) -> tuple[str, ...]:
    """Return the keys of all meters that count a part of what this one counts."""
    whole = METERS[key]
    return tuple(meter.key for meter in METERS.values() if whole.has_part(meter))


def meter_of(name: str, direction: str = "", cache_action: str = "") -> Meter | None:
    """Return a meter by its key, or by name, direction and cache action as cost lines have them.

    Of several with one name, as cache writes by how long they are kept, the one that counts all of them.
    """
    if name in METERS:
        return METERS[name]
    said = (name, direction or None, cache_action or None)
    return next(
        (each for each in METERS.values() if (each.name, each.direction, each.cache_action) == said), None
    )
