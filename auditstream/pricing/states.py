"""What pricing says of each event beside its cost lines: the columns, put together without plans.

A plan of polars takes a block longer than what most of these columns hold.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from auditstream.pricing.lines import AMOUNT, AMOUNTS, ROW
from auditstream.pricing.route_windows import REFUSAL

PRICED, UNPRICED, NONE = "priced", "unpriced", "none"

STATES = {
    "cost_currency": pl.String(),
    **{f"cost_{name}": AMOUNT for name in AMOUNTS},
    "price_basis": pl.String(),
    "cost_status": pl.String(),
    "price_book_revision": pl.String(),
    "computed_cost": AMOUNT,
    "computed_currency": pl.String(),
    "cost_difference": AMOUNT,
    "unpriced_reason": pl.String(),
    "unpriced_meter": pl.String(),
    REFUSAL: pl.String(),
}
_FOR_NONE = {
    "cost_currency": "",
    "price_basis": "",
    "cost_status": NONE,
    "price_book_revision": "",
    "computed_currency": "",
    "unpriced_reason": "",
    "unpriced_meter": "",
}


def unpriced_columns() -> list[pl.Expr]:
    """Return the columns that pricing adds, as they are of events that cost nothing."""
    return [
        pl.lit(_FOR_NONE.get(name), dtype=kind).alias(name)
        for name, kind in STATES.items()
        if name != REFUSAL
    ]


def of_priced(said: Iterable[pl.Series], refusals: pl.Series) -> list[pl.Series]:
    """Return what only a call with a price has: its currency, the basis of the price, and its totals."""
    if refusals.null_count() == len(refusals):  # so it is most often, and nothing is looked at
        return list(said)
    has_price = refusals.is_null()
    return [
        column.zip_with(has_price, pl.Series([_FOR_NONE.get(column.name)], dtype=column.dtype))
        for column in said
    ]


def status(refusals: pl.Series) -> pl.Series:
    """Return the status of calls, which have a price where nothing refuses it."""
    if refusals.null_count() == len(refusals):
        return said_by_all("cost_status", PRICED, len(refusals))
    words = pl.Series("cost_status", [UNPRICED, PRICED])
    return words.gather(refusals.is_null().cast(pl.UInt32))


def said_by_all(name: str, value: str | None, height: int) -> pl.Series:
    """Return a text column that is the same in every row."""
    return pl.Series(name, [value], pl.String).new_from_index(0, height)


def with_columns_of(events: pl.DataFrame, columns: Iterable[pl.Series]) -> pl.DataFrame:
    """Return the events with columns; a plan for two hundred columns would take a tenth of the pricing."""
    frame, further = events.clone(), []
    for column in columns:
        if column.name in events.columns:
            frame.replace_column(events.get_column_index(column.name), column)
        else:
            further.append(column)
    # Columns cut in different places are joined by each plan that is made for the frame.
    return frame.hstack(further).rechunk()


def in_rows(states: pl.DataFrame, rows: pl.DataFrame) -> list[pl.Series]:
    """Return the columns of the states for all rows; a row without a state costs nothing."""
    joined = states
    # Most often every row has a state, in order: then there is nothing to look up.
    if not states.get_column(ROW).equals(rows.get_column(ROW)):
        joined = rows.select(ROW).join(states, on=ROW, how="left", maintain_order="left")
    return [_filled(name, kind, joined) for name, kind in STATES.items()]


def _filled(name: str, kind: pl.DataType, states: pl.DataFrame) -> pl.Series:
    column = states.get_column(name) if name in states.columns else None
    if column is None or column.null_count() == len(column):
        return pl.Series(name, [_FOR_NONE.get(name)], kind).new_from_index(0, states.height)
    column = column if column.dtype == kind else column.cast(kind)
    return column.fill_null(_FOR_NONE[name]) if name in _FOR_NONE and column.null_count() else column
