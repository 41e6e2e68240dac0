"""Histograms for the few keys that are worth a kilobyte: given on promotion, taken back after idle days."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.axes import Axis
from auditstream.detection.detector import Column, Keys
from auditstream.detection.histogram import DecayedHistogram
from auditstream.detection.rows import Arrays, resized

PROMOTED_AT = 200
"""Active minutes at which a key is given a histogram: most keys never get there, and the tail needs ten times
as many anyway."""

IDLE_MINUTES = 7 * 1_440
"""Minutes without a value after which it is taken back: whoever works on weekdays only keeps it."""


class HotHistogram:
    """Decayed histograms of the keys that were promoted."""

    def __init__(self, axis: Axis, decay: float) -> None:
        """Begin without keys; `axis` and `decay` as `DecayedHistogram` has them."""
        self._row: NDArray[np.int32] = np.zeros(0, np.int32)  # row + 1 by key; 0: none
        self._free: list[int] = []
        self._rows = 0
        self._histogram = DecayedHistogram(axis, decay)

    def reserve(self, keys: int) -> None:
        """Make room for keys below a number; none of the new ones has a histogram."""
        self._row = resized(self._row, keys)

    def has(self, keys: Keys) -> NDArray[np.bool_]:
        """Return whether keys have one."""
        return self._row[keys] > 0

    @property
    def keys(self) -> Keys:
        """Keys that have one, ascending."""
        return np.flatnonzero(self._row).astype(np.int32)

    def promote(self, keys: Keys) -> None:
        """Give an empty histogram each to keys that have none."""
        again = [self._free.pop() for _ in range(min(len(keys), len(self._free)))]
        new = len(keys) - len(again)
        self._row[keys] = np.array([*again, *range(self._rows, self._rows + new)], np.int32) + 1
        self._rows += new
        self._histogram.reserve(self._rows)

    def add(self, keys: Keys, values: Column, tick: int, weight: Column) -> None:
        """Take a value a key in; all of them have a histogram."""
        self._histogram.add(self._of(keys), values, tick, weight)

    def total(self, keys: Keys, tick: int) -> Column:
        """Return the weight of all values of keys that have a histogram."""
        return self._histogram.total(self._of(keys), tick)

    def quantile(self, keys: Keys, share: float) -> Column:
        """Return the value below which a share of the weight lies, of keys that have a histogram."""
        return self._histogram.quantile(self._of(keys), share)

    def forget(self, keys: Keys) -> None:
        """Take histograms back from those of the keys that have one."""
        rows = self._of(keys[self.has(keys)])
        self._histogram.forget(rows)
        self._row[keys] = 0
        self._free.extend(rows.tolist())

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return the keys that have a histogram, and its arrays in their order."""
        keys = self.keys
        rows = self._of(keys)
        return {"keys": keys, **{name: array[rows] for name, array in self._histogram.state().items()}}

    def restore(self, state: Arrays) -> None:
        """Take over what `state` returned; with other bins, the same keys have empty histograms."""
        self.forget(self.keys)
        self._free, self._rows = [], 0
        keys = state["keys"].astype(np.int32) if "keys" in state else np.zeros(0, np.int32)
        self.reserve(int(keys.max(initial=-1)) + 1)
        self.promote(keys)
        self._histogram.restore(state)

    def _of(self, keys: Keys) -> Keys:
        rows: Keys = self._row[keys] - 1
        return rows
