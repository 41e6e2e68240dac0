"""Exponentially weighted mean and variance of a number a key, with updates that a shock cannot carry away."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.detector import Column, Keys
from auditstream.detection.rows import Arrays, resized, rows_kept, take_over

_SETTLED = 10
"""Observations from which on an update is clipped: before, the deviation is itself a guess."""


class Moments:
    """Mean and variance by key.

    An update moves the mean by alpha = 1 - 2^(-elapsed / half_life) of the way, so that a gap decays what was
    known as much as the values in it would have; the first ones count alike (alpha = 1/n). The variance
    follows as v = (1 - alpha)(v + alpha d^2), which is the exact weighted variance (Finch 2009, "Incremental
    calculation of weighted mean and variance", section 9).

    Attributes:
        mean: By key.
        variance: By key.
        count: Values learnt, by key; those learnt in part count in part.
    """

    def __init__(self, half_life: float) -> None:
        """Begin without keys.

        Args:
            half_life: After as many units of `elapsed`, what was known weighs half.
        """
        self._half_life = half_life
        self.mean: Column = np.zeros(0)
        self.variance: Column = np.zeros(0)
        self.count: Column = np.zeros(0)

    def reserve(self, keys: int) -> None:
        """Make room for keys below a number."""
        self.mean, self.variance, self.count = (
            resized(each, keys) for each in (self.mean, self.variance, self.count)
        )

    def deviation(self, keys: Keys, floor: float | Column = 0.0) -> Column:
        """Return the standard deviation, at least the floor."""
        return np.maximum(np.sqrt(self.variance[keys]), floor)

    def z(self, keys: Keys, values: Column, floor: float | Column = 0.0) -> Column:
        """Return how many deviations values are from the mean; 0 where no deviation is known."""
        spread = self.deviation(keys, floor)
        distance = values - self.mean[keys]
        return np.divide(distance, spread, out=np.zeros_like(distance), where=spread > 0)

    def learn(
        self,
        keys: Keys,
        values: Column,
        *,
        elapsed: float | Column = 1.0,
        rate: float | Column = 1.0,
        clip: float | None = None,
        floor: float | Column = 0.0,
    ) -> None:
        """Take values in.

        Args:
            keys: Each at most once.
            values: A finite value a key.
            elapsed: Time since the key's last value, in units of the half-life.
            rate: Share of a whole update: a tenth during an episode.
            clip: Deviations from the mean beyond which a value counts as being there; None for none.
            floor: Least deviation for that.
        """
        count = self.count[keys]
        distance = values - self.mean[keys]
        if clip is not None:
            reach = clip * self.deviation(keys, floor)
            # Where nothing has varied yet there is no measure of what is far.
            clipped = (count >= _SETTLED) & (reach > 0)
            distance = np.where(clipped, np.clip(distance, -reach, reach), distance)
        alpha = np.maximum(1.0 - np.exp2(-np.asarray(elapsed) / self._half_life), 1.0 / (count + 1.0)) * rate
        self.mean[keys] += alpha * distance
        self.variance[keys] = (1.0 - alpha) * (self.variance[keys] + alpha * distance * distance)
        self.count[keys] = count + rate

    def forget(self, keys: Keys) -> None:
        """Take keys back to where new ones begin."""
        for each in (self.mean, self.variance, self.count):
            each[keys] = 0.0

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays by name."""
        return {"mean": self.mean, "variance": self.variance, "count": self.count}

    def restore(self, state: Arrays) -> None:
        """Take over what `state` returned; of another form it is left out, and keys begin anew."""
        self.reserve(rows_kept(state, "mean"))
        take_over(self.state(), state)
