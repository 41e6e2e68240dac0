"""A sketch of durations that merges exactly: counts in bins whose borders grow by a tenth.

Bin i holds (1.1^(i-1), 1.1^i] microseconds, bin 0 what is no longer than one. The value that stands for a bin
is off from all in it by (1.1 - 1) / (1.1 + 1) = 4.8 % at most, hence so is a quantile; all durations that 64
bits hold take 460 bins. Source: Masson, Rim, Lee, "DDSketch" (VLDB 2019), section 2.1, with alpha = 1/21.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from numpy.typing import NDArray

GROWTH = 1.1

BINS = math.ceil(math.log(2**63 - 1, GROWTH)) + 1
"""Number of bins of a whole sketch."""

_LOG = math.log(GROWTH)
_MIDDLES = 2 * GROWTH ** np.arange(BINS) / (GROWTH + 1)


def latency_bin(duration_us: pl.Expr) -> pl.Expr:
    """Return the bin of each duration, null where there is none."""
    return (duration_us.clip(lower_bound=1).log() / _LOG).ceil().cast(pl.Int32)


def quantile_us(counts: NDArray[np.int64], share: float) -> NDArray[np.float64]:
    """Return a quantile of each sketch in microseconds, NaN of an empty one.

    Args:
        counts: One sketch a row, `BINS` columns.
        share: Which quantile, as 0.95.
    """
    upto = counts.cumsum(axis=1)
    total = upto[:, -1]
    rank = np.maximum(np.ceil(total * share), 1)
    found = _MIDDLES[np.argmax(upto >= rank[:, None], axis=1)]
    return np.where(total > 0, found, np.nan)
