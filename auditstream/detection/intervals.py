"""Confidence intervals: of a share (Wilson) and of a mean (normal), both at 95 %."""

from __future__ import annotations

import math
from typing import NamedTuple

Z = 1.959964
"""Quantile of the normal distribution at 97.5 %: two-sided 95 %."""


class Interval(NamedTuple):
    """Between which two values something lies with a confidence of 95 %."""

    low: float
    high: float


def share_interval(part: int, whole: int) -> Interval | None:
    """Return the score interval of a share; None of nothing.

    Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927), 209-212;
    without continuity correction: method 3 in Newcombe, Statistics in Medicine 17 (1998), 857-872. Unlike the
    usual one it is right near 0 and 1, and for few events.
    """
    if whole <= 0:
        return None
    share, z2 = part / whole, Z * Z
    centre = (share + z2 / (2 * whole)) / (1 + z2 / whole)
    half = Z * math.sqrt(share * (1 - share) / whole + z2 / (4 * whole * whole)) / (1 + z2 / whole)
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


FEWEST = 30
"""Values from which a mean's distribution is taken for normal."""


def mean_interval(mean: float, deviation: float, count: int) -> Interval | None:
    """Return the interval of a mean: z standard errors around it; None for fewer than `FEWEST` values.

    NIST/SEMATECH e-Handbook of Statistical Methods, section 1.3.5.2.

    Args:
        mean: The mean.
        deviation: Sample standard deviation.
        count: How many values.
    """
    if count < FEWEST:
        return None
    half = Z * deviation / math.sqrt(count)
    return Interval(mean - half, mean + half)
