"""A sketch of durations that merges exactly: counts in bins whose borders grow by a tenth.

Bin i holds (1.1^(i-1), 1.1^i] microseconds, bin 0 what is no longer than one. The value that stands for a bin
is off from all in it by (1.1 - 1) / (1.1 + 1) = 4.8 % at most, hence so is a quantile; all durations that 64
bits hold take 460 bins. Source: Masson, Rim, Lee, "DDSketch" (VLDB 2019), section 2.1, with alpha = 1/21.
"""

from __future__ import annotations

import math

import polars as pl

GROWTH = 1.1

BINS = math.ceil(math.log(2**63 - 1, GROWTH)) + 1
"""Number of bins of a whole sketch."""

_LOG = math.log(GROWTH)


def latency_bin(duration_us: pl.Expr) -> pl.Expr:
    """Return the bin of each duration, null where there is none."""
    return (duration_us.clip(lower_bound=1).log() / _LOG).ceil().cast(pl.Int32)
