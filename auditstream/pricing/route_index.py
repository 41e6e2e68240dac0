"""Numbers of routes by what events say, looked up in arrays: a join by several texts takes twice as long.

Each text gets a number, and each combination of texts one more, column by column, so that no table is as wide
as all columns are together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from schemas.sameness import says_one

_MOST_PLACES = 1 << 22
"""Places of a table: 16 MB; models times tenants of a large company."""

_NOT_TOLD = ""


class RouteIndex:
    """Finds routes. Never changes.

    Args:
        routes: What events say, a row a route, no two alike: texts and booleans.
        told: By column, the texts that its routes are told apart by: all others count as the empty one. Where
            a column has none here, every text counts.
    """

    def __init__(self, routes: pl.DataFrame, told: Mapping[str, frozenset[str]]) -> None:
        self._columns = [_Codes(column, told.get(column.name)) for column in routes]
        self._tables: list[NDArray[np.int32] | None] = []
        self._is_whole = True
        found, count = np.zeros(routes.height, np.int64), 1
        for codes in self._columns:
            if codes.only is not None:
                self._tables.append(None)
                continue
            if count * codes.size > _MOST_PLACES:
                self._is_whole = False
                return
            places, combined = np.unique(found * codes.size + codes.of_routes, return_inverse=True)
            table = np.full(count * codes.size, -1, np.int32)
            table[places] = np.arange(len(places))
            self._tables.append(table)
            found, count = combined, len(places)
        self._numbers = np.empty(routes.height, np.uint32)
        self._numbers[found] = np.arange(routes.height)

    def numbers(self, keys: pl.DataFrame) -> NDArray[np.uint32] | None:
        """Return the number of each row's route; None where one is not known, or the index is too large.

        Args:
            keys: The columns of the routes, in their order.
        """
        if not keys.height:
            return np.empty(0, np.uint32)
        if not self._is_whole or not len(self._numbers):
            return None
        found: Any = 0
        for codes, table, column in zip(self._columns, self._tables, keys, strict=True):
            code = codes.of(column)
            if code is None:
                return None
            if table is None:
                # What all routes say chooses none of them.
                if np.any(code != codes.only):
                    return None
                continue
            found = table.take(found * np.int64(codes.size) + code)
            if found.min() < 0:
                return None
        numbers = self._numbers.take(found)
        return numbers if np.ndim(found) else np.full(keys.height, numbers)


class _Codes:
    """Numbers of the values that a column of routes has; the last one is that of null.

    Args:
        column: The column.
        told: The texts that count; all do when None.
    """

    def __init__(self, column: pl.Series, told: frozenset[str] | None) -> None:
        known = column.drop_nulls().unique(maintain_order=True).to_list()
        self._codes = {value: number for number, value in enumerate([*known, None])}
        self._told = told
        self._texts: list[str] | None = None
        if column.dtype == pl.String:
            self._texts = known if told is None else sorted(told)
            self._kind = pl.Enum(self._texts)
            # By number among the texts, and of what is none of them.
            codes = [self._codes.get(text, -1) for text in self._texts]
            self._of_text = np.array([*codes, self._codes.get(None if told is None else _NOT_TOLD, -1)])
        self.size = len(self._codes)
        of_routes = self.of(column) if len(column) else self._codes[None]
        assert of_routes is not None, "they were made of this column"
        self.only = of_routes if isinstance(of_routes, int) else None
        self.of_routes = np.broadcast_to(np.asarray(of_routes, np.int64), (len(column),))

    def of(self, column: pl.Series) -> NDArray[Any] | int | None:
        """Return the numbers of a column, one number where all rows say the same; None for unknown values."""
        if column.null_count() == len(column) or self._told == frozenset():
            return self._code(None)
        if says_one(column):
            return self._code(column.item(0))
        return self._mapped(column) if self._texts is None else self._of_texts(column)

    def _of_texts(self, column: pl.Series) -> NDArray[Any] | None:
        texts = column.cast(self._kind, strict=False)
        unknown = texts.null_count() - column.null_count()
        if self._told is None and unknown:
            return None
        numbers = texts.to_physical()
        if texts.null_count():
            numbers = numbers.cast(pl.UInt32).fill_null(len(self._of_text) - 1)
        codes = self._of_text.take(numbers.to_numpy())
        return codes if codes.min() >= 0 else None

    def _code(self, value: Any) -> int | None:
        if self._told is not None and value not in self._told:
            value = _NOT_TOLD
        return self._codes.get(value)

    def _mapped(self, column: pl.Series) -> NDArray[np.int64] | None:
        found = [self._codes.get(value) for value in column.unique()]
        if None in found:
            return None
        return column.replace_strict(self._codes, return_dtype=pl.Int64).to_numpy()
