"""Arrivals and token counts against the figures of the trace that they are calibrated to."""

from __future__ import annotations

import numpy as np
import pytest

from auditstream.demo.calibration import (
    GAP_VARIATION,
    INPUT_MEAN,
    MINUTE_VARIATION,
    OUTPUT_MEAN,
    TokenCounts,
    arrivals,
)

HOUR_S = 3_600.0
REQUESTS = 19_366  # of the trace


def test_token_counts_have_the_means_and_the_medians_of_the_trace() -> None:
    tokens = TokenCounts(np.random.default_rng(7))
    read, written = np.array([tokens.draw() for _ in range(60_000)]).T
    assert read.mean() == pytest.approx(INPUT_MEAN, rel=0.02)
    assert written.mean() == pytest.approx(OUTPUT_MEAN, rel=0.02)
    assert np.percentile(read, [5, 50, 99]) == pytest.approx([181, 1020, 4142], rel=0.05)
    assert np.percentile(written, [5, 50, 99]) == pytest.approx([41, 129, 601], rel=0.05)
    assert read.min() >= 2
    assert written.min() >= 7


def test_arrivals_are_as_bursty_as_the_trace() -> None:
    hours = [arrivals(REQUESTS, HOUR_S, np.random.default_rng(seed)) for seed in range(10)]
    gaps = [np.diff(hour) for hour in hours]
    minutes = [np.bincount((hour // 60).astype(int), minlength=60) for hour in hours]
    assert np.mean([gap.std() / gap.mean() for gap in gaps]) == pytest.approx(GAP_VARIATION, rel=0.04)
    assert np.mean([m.std() / m.mean() for m in minutes]) == pytest.approx(MINUTE_VARIATION, rel=0.15)


def test_arrivals_are_in_order_and_inside_the_hour() -> None:
    for count in (1, 2, 1_000):
        times = arrivals(count, HOUR_S, np.random.default_rng(1))
        assert len(times) == count
        assert (np.diff(times) >= 0).all()
        assert 0 <= times[0] <= times[-1] < HOUR_S
