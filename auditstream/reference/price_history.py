"""The history of prices: every row that was recorded, also those that later ones correct."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl

from auditstream.pricing.catalogue import Catalogue
from auditstream.pricing.meters import meter_of
from auditstream.pricing.names import matches_any
from auditstream.reference.snapshot import Snapshot

_ORDER = ("meter", "service_tier", "region", "context_from", "time_of_day_from", "valid_from", "revision")


def history_of(
    snapshot: Snapshot,
    catalogue: Catalogue,
    provider: str,
    model: str,
    *,
    meter: str | None = None,
    at: datetime | None = None,
) -> list[dict[str, Any]]:
    """Return the rows that are for a model, by meter and then in the order of time and knowledge.

    Args:
        snapshot: What is known; kind `price`.
        catalogue: Knows models by their names.
        provider: Provider, by any of its names.
        model: Model, by any of its names.
        meter: Key of the one meter that is asked for.
        at: Only what holds at this time, of each price the one row that counts.
    """
    rows = snapshot.rows("price") if at is None else snapshot.holding("price", at).filter("active")
    listing = catalogue.listing(provider, model)
    names = (model,) if listing is None else (model, listing.model.id)
    listed = ("", "") if listing is None else (listing.lister, listing.model.id)
    found = [
        row
        for row in rows.iter_rows(named=True)
        if (row["provider"], row["model_pattern"]) == listed
        or (
            not row["catalogue"]
            and catalogue.provider_id(row["provider"]) == catalogue.provider_id(provider)
            and matches_any(row["model_pattern"], names)
        )
    ]
    if meter is not None:
        found = [row for row in found if _meter_key(row) == meter or row["meter"] == meter]
    return sorted(found, key=lambda row: tuple(row[name] for name in _ORDER))


def between(snapshot: Snapshot, earlier: int) -> list[dict[str, Any]]:
    """Return the rows of prices that were recorded after an earlier revision."""
    rows = snapshot.rows("price").filter(pl.col("revision") > earlier)
    return rows.sort("revision", "provider", "model_pattern", *_ORDER[:-1]).to_dicts()


def _meter_key(row: dict[str, Any]) -> str:
    meter = meter_of(row["meter"], row["direction"], row["cache_action"])
    return row["meter"] if meter is None else meter.key
