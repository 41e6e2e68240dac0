"""The latency sketch: bounded error, and merging by adding."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from auditstream.detection.latency_sketch import BINS, latency_bin, quantile_us

LARGEST = 2**63 - 1
durations = st.lists(st.integers(1, LARGEST) | st.integers(1, 5_000), min_size=1, max_size=60)


def sketch(values: list[int]) -> NDArray[np.int64]:
    bins = pl.DataFrame({"d": values}, schema={"d": pl.Int64}).select(latency_bin(pl.col("d"))).to_series()
    return np.bincount(bins.drop_nulls().to_numpy(), minlength=BINS)


@given(durations, st.sampled_from([0.01, 0.5, 0.95, 1.0]))
def test_a_quantile_is_off_by_less_than_five_percent(values: list[int], share: float) -> None:
    exact = sorted(values)[max(int(np.ceil(len(values) * share)), 1) - 1]
    [found] = quantile_us(sketch(values)[None], share)
    assert abs(found - exact) <= exact * (1 / 21 + 1e-9)


@given(durations, durations)
def test_two_sketches_merge_by_adding(one: list[int], other: list[int]) -> None:
    assert (sketch(one) + sketch(other) == sketch(one + other)).all()


def test_a_sketch_without_a_duration_has_no_quantile() -> None:
    both = np.stack([sketch([]), sketch([100])])
    found = quantile_us(both, 0.95)
    assert np.isnan(found[0])
    assert found[1] > 0


def test_nothing_is_too_short_or_too_long_for_a_bin() -> None:
    assert [int(sketch([value]).argmax()) for value in (0, 1, LARGEST)] == [0, 0, BINS - 1]
