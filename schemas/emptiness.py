"""Whether a column says nothing in any row: then nobody needs to read, judge or send it."""

from __future__ import annotations

import polars as pl


def is_empty(series: pl.Series) -> bool:
    """Return whether every value is null or the empty string, list or map: the table's own defaults."""
    if series.null_count() == len(series):
        return True
    match series.dtype:
        case pl.String():
            sizes = series.str.len_bytes()
        case pl.Binary():
            sizes = series.bin.size()
        case pl.List():
            sizes = series.list.len()
        case pl.Map():
            sizes = series.map.len()
        case _:
            return False
    return sizes.max() == 0
