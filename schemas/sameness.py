"""Whether a column says the same in every row: then one look, and one copy, is enough."""

from __future__ import annotations

import polars as pl


def says_one(series: pl.Series) -> bool:
    """Return whether every row has the same value and none is null; False without rows."""
    if not len(series) or series.null_count():
        return False
    first = series.item(0)
    # A look at the last one spares the look at all of them for most columns.
    return bool(series.item(-1) == first and (series == first).all())
