"""What is booked of each leaf: its row, and every difference since, in their order."""

from __future__ import annotations

import polars as pl

from sinks.adjustments import COST_TOTALS

OWNER = ("tenant_id", "project_id", "team_id", "cost_center", "environment")
"""Columns that say to whom a leaf is booked."""

FOUND = ("attribution_method", "attribution_confidence")
"""Columns that say how that was found."""

PRICE = ("cost_status", "cost_currency", *COST_TOTALS, "price_basis", "price_book_revision", "costs")
"""Columns that say at which price."""

BOOKED = "booked_"
"""Prefix of the columns that say what is booked."""

BOOKED_AGAIN = "booked_again"
"""Column: whether the leaf is booked as a further report of a call that another leaf has the cost of."""

_LEAF = ("log_id", "leaf_index")


def booked(leaves: pl.DataFrame, adjustments: pl.DataFrame) -> pl.DataFrame:
    """Return the leaves with `BOOKED` columns for `OWNER`, `FOUND` and `PRICE`, and `BOOKED_AGAIN`.

    Amounts are null unless the status is priced. A leaf that was found to repeat another is left out: it is
    no event any more.

    Args:
        leaves: Columns of `sinks.rated_leaves.LEAF_COLUMNS`.
        adjustments: Rows of `ADJUSTMENT_SCHEMA` of these leaves, in the order in which they were booked;
            those of others do no harm.
    """
    stands = pl.col("stands")
    moved = _last(adjustments.filter(stands, pl.col("kind") == "attribution"), (*OWNER, *FOUND), "moved_")
    priced = _last(
        adjustments.filter(stands, pl.col("kind") == "reprice").with_columns(
            price_book_revision="new_revision"
        ),
        ("cost_status", "cost_currency", "price_basis", "price_book_revision", "costs"),
        "priced_",
    )
    sums = adjustments.group_by(_LEAF).agg(
        *(
            pl.col(name).filter(pl.col("kind") != "same_call").sum().alias(f"more_{name}")
            for name in COST_TOTALS
        ),
        booked_calls=pl.col("events").filter(pl.col("kind") == "same_call").sum(),
        gone=(pl.col("kind") == "duplicate").any(),
    )
    rows = leaves
    for found in (moved, priced, sums):
        rows = rows.join(found, on=_LEAF, how="left", maintain_order="left")
    rows = rows.filter(~pl.col("gone").fill_null(value=False))
    is_moved, is_priced = (
        pl.col("is_moved_").fill_null(value=False),
        pl.col("is_priced_").fill_null(value=False),
    )
    status = pl.when(is_priced).then("priced_cost_status").otherwise("cost_status")
    more = {name: pl.col(f"more_{name}").fill_null(0) for name in COST_TOTALS}
    return rows.select(
        *leaves.columns,
        *(
            pl.when(is_moved).then(f"moved_{name}").otherwise(name).alias(f"{BOOKED}{name}")
            for name in (*OWNER, *FOUND)
        ),
        *(
            pl.when(is_priced).then(f"priced_{name}").otherwise(name).alias(f"{BOOKED}{name}")
            for name in PRICE
            if name not in COST_TOTALS
        ),
        *(
            pl.when(status == "priced")
            .then((pl.col(name).fill_null(0) + more[name]).cast(pl.Decimal(38, 12)))
            .alias(f"{BOOKED}{name}")
            for name in COST_TOTALS
        ),
        (pl.col("same_call_as").is_not_null() | (pl.col("booked_calls").fill_null(0) < 0)).alias(
            BOOKED_AGAIN
        ),
    )


def _last(rows: pl.DataFrame, names: tuple[str, ...], prefix: str) -> pl.DataFrame:
    """Return the last row of each leaf: the columns under a prefix, and `is_<prefix>`."""
    return rows.unique(_LEAF, keep="last", maintain_order=True).select(
        *_LEAF,
        *(pl.col(name).alias(f"{prefix}{name}") for name in names),
        pl.lit(value=True).alias(f"is_{prefix}"),
    )
