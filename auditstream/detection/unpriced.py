"""`cost.unpriced`: a model is used that has no price, told once a model and day.

Catalogue D15. The amounts lack what it costs until it has a price.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import cache

import polars as pl

from auditstream.detection.severities import Severity
from auditstream.detection.sighting import Sighting, named, samples

RULE = "cost.unpriced"

WHAT = ("tenant_id", "inference_provider", "model")
"""What has no price."""


def unpriced(events: pl.DataFrame) -> pl.DataFrame:
    """Return what has no price, the most frequent first.

    Columns: `WHAT`, `count`, `reason`, `index` and `event_id` of the first event, `first` and `last` in
    microseconds.

    Args:
        events: A segment's priced events with `index`, the leaf's; repeats left out.
    """
    is_unpriced = events["cost_status"] == "unpriced"
    if not is_unpriced.any():
        return _nothing()
    found = events.filter(is_unpriced)
    answered = pl.col("inference_response_model")
    model = pl.when(answered != "").then(answered).otherwise("inference_request_model").fill_null("")
    time = pl.col("event_time").to_physical()
    return (
        found.with_columns(model.alias("model"), pl.col("inference_provider").fill_null(""))
        .group_by(WHAT, maintain_order=True)
        .agg(
            pl.len().alias("count"),
            pl.col("unpriced_reason").first().alias("reason"),
            pl.col("index").first(),
            pl.col("event_id").head(5),
            time.min().alias("first"),
            time.max().alias("last"),
        )
        .sort("count", *WHAT, descending=[True, False, False, False])
    )


@cache
def _nothing() -> pl.DataFrame:
    return pl.DataFrame(schema={**dict.fromkeys(WHAT, pl.String()), "index": pl.UInt64()})


def sightings(groups: pl.DataFrame, day: date) -> Iterator[Sighting]:
    """Yield a sighting of each group of `unpriced`.

    Args:
        groups: What is told for the first time on the day.
        day: The day that the segment was planned on (UTC).
    """
    for group in groups.iter_rows(named=True):
        provider, model = group["inference_provider"], group["model"]
        what = "/".join(filter(None, (provider, model))) or "an event without a model"
        yield Sighting(
            rule=RULE,
            tenant=group["tenant_id"],
            scope=named(provider=provider, model=model),
            metric="unpriced_events",
            title=f"{what} has no price ({group['reason']}): what it costs is missing from every amount",
            severity=Severity.MEDIUM,
            anchor=day.isoformat(),
            first_us=group["first"],
            last_us=group["last"],
            observed=float(group["count"]),
            expected=0.0,
            events=samples(group["event_id"]),
        )
