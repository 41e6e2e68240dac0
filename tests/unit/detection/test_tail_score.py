from __future__ import annotations

import numpy as np
import pytest

from auditstream.detection.axes import SignedLogAxis
from auditstream.detection.histogram import DecayedHistogram
from auditstream.detection.tail_score import tail_score

ONE = np.array([0], np.int32)
AXIS = SignedLogAxis(1e-3, 1e10, 512)


def filled(values) -> DecayedHistogram:
    histogram = DecayedHistogram(AXIS, 1.0 - 1e-12)
    histogram.reserve(1)
    for tick, value in enumerate(values):
        histogram.add(ONE, np.array([value]), tick)
    return histogram


def score(histogram, value, **options) -> float:
    return float(tail_score(histogram, ONE, np.array([value]), 10_000, **options)[0])


def test_within_the_history_it_is_the_share_of_values_as_extreme():
    values = np.random.default_rng(1).lognormal(3.0, 1.0, 4000)
    histogram = filled(values)

    for share in (0.9, 0.98, 0.01):
        value = float(np.quantile(values, share))
        rarer = min(share, 1 - share)

        assert score(histogram, value) == pytest.approx(-np.log10(rarer), abs=0.15)


def test_beyond_the_history_it_goes_on_as_the_power_law_that_the_values_follow():
    values = 1.0 + np.random.default_rng(2).pareto(2.0, 4000)  # P(X > x) = x^-2
    histogram = filled(values)

    assert score(histogram, 1e3) == pytest.approx(6.0, abs=0.8)
    assert score(histogram, 1e4) == pytest.approx(8.0, abs=1.2)


def test_without_that_nothing_is_rarer_than_one_in_all_that_was_seen():
    histogram = filled(np.random.default_rng(3).lognormal(0, 1, 999))

    assert score(histogram, 1e9, goes_on=False) == pytest.approx(-np.log10(0.5 / 1000))


def test_both_sides_are_alike():
    values = np.random.default_rng(4).pareto(2.0, 2000) + 1.0

    assert score(filled(-values), -500.0) == pytest.approx(score(filled(values), 500.0))


def test_a_key_without_values_finds_nothing_rare():
    histogram = DecayedHistogram(AXIS, 0.999)
    histogram.reserve(1)

    assert score(histogram, 5.0) < 0.5


def test_what_never_varied_finds_another_value_rare_and_its_own_not():
    histogram = filled([0.0] * 300)

    assert score(histogram, 50.0) > 2.7
    assert score(histogram, 0.0) < 0.5
