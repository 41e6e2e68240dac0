"""What a re-rating changes, as a table for people: by tenant and model, and what stays as it is and why."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal

import polars as pl

from auditstream.pricing.route_windows import REFUSAL
from auditstream.rerating.bookings import BOOKED, BOOKED_AGAIN
from auditstream.rerating.calls import AGAIN
from auditstream.rerating.differences import KEPT, moved, repriced, settled
from auditstream.rerating.rating import NEW

COLUMNS = (
    "what", "tenant_id", "provider", "model", "currency", "events", "old", "new", "difference", "reason",
)  # fmt: skip
"""Columns of the table: `what` is changed, unpriced or kept; amounts are effective cost."""

_ZERO = Decimal(0)
_MODEL = (
    pl.when(pl.col("inference_response_model") != "")
    .then("inference_response_model")
    .otherwise("inference_request_model")
    .alias("model")
)
Key = tuple[str, str, str, str]


@dataclass(slots=True)
class Change:
    """What changes under one key.

    Attributes:
        events: Events that count there before or after, or both.
        old: Their cost before.
        new: Their cost after.
    """

    events: int = 0
    old: Decimal = _ZERO
    new: Decimal = _ZERO


@dataclass(slots=True)
class Summary:
    """What a re-rating looked at and changed.

    Attributes:
        seen: Events that were looked at.
        touched: Events that something changes about.
        rows: Adjustments, by kind.
        changes: By tenant, provider, model and currency.
        stays: Events by tenant, provider, model and reason: `unpriced`, or a price that is kept.
    """

    seen: int = 0
    touched: int = 0
    rows: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    changes: dict[Key, Change] = field(default_factory=lambda: defaultdict(Change))
    stays: dict[tuple[str, Key], int] = field(default_factory=lambda: defaultdict(int))

    @property
    def adjustments(self) -> int:
        """How many rows were, or would be, appended."""
        return sum(self.rows.values())

    def see(self, leaves: pl.DataFrame, adjustments: pl.DataFrame) -> None:
        """Add leaves and the rows that book what changes about them."""
        self.seen += leaves.height
        touched = leaves.filter(moved() | repriced() | settled())
        self.touched += touched.height
        for kind, rows in adjustments.group_by("kind").len().iter_rows():
            self.rows[kind] += rows
        self._add(touched)
        self._add_stays(leaves)

    def table(self) -> list[tuple[object, ...]]:
        """Return the rows of the table, largest difference first, then what stays."""
        changed = sorted(self.changes.items(), key=lambda each: (-abs(each[1].new - each[1].old), each[0]))
        rows: list[tuple[object, ...]] = [
            (
                "changed",
                tenant,
                provider,
                model,
                currency,
                each.events,
                each.old,
                each.new,
                each.new - each.old,
                "",
            )
            for (tenant, provider, model, currency), each in changed
        ]
        stays = sorted(self.stays.items(), key=lambda each: (each[0][0], -each[1], each[0]))
        rows += [
            (what, tenant, provider, model, "", events, None, None, None, reason)
            for (what, (tenant, provider, model, reason)), events in stays
        ]
        return rows

    def _add(self, touched: pl.DataFrame) -> None:
        """Count each leaf where it was booked and where it is now, once where that is the same."""
        before, after = _sides(touched, BOOKED, BOOKED_AGAIN), _sides(touched, NEW, AGAIN)
        both = pl.concat(
            [before.with_columns(old="cost", new=pl.lit(0)), after.with_columns(old=pl.lit(0), new="cost")],
            how="vertical_relaxed",
        )
        summed = both.group_by("tenant_id", "inference_provider", "model", "currency").agg(
            pl.col("leaf").n_unique().alias("events"), pl.col("old").sum(), pl.col("new").sum()
        )
        for *key, events, old, new in summed.iter_rows():
            tenant, provider, model, currency = map(str, key)
            change = self.changes[tenant, provider, model, currency]
            change.events += events
            change.old += old
            change.new += new

    def _add_stays(self, leaves: pl.DataFrame) -> None:
        own = leaves.filter(~pl.col(AGAIN))
        named = [pl.col(f"{NEW}tenant_id"), pl.col("inference_provider"), _MODEL]
        for what, reason in (("unpriced", REFUSAL), ("kept", KEPT)):
            counted = own.filter(pl.col(reason).is_not_null()).group_by(*named, reason).len()
            for tenant, provider, model, why, events in counted.iter_rows():
                self.stays[what, (str(tenant), str(provider), str(model), str(why))] += events


def _sides(leaves: pl.DataFrame, prefix: str, again: str) -> pl.DataFrame:
    """Return where leaves count, and at what cost."""
    return leaves.filter(~pl.col(again)).select(
        pl.format("{}/{}", "log_id", "leaf_index").alias("leaf"),
        pl.col(f"{prefix}tenant_id").alias("tenant_id"),
        "inference_provider",
        _MODEL,
        pl.col(f"{prefix}cost_currency").alias("currency"),
        pl.col(f"{prefix}cost_effective").fill_null(0).alias("cost"),
    )
