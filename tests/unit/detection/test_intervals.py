"""Confidence intervals, against published ones."""

from __future__ import annotations

import pytest

from auditstream.detection.intervals import FEWEST, mean_interval, share_interval


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_a_share_has_the_interval_of_newcombes_table(part: int, whole: int, low: float, high: float) -> None:
    interval = share_interval(part, whole)
    assert interval is not None
    assert interval == pytest.approx((low, high), abs=5e-5)


def test_nothing_has_no_share() -> None:
    assert share_interval(0, 0) is None


def test_a_mean_of_enough_values_has_an_interval() -> None:
    assert mean_interval(0.5, 0.1, 100) == pytest.approx((0.5 - 0.01959964, 0.5 + 0.01959964))
    assert mean_interval(0.5, 0.1, FEWEST - 1) is None
