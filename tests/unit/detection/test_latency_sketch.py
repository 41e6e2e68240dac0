"""The latency sketch: bounded error, and merging by adding."""

from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.detection.latency_sketch import BINS, GROWTH, latency_bin
from tests.support.examples import examples

LARGEST = 2**63 - 1
durations = st.lists(st.integers(1, LARGEST) | st.integers(1, 5_000), min_size=1, max_size=60)


def bins_of(values: list[int]) -> list[int]:
    column = pl.DataFrame({"d": values}, schema={"d": pl.Int64}).select(latency_bin(pl.col("d")))
    return column.to_series().to_list()


def quantile(share: float, *sketches: list[int]) -> float:
    """Return a quantile of sketches together, each of which counts the bins of some durations."""
    merged = sum((Counter(bins_of(each)) for each in sketches), Counter())
    upto = np.cumsum([merged[each] for each in sorted(merged)])
    place = sorted(merged)[int(np.argmax(upto >= upto[-1] * share))]
    return float(2 * GROWTH**place / (GROWTH + 1))


@settings(max_examples=examples(100), deadline=None)
@given(durations, st.sampled_from([0.01, 0.5, 0.95, 1.0]))
def test_a_quantile_is_off_by_less_than_five_percent(values: list[int], share: float) -> None:
    exact = sorted(values)[max(int(np.ceil(len(values) * share)), 1) - 1]
    assert abs(quantile(share, values) - exact) <= exact * (1 / 21 + 1e-9)


@settings(max_examples=examples(100), deadline=None)
@given(durations, durations, st.sampled_from([0.5, 0.95]))
def test_two_sketches_merge_by_adding(one: list[int], other: list[int], share: float) -> None:
    assert quantile(share, one, other) == quantile(share, one + other)


def test_nothing_is_too_short_or_too_long_for_a_bin() -> None:
    assert bins_of([0, 1, LARGEST]) == [0, 0, BINS - 1]
