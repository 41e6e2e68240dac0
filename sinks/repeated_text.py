"""Text that is the same in every row, or in every cost line, goes to the store once and not a row.

An Arrow dictionary of one value: ClickHouse's Arrow import takes it for any text column, in a tuple of an
array too. Most of a block's rows name the same segment, and most of its lines the same currency.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

from schemas.flatten import to_arrow
from schemas.sameness import says_one

_LINES = "costs"


def with_repeated_text(frame: pl.DataFrame) -> pa.Table:
    """Return the frame as `schemas.flatten.to_arrow` does, with repeated text as dictionaries.

    The columns come in another order.
    """
    repeated = [series for series in frame if _is_repeated(series)]
    lines = [frame.get_column(_LINES)] if _LINES in frame.columns else []
    names = [series.name for series in (*repeated, *lines)]
    table = to_arrow(frame.drop(names))
    for series in repeated:
        table = table.append_column(series.name, _dictionary(series))
    for series in lines:
        table = table.append_column(series.name, _lines(series))
    return table


def _is_repeated(series: pl.Series) -> bool:
    return series.dtype == pl.String and says_one(series)


def _dictionary(series: pl.Series) -> pa.DictionaryArray:
    codes = pa.array(np.zeros(len(series), dtype=np.int8))
    return pa.DictionaryArray.from_arrays(codes, pa.array([series.item(0)], pa.string()))


def _lines(costs: pl.Series) -> pa.Array:
    """Return lists of records, field by field, over the memory that polars has them in."""
    lists = costs.to_arrow(compat_level=pl.CompatLevel.newest())
    begin, end = lists.offsets[0].as_py(), lists.offsets[-1].as_py()
    records = lists.values
    if records.null_count or lists.null_count:
        return costs.to_arrow(compat_level=pl.CompatLevel.oldest())
    records = records.slice(begin, end - begin)
    fields = [pl.Series(field.name, records.field(place)) for place, field in enumerate(records.type)]
    arrays = [
        _dictionary(field) if _is_repeated(field) else field.to_arrow(compat_level=pl.CompatLevel.oldest())
        for field in fields
    ]
    items = pa.StructArray.from_arrays(arrays, names=[field.name for field in fields])
    offsets = lists.offsets if not begin else pa.array(lists.offsets.to_numpy() - begin)
    return pa.LargeListArray.from_arrays(offsets, items)
