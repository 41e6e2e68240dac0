"""Decimals as whole numbers of their last place: in 64 bits where they fit, of any size where they do not.

Exact either way. An array of 64-bit numbers is multiplied and added up in a tenth of the time of decimals of
128 bits, and all that is looked at is whether the largest ones might not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

Units = NDArray[np.int64] | NDArray[np.object_]
"""Whole numbers: of 64 bits, or Python's own where those might not hold them."""

_LONG = 2**63
_EXACT = Context(prec=80, traps=[Inexact])  # more digits than a decimal of 38 has, scaled or not
_LOW_BITS = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Factors:
    """Numbers to multiply by, as whole steps and the part of a step that is left.

    A number is `high + low / step`, with `low` at least 0 and less than `step`.

    Attributes:
        step: The same for all.
        high: Whole steps.
        low: What is left; None where nothing is left of any.
    """

    step: int
    high: Units
    low: NDArray[np.int64] | None

    @classmethod
    def of(cls, units: Units, step: int) -> Factors:
        """Return units as whole steps and what is left."""
        high = units // step
        low = (units - high * step).astype(np.int64)
        return cls(step, _narrow(high), low if low.any() else None)

    def __getitem__(self, places: NDArray[Any]) -> Factors:
        return Factors(self.step, self.high.take(places), None if self.low is None else self.low.take(places))

    def times(self, numbers: Units) -> Units:
        """Return each of them times a whole number, rounded half-even."""
        high, low = self.high, self.low
        if not self._fit(numbers):
            high, numbers = high.astype(object), numbers.astype(object)
        product = high * numbers
        if low is None:
            return product
        left = low * numbers
        # numpy divides by one number much quicker than by many, or than it finds a remainder.
        whole = left // self.step
        twice = 2 * (left - whole * self.step)
        product += whole
        up, ties = twice > self.step, twice == self.step
        if ties.any():
            up |= ties & ((product & 1) == 1)
        product += up.astype(np.int64)
        return product

    def _fit(self, numbers: Units) -> bool:
        """Return whether 64 bits hold the products, and what is left times a number, twice."""
        if not len(numbers) or _is_of_any_size(numbers):
            return True
        most = _largest(numbers)
        if 2 * self.step * most >= _LONG:
            return False
        if _is_of_any_size(self.high):
            return True
        if (_largest(self.high) + 2) * most < _LONG:
            return True
        # The largest price and the largest count are seldom one line's. Half the range is room for what
        # floats round away.
        near = (np.abs(self.high.astype(np.float64)) + 2) * np.abs(numbers.astype(np.float64))
        return bool(near.max() < _LONG / 2)


def _is_of_any_size(units: Units) -> bool:
    return bool(units.dtype == object)


def _narrow(units: Units) -> Units:
    """Return the same in 64 bits where these hold them."""
    if _is_of_any_size(units) and (not len(units) or _largest(units) < _LONG):
        return units.astype(np.int64)
    return units


def _largest(units: Units) -> int:
    """Return the largest amount of any, whatever its sign."""
    return max(int(units.max()), -int(units.min()))


def units_of(decimals: Sequence[Decimal], places: int) -> Units:
    """Return decimals of at most so many places as whole numbers of the last one.

    Raises:
        decimal.Inexact: One has more places.
    """
    found = [int(_EXACT.to_integral_exact(_EXACT.scaleb(each, places))) for each in decimals]
    return _narrow(np.array(found, dtype=object))


def sums(units: Units, borders: tuple[NDArray[np.int64], NDArray[np.int64]]) -> Units:
    """Return the sums between borders, starts and ends; 0 where there is nothing between them."""
    if len(units) and not _is_of_any_size(units):
        units = units if _largest(units) * len(units) < _LONG else units.astype(object)
    running: NDArray[Any] = np.zeros(len(units) + 1, units.dtype)
    np.cumsum(units, out=running[1:])
    starts, ends = borders
    added: Units = running.take(ends) - running.take(starts)
    return added


def as_decimals(units: Units, kind: pl.Decimal) -> pl.Series:
    """Return whole numbers of the last place as decimals; by way of Arrow, which shares the memory."""
    halves = np.empty((len(units), 2), np.int64)
    if _is_of_any_size(units):
        _require_digits(units, kind)
        halves[:, 0] = (units & _LOW_BITS).astype(np.uint64).view(np.int64)
        halves[:, 1] = units >> 64
    else:
        halves[:, 0] = units
        np.right_shift(units, 63, out=halves[:, 1])
    arrow = pa.decimal128(kind.precision or 38, kind.scale)
    return pl.Series(pa.Array.from_buffers(arrow, len(units), [None, pa.py_buffer(halves)]))


def _require_digits(units: Units, kind: pl.Decimal) -> None:
    most = max((abs(each) for each in units), default=0)
    if most >= 10 ** (kind.precision or 38):
        raise OverflowError(f"{most} has more digits than {kind} holds")
