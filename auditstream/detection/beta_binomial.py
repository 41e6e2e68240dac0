"""How likely at least k of n are when a share varies by itself: the upper tail of the beta-binomial."""

from __future__ import annotations

from math import lgamma, log

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.detector import Column

_BLOCK = 256
"""Terms that are summed at a time: the tail of nearly every case that is looked at ends within."""

_NEGLIGIBLE = 1e-12
"""Share of the sum below which all terms that are left do not matter."""


def tail_digits(k: Column, n: Column, mean: Column, weight: Column) -> Column:
    """Return -log10 of the chance of at least k of n.

    The chance of j is C(n, j) B(j + a, n - j + b) / B(a, b), with a = mean x weight, b = (1 - mean) x weight.
    The first term is taken from logarithms of gamma functions, those after it by their ratios, until those
    that are left cannot matter.

    Args:
        k: Successes, whole numbers from 0 to n.
        n: Trials, whole numbers.
        mean: Expected share, above 0 and below 1.
        weight: a + b: how many trials the expectation is worth; the smaller, the more the share varies. Large
            enough that b is at least 1: else the terms would rise again towards n.
    """
    a, b = mean * weight, (1 - mean) * weight
    first = np.array([_log_mass(*each) for each in zip(k, n, a, b, strict=True)])
    sums = _sum_of_ratios(k, n, a, b)
    digits: Column = np.where(k <= 0, 0.0, -(first + np.log(sums)) / log(10))
    # Rounding may make a chance of 1 a little more.
    return np.maximum(digits, 0.0)


def _log_mass(k: float, n: float, a: float, b: float) -> float:
    return (
        lgamma(n + 1)
        - lgamma(k + 1)
        - lgamma(n - k + 1)
        + lgamma(k + a)
        + lgamma(n - k + b)
        - lgamma(n + a + b)
        + lgamma(a + b)
        - lgamma(a)
        - lgamma(b)
    )


def _sum_of_ratios(k: Column, n: Column, a: Column, b: Column) -> Column:
    """Return the chance of at least k by that of exactly k."""
    sums, last = np.ones(len(k)), np.ones(len(k))
    left: NDArray[np.intp] = np.flatnonzero(k < n)
    at = k.copy()
    while len(left):
        # From each j the ratio of the next term to this one; 0 once there is none.
        j = at[left, None] + np.arange(_BLOCK)
        trials, alpha, beta = n[left, None], a[left, None], b[left, None]
        more = j < trials
        rest = np.where(more, trials - j, 1.0)
        ratio = np.where(more, rest * (j + alpha) / ((j + 1) * (rest - 1 + beta)), 0.0)
        terms = last[left, None] * np.cumprod(ratio, axis=1)
        sums[left] += terms.sum(axis=1)
        last[left] = terms[:, -1]
        at[left] += _BLOCK
        # Terms fall from here on, so those that are left are at most as many of the last.
        left = left[(last[left] * (n[left] - at[left]) > _NEGLIGIBLE * sums[left]) & (at[left] < n[left])]
    return sums
