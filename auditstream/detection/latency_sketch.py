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


def quantiles_us(binned: pl.DataFrame, share: float, *, by: str) -> pl.DataFrame:
    """Return a quantile of each sketch, in microseconds: columns `by`, ascending, and `quantile_us`.

    Args:
        binned: Sketches: `by`, `bins` and `bin_counts`; a bin may come more than once.
        share: Which quantile, as 0.95.
        by: Column that tells sketches apart.
    """
    upto = pl.col("bin_counts").cum_sum()
    return (
        binned.group_by(by, "bins")
        .agg(pl.col("bin_counts").sum())
        .sort(by, "bins")
        .group_by(by, maintain_order=True)
        .agg(pl.col("bins").filter(upto >= pl.col("bin_counts").sum() * share).first())
        .select(by, (2 * GROWTH ** pl.col("bins").cast(pl.Float64) / (GROWTH + 1)).alias("quantile_us"))
    )
