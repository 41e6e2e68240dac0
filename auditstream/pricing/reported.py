"""Costs that an event brought with it: kept as they are, and added up.

A producer's lines win over the catalogue, whoever priced them: the provider's own answer, an operational
cost, a gateway with prices of its own. What cannot be added up has no total: lines in several currencies
(until there are rates), a line that says it is unpriced, or an amount no invoice has.
"""

from __future__ import annotations

import polars as pl

from auditstream.pricing.book import NoPrice
from auditstream.pricing.line_fields import COSTS, LINE_FIELDS
from auditstream.pricing.lines import AMOUNT, AMOUNTS, ROW
from auditstream.pricing.route_windows import REFUSAL

LARGEST_AMOUNT = 10**18
"""Above it an amount is a mistake, and the sum of a few would pass 38 digits."""

NOTHING_REPORTED = pl.DataFrame(schema={ROW: pl.UInt32, **LINE_FIELDS})
"""Lines of events that brought none."""

_UNPRICED = "UNPRICED"


def has_costs(events: pl.DataFrame) -> pl.Series:
    """Return which events brought cost lines."""
    return (events.get_column(COSTS).list.len() > 0).fill_null(value=False)


def lines_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the lines that events brought: columns `ROW` and `LINE_FIELDS`, one row a line.

    Args:
        rows: Columns `ROW` and `costs`, no list empty.
    """
    return rows.select(ROW, COSTS).explode(COSTS).unnest(COSTS)


def totals_of(lines: pl.DataFrame) -> pl.DataFrame:
    """Return the currency and the four totals of each event's lines, or why they have none.

    Returns:
        Columns `ROW`, `REFUSAL`, `cost_currency` and `cost_list` to `cost_billed`.
    """
    totals = lines.group_by(ROW, maintain_order=True).agg(
        _refusal().alias(REFUSAL),
        pl.col("currency").first().alias("cost_currency"),
        *(pl.col(name).filter(_possible(name)).sum().alias(f"cost_{name}") for name in AMOUNTS),
    )
    kept = pl.col(REFUSAL).is_null()
    return totals.with_columns(
        pl.when(kept).then("cost_currency").otherwise(pl.lit("")).alias("cost_currency"),
        *(pl.when(kept).then(f"cost_{name}").cast(AMOUNT).alias(f"cost_{name}") for name in AMOUNTS),
    )


def _refusal() -> pl.Expr:
    possible = pl.all_horizontal(_possible(name) for name in AMOUNTS)
    return (
        pl.when((pl.col("source") == _UNPRICED).any())
        .then(pl.lit(str(NoPrice.REPORTED_UNPRICED)))
        .when(pl.col("currency").n_unique() > 1)
        .then(pl.lit(str(NoPrice.MIXED_CURRENCIES)))
        .when(~possible.all())
        .then(pl.lit(str(NoPrice.IMPOSSIBLE_AMOUNT)))
    )


def _possible(name: str) -> pl.Expr:
    return pl.col(name).is_between(-LARGEST_AMOUNT, LARGEST_AMOUNT).fill_null(value=False)
