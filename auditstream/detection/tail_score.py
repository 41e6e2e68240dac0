"""How rare a value is in a key's own history: minus the decimal logarithm of its tail probability.

Within the history this is the share of values that are as extreme. Beyond it, where a share says no more than
"less than one in so many", the tail goes on as an exponential along the histogram's axis, that is as a power
law of the value: peaks over a threshold with a generalised Pareto of shape 0 (Pickands 1975; Siffer and
others 2017, "Anomaly Detection in Streams with Extreme Value Theory"), fitted by the mean excess.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.detector import Column, Keys
from auditstream.detection.histogram import DecayedHistogram

_HALF = 0.5
"""Values added on either side: what was never seen is as likely as half of one, so that p is never 0."""

_TAIL = 0.1
"""Share of the values that makes a tail: of 30 values three, the least that has a mean excess."""

_NEAR = 2.0
"""Values beyond which the share alone speaks: it is exact where there is something to count."""

_LEAST_EXCESS = 0.25
"""Least mean excess in bins: what is in one bin is spread evenly, so that less is not measured."""


def tail_score(
    histogram: DecayedHistogram, keys: Keys, values: Column, tick: int, *, goes_on: bool = True
) -> Column:
    """Return how rare values are, the rarer of both sides; as good as not at all for keys without history.

    Values in one bin are alike: half of them count as beyond. So what never varies is never rare.

    Args:
        histogram: What was before these values.
        keys: Each at most once.
        values: A value each.
        tick: Now.
        goes_on: Whether the tail goes on beyond what was seen.
    """
    weights = histogram.weights(keys, tick)
    places = histogram.axis.position(values)
    bins = places.astype(np.int64)
    each = np.arange(len(keys))
    sums = np.cumsum(weights, axis=1)
    total = sums[:, -1]
    below = sums[each, bins] - weights[each, bins] / 2
    above = np.maximum(total - below, 0.0)
    high, low = _score(above, total), _score(below, total)
    if goes_on:
        _go_on(high, weights, places, above, total)
        _go_on(low, weights[:, ::-1], histogram.axis.bins - places, below, total)
    return np.maximum(high, low)


def _score(beyond: Column, total: Column) -> Column:
    score: Column = -np.log10((beyond + _HALF) / (total + 2 * _HALF))
    return score


def _go_on(
    score: Column, weights: NDArray[np.float64], places: Column, beyond: Column, total: Column
) -> None:
    """Raise the scores of places that are higher than about all before."""
    far = np.flatnonzero((beyond < _NEAR) & (score > -np.log10(_TAIL)) & (total > 0))
    if len(far):
        score[far] = np.maximum(score[far], _by_excess(weights[far], places[far], _TAIL * total[far]))


def _by_excess(weights: NDArray[np.float64], places: Column, mass: Column) -> Column:
    """Return how rare places are by an exponential through the uppermost mass; 0 below it."""
    bins = np.arange(weights.shape[1])
    each = np.arange(len(places))
    upper = np.cumsum(weights[:, ::-1], axis=1)[:, ::-1]  # of each bin and those above it
    first = np.maximum((upper >= mass[:, None]).sum(axis=1) - 1, 0)  # bin in which the tail begins
    own = weights[each, first]
    inside = mass - (upper[each, first] - own)
    start = first + 1 - np.divide(inside, own, out=np.zeros_like(mass), where=own > 0)
    higher = np.where(bins > first[:, None], weights * (bins + 0.5), 0.0).sum(axis=1)
    mean = (higher + inside * (start + first + 1) / 2) / mass
    excess = np.maximum(mean - start, _LEAST_EXCESS)
    beyond = -np.log10(_TAIL) + (places - start) / excess / np.log(10.0)
    return np.where(places > start, beyond, 0.0)
