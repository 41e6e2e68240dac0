"""What calls count, as arrays: a plan of polars takes a block longer than all of the sums in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Longs = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of some calls, an array a meter.

    Attributes:
        values: Counts by the meter's key, 0 where a call does not say.
        missing: Which calls do not say, by the meter's key; nothing where all do.
        height: Number of calls.
    """

    values: Mapping[str, Longs]
    missing: Mapping[str, Mask]
    height: int

    @classmethod
    def of(cls, columns: Iterable[pl.Series], height: int) -> Counts:
        """Return what columns say, which are named by the meters' keys."""
        values: dict[str, Longs] = {}
        missing: dict[str, Mask] = {}
        for column in columns:
            said = column
            if column.null_count():
                missing[column.name] = column.is_null().to_numpy()
                said = column.fill_null(0)
            values[column.name] = said.to_numpy()
        return cls(values, missing, height)

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the meters that some call counts."""
        return tuple(self.values)

    def take(self, places: NDArray[Any]) -> Counts:
        """Return the counts of some of the calls, in the order of their places."""
        return Counts(
            {key: each.take(places) for key, each in self.values.items()},
            {key: each.take(places) for key, each in self.missing.items()},
            len(places),
        )

    def between(self, begin: int, end: int) -> Counts:
        """Return the counts of calls that follow each other; nothing is copied."""
        return Counts(
            {key: each[begin:end] for key, each in self.values.items()},
            {key: each[begin:end] for key, each in self.missing.items()},
            end - begin,
        )


def any_of(masks: Iterable[Mask | None]) -> Mask | None:
    """Return what holds in any of the masks; None where nothing holds in any."""
    found: Mask | None = None
    for mask in masks:
        if mask is not None and mask.any():
            found = mask if found is None else found | mask
    return found
