"""Several histograms a key that are always filled and asked together: one pass over them all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.axes import Axis
from auditstream.detection.detector import Column, Keys
from auditstream.detection.histogram import DecayedHistogram
from auditstream.detection.rows import Arrays
from auditstream.detection.tail_score import tail_score


class SeveralHistograms:
    """Decayed histograms of several numbers a key."""

    def __init__(self, axis: Axis, decay: float, numbers: int) -> None:
        """Begin without keys; `axis` and `decay` as `DecayedHistogram` has them."""
        self._numbers = numbers
        self._histogram = DecayedHistogram(axis, decay)

    def reserve(self, keys: int) -> None:
        """Make room for keys below a number."""
        self._histogram.reserve(keys * self._numbers)

    def add(self, keys: Keys, values: NDArray[np.float64], tick: int, weight: NDArray[np.float64]) -> None:
        """Take values in, a row a key and a column a number; `weight` is how much each counts, likewise."""
        self._histogram.add(self._rows(keys), values.ravel(), tick, weight.ravel())

    def totals(self, keys: Keys, tick: int) -> Column:
        """Return the weight of all values of each key's first number."""
        return self._histogram.total((keys * self._numbers).astype(np.int32), tick)

    def tail_scores(
        self, keys: Keys, values: NDArray[np.float64], tick: int, *, goes_on: bool
    ) -> NDArray[np.float64]:
        """Return how rare values are, a row a key and a column a number."""
        scores = tail_score(self._histogram, self._rows(keys), values.ravel(), tick, goes_on=goes_on)
        return scores.reshape(values.shape)

    def forget(self, keys: Keys) -> None:
        """Take keys back to where new ones begin."""
        self._histogram.forget(self._rows(keys))

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays by name, a row a key."""
        kept = {}
        for name, each in self._histogram.state().items():
            whole = len(each) - len(each) % self._numbers  # the last rows may be too few for a key
            kept[name] = each[:whole].reshape(-1, self._numbers, *each.shape[1:])
        return kept

    def restore(self, state: Arrays) -> None:
        """Take over what `state` returned; of other numbers or bins it is left out."""
        if all(each.shape[1] == self._numbers for each in state.values()):
            self._histogram.restore({n: each.reshape(-1, *each.shape[2:]) for n, each in state.items()})

    def _rows(self, keys: Keys) -> Keys:
        rows = keys[:, None] * self._numbers + np.arange(self._numbers)
        return rows.ravel().astype(np.int32)
