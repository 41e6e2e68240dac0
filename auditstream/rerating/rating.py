"""What leaves would be recorded as today: attributed and priced again, by the record agent's own stages."""

from __future__ import annotations

from typing import Protocol

import polars as pl

from auditstream.attribution.filling import as_stated
from auditstream.pricing.route_windows import REFUSAL
from auditstream.pricing.routing import unsaid_as_null
from auditstream.rerating.bookings import FOUND, OWNER, PRICE

NEW = "new_"
"""Prefix of the columns that say what would be recorded today."""

_ROW = "row"


class Attributor(Protocol):
    """Says whose events are; see `auditstream.attribution.attributor`."""

    def attribute(self, events: pl.DataFrame, *, topic: str, revision: int) -> pl.DataFrame:
        """Return the events with their owners, row for row."""
        ...


class Pricer(Protocol):
    """Says what events cost, and why some have no price; see `auditstream.pricing.pricer`."""

    def explain(self, events: pl.DataFrame, *, revision: int) -> pl.DataFrame:
        """Return the events with their costs and a column `refusal`, row for row."""
        ...


class Rater:
    """Attributes and prices leaves by one revision of the reference data.

    Args:
        attributor: As of the record agent.
        pricer: Likewise.
        revision: The revision.
    """

    def __init__(self, attributor: Attributor, pricer: Pricer, revision: int) -> None:
        self._attributor = attributor
        self._pricer = pricer
        self.revision = revision

    def rate(self, leaves: pl.DataFrame) -> pl.DataFrame:
        """Return the leaves, in order, with `NEW` columns for `OWNER`, `FOUND` and `PRICE`, and `REFUSAL`.

        Args:
            leaves: Columns of `sinks.rated_leaves.LEAF_COLUMNS`, and any others.

        Raises:
            RetryableError: The reference data cannot be read now.
        """
        if leaves.is_empty():
            return leaves.with_columns(
                *(pl.col(name).alias(f"{NEW}{name}") for name in (*OWNER, *FOUND, *PRICE)),
                pl.lit(None, dtype=pl.String).alias(REFUSAL),
            )
        numbered = as_received(leaves).with_row_index(_ROW)
        parts = []
        for part in numbered.partition_by("kafka_topic", maintain_order=True):
            topic = part["kafka_topic"][0]
            owned = self._attributor.attribute(part, topic=topic, revision=self.revision)
            parts.append(self._pricer.explain(owned, revision=self.revision))
        rated = pl.concat(parts, how="diagonal").sort(_ROW)
        return leaves.hstack(
            [
                *(
                    _filled(rated[name], leaves[name]).alias(f"{NEW}{name}")
                    for name in (*OWNER, *FOUND, *PRICE)
                ),
                rated[REFUSAL],
            ]
        )


def as_received(leaves: pl.DataFrame) -> pl.DataFrame:
    """Return leaves as their events came: the claim, what they said of themselves, their own cost lines.

    Lines are the event's own where no price book was asked for them. Text that says nothing is null, as it
    is in an event that was just decoded.
    """
    reported = pl.col("price_book_revision") == ""
    return unsaid_as_null(as_stated(leaves)).with_columns(
        pl.col("tenant_claim").alias("tenant_id"),
        pl.when(reported).then("costs").otherwise(pl.lit([], dtype=leaves.schema["costs"])).alias("costs"),
    )


def _filled(rated: pl.Series, recorded: pl.Series) -> pl.Series:
    """Return a column as the store would have it: text is never null there."""
    series = rated.cast(recorded.dtype)
    return series.fill_null("") if recorded.dtype == pl.String else series
