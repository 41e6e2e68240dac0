"""Text that comes again goes to the store once: what is the same in every row, and what has numbers already.

A field that no cost line has does not go at all: the store fills a tuple by the names of its members.

As Arrow dictionaries: ClickHouse's Arrow import takes them for any text column, in a tuple of an array too.
Most of a block's rows name the same segment, and its lines a few hundred prices.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

from schemas.flatten import to_arrow
from schemas.sameness import says_one
from sinks.narrow_decimals import NarrowDecimals

_LINES = "costs"


def with_repeated_text(frame: pl.DataFrame) -> pa.Table:
    """Return the frame as `schemas.flatten.to_arrow` does, with short forms of text and decimals.

    The columns come in another order.
    """
    narrow = NarrowDecimals()
    short = {series.name: _short(series, narrow) for series in frame}
    rest = to_arrow(frame.select(name for name, array in short.items() if array is None))
    said = {name: array for name, array in short.items() if array is not None}
    return pa.table(dict(zip(rest.column_names, rest.columns, strict=True)) | said)


def _short(series: pl.Series, narrow: NarrowDecimals) -> pa.Array | None:
    """Return a column in the form in which it is short; None where it has no such."""
    if series.name == _LINES:
        return _lines(series, narrow)
    if _is_repeated(series):
        return _dictionary(series)
    if series.dtype.is_decimal():
        return narrow.of(series.to_arrow())
    return None


def _is_repeated(series: pl.Series) -> bool:
    return series.dtype == pl.String and says_one(series)


def _dictionary(series: pl.Series) -> pa.DictionaryArray:
    codes = pa.array(np.zeros(len(series), dtype=np.int8))
    return pa.DictionaryArray.from_arrays(codes, pa.array([series.item(0)], pa.string()))


def _lines(costs: pl.Series, narrow: NarrowDecimals) -> pa.Array:
    """Return lists of records, field by field, over the memory that polars has them in."""
    lists = costs.to_arrow(compat_level=pl.CompatLevel.newest())
    begin, end = lists.offsets[0].as_py(), lists.offsets[-1].as_py()
    records = lists.values
    if records.null_count or lists.null_count:
        return costs.to_arrow(compat_level=pl.CompatLevel.oldest())
    records = records.slice(begin, end - begin)
    fields = {field.name: records.field(place) for place, field in enumerate(records.type)}
    arrays = {
        name: _field(array, narrow)
        for name, array in fields.items()
        if array.null_count < len(records) or not len(records)
    }
    items = pa.StructArray.from_arrays(arrays.values(), names=arrays.keys())
    offsets = lists.offsets if not begin else pa.array(lists.offsets.to_numpy() - begin)
    return pa.LargeListArray.from_arrays(offsets, items)


def _field(array: pa.Array, narrow: NarrowDecimals) -> pa.Array:
    """Return a field of all lines in the form in which it is short."""
    if pa.types.is_dictionary(array.type):
        texts = array.dictionary.cast(pa.string())
        by_number = pa.DictionaryArray.from_arrays(array.indices, texts)
        # A few lines are shorter than all texts that there are numbers for.
        return by_number if len(texts) <= len(array) else by_number.dictionary_decode()
    if pa.types.is_decimal128(array.type):
        return narrow.of(array)
    series = pl.Series(array)
    if _is_repeated(series):
        return _dictionary(series)
    return series.to_arrow(compat_level=pl.CompatLevel.oldest())
