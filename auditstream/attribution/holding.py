"""Looking facts up for many events at once: what held at the time of each."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def held_at(rows: pl.DataFrame, facts: pl.DataFrame, on: Sequence[str]) -> pl.DataFrame:
    """Return for each row the facts of its key that hold at its `event_time`.

    Only facts that overlap the rows' range of times take part in the join, so that a key's history costs
    nothing where the rows are of one hour. A row without a fact is left out.

    Args:
        rows: Columns `row`, `event_time` and the key's.
        facts: Intervals: the key's columns, `valid_from`, `valid_to` and what to look up.
        on: Names of the key's columns. With the whole key of a kind, a row has one fact at most.

    Returns:
        `row` and the columns of `facts` but for the key and the times.
    """
    first, last = rows["event_time"].min(), rows["event_time"].max()
    overlapping = facts.filter(
        pl.col("valid_from") <= last, pl.col("valid_to").is_null() | (pl.col("valid_to") > first)
    )
    time = pl.col("event_time")
    return (
        rows.select("row", "event_time", *on)
        .join(overlapping, on=on, how="inner")
        .filter(pl.col("valid_from") <= time, pl.col("valid_to").is_null() | (time < pl.col("valid_to")))
        .drop("event_time", "valid_from", "valid_to", *on)
    )


def with_held(rows: pl.DataFrame, facts: pl.DataFrame, on: Sequence[str]) -> pl.DataFrame:
    """Return the rows, in order, with the columns of the fact of their whole key that holds; null without."""
    if facts.is_empty() or rows.is_empty():
        held = facts.clear().drop("valid_from", "valid_to", *on)
        return rows.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in held.schema.items())
    return rows.join(held_at(rows, facts, on), on="row", how="left", maintain_order="left")
