"""Histograms by key in which what is old weighs less, without touching rows that nothing happens to.

Instead of shrinking what is there at every tick, what comes in grows by 1/decay a tick; a row is brought back
to scale when its growth gets large. Shares are the same either way.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.axes import Axis
from auditstream.detection.detector import Column, Keys
from auditstream.detection.rows import Arrays, resized, rows_kept, take_over

_MAX_GROWTH = 1e3
"""Growth at which a row is brought back to scale: single precision has 7 digits, so a sum of a thousand
increments of this size still tells one of size 1."""

_MAX_EXPONENT = 80.0
"""Exponent beyond which growth is not told apart: what is e^-80 of a value is nothing in single precision."""


class Tails(NamedTuple):
    """Weights on both sides of a value, in units of one value just added.

    Attributes:
        above: Of values at least as high.
        below: Of values at least as low.
        total: Of all.
    """

    above: Column
    below: Column
    total: Column


class DecayedHistogram:
    """One histogram a key.

    Attributes:
        axis: Where values lie.
    """

    def __init__(self, axis: Axis, decay: float) -> None:
        """Begin without keys.

        Args:
            axis: Where values lie.
            decay: What is left after a tick of the weight of what is there.
        """
        self.axis = axis
        self._log_decay = float(np.log(decay))
        self._weights: NDArray[np.float32] = np.zeros((0, axis.bins), np.float32)
        self._name = (
            f"weights on {axis}"  # other bins are another array: what lies in them means another thing
        )
        self._origin: NDArray[np.int64] = np.zeros(0, np.int64)  # tick at which an increment is 1

    def reserve(self, keys: int) -> None:
        """Make room for keys below a number."""
        self._weights = resized(self._weights, keys)
        self._origin = resized(self._origin, keys)

    def add(self, keys: Keys, values: Column, tick: int, weight: float | Column = 1.0) -> None:
        """Take a value a key in.

        Args:
            keys: Each at most once: one that comes twice would lose a value.
            values: A value each.
            tick: Now; never less than before.
            weight: How much each counts: a tenth during an episode.
        """
        growth = self._growth(keys, tick)
        large = growth > _MAX_GROWTH
        if large.any():
            rows = keys[large]
            self._weights[rows] *= (1.0 / growth[large]).astype(np.float32)[:, None]
            self._origin[rows] = tick
            growth = np.where(large, 1.0, growth)
        bins = self.axis.position(values).astype(np.int64)
        self._weights[keys, bins] += (growth * weight).astype(np.float32)

    def weights(self, keys: Keys, tick: int) -> NDArray[np.float64]:
        """Return the weights of keys' bins, a row a key, in units of one value just added."""
        rows = self._weights[keys].astype(np.float64)
        rows /= self._growth(keys, tick)[:, None]
        return rows

    def total(self, keys: Keys, tick: int) -> Column:
        """Return the weight of all values of keys."""
        sums: Column = self._weights[keys].sum(axis=1, dtype=np.float64)
        return sums / self._growth(keys, tick)

    def tails(self, keys: Keys, values: Column, tick: int) -> Tails:
        """Return the weights on both sides of a value a key; within a bin they are spread evenly."""
        sums = np.cumsum(self._weights[keys], axis=1, dtype=np.float64)
        place = self.axis.position(values)
        bins = place.astype(np.int64)
        each = np.arange(len(keys))
        total = sums[:, -1]
        up_to = sums[each, bins]
        inside = self._weights[keys, bins].astype(np.float64)
        part = place - bins
        growth = self._growth(keys, tick)
        above = total - up_to + inside * (1.0 - part)
        below = up_to - inside * (1.0 - part)
        return Tails(above / growth, below / growth, total / growth)

    def quantile(self, keys: Keys, share: float) -> Column:
        """Return the value below which a share of the weight lies; the axis' start where there is none."""
        sums = np.cumsum(self._weights[keys], axis=1, dtype=np.float64)
        wanted = share * sums[:, -1]
        bins = np.minimum((sums < wanted[:, None]).sum(axis=1), self.axis.bins - 1)
        inside = self._weights[keys, bins].astype(np.float64)
        over = sums[np.arange(len(keys)), bins] - wanted
        part = 1.0 - np.divide(over, inside, out=np.ones_like(over), where=inside > 0)
        return self.axis.value(bins + part)

    def forget(self, keys: Keys) -> None:
        """Take keys back to where new ones begin."""
        self._weights[keys] = 0.0
        self._origin[keys] = 0

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays by name."""
        return {self._name: self._weights, "origin": self._origin}

    def restore(self, state: Arrays) -> None:
        """Take over what `state` returned; with other bins it is left out, and keys begin anew."""
        self.reserve(rows_kept(state, self._name))
        take_over(self.state(), state)

    def _growth(self, keys: Keys, tick: int) -> Column:
        """Return what a value added now weighs beside one at the row's origin."""
        exponent = -self._log_decay * (tick - self._origin[keys])
        grown: Column = np.exp(np.minimum(exponent, _MAX_EXPONENT))
        return grown
