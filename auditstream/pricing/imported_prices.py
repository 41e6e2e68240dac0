"""Price rows of the reference table, read when a model is asked for.

An imported catalogue has tens of thousands of prices, and a company calls a few hundred models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import polars as pl

from auditstream.pricing.meters import meter_of
from auditstream.pricing.price_rows import PriceRow

_MODEL = ("provider", "model_pattern")
_METER = ("meter", "direction", "cache_action", "unit")


class ImportedPrices:
    """The price rows of each model of a table.

    Args:
        table: Rows of kind `price`, all of which count.
        rows_of: Returns the price rows of a row of the table.
    """

    def __init__(
        self, table: pl.DataFrame, rows_of: Callable[[Mapping[str, Any]], Iterator[PriceRow]]
    ) -> None:
        self._table = table.sort(_MODEL, maintain_order=True)
        self._rows_of = rows_of
        # Where a model begins; the table's order within it is kept.
        sizes = self._table.group_by(_MODEL, maintain_order=True).len()
        ends = sizes.get_column("len").cum_sum().to_list()
        models = sizes.select(_MODEL).iter_rows()
        self._places = dict(zip(models, pairwise([0, *ends]), strict=True))

    def __bool__(self) -> bool:
        return bool(self._places)

    def __iter__(self) -> Iterator[PriceRow]:
        for row in self._table.iter_rows(named=True):
            yield from self._rows_of(row)

    def of(self, provider: str, model: str) -> list[PriceRow]:
        """Return the prices of a model as its provider lists them."""
        begin, end = self._places.get((provider, model), (0, 0))
        names = self._table.columns
        # Tuples first: for few rows polars takes twice as long to name what is in them.
        rows = (dict(zip(names, row, strict=True)) for row in self._table.slice(begin, end - begin).rows())
        return [price for row in rows for price in self._rows_of(row)]


def of_calls(table: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of a table that are of meters which model calls have."""
    meters = table.select(_METER).unique()
    known = [unit == getattr(meter_of(*said), "unit", None) for *said, unit in meters.iter_rows()]
    return table.join(meters.filter(pl.Series(known, dtype=pl.Boolean)), on=_METER, how="semi")
