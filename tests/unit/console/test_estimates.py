"""Estimates as drawings: what overlaps in truth overlaps on the page."""

from __future__ import annotations

import pytest

from auditstream.console.screens.prompts import estimate
from auditstream.detection.intervals import Interval


def test_a_figure_and_its_interval_lie_on_the_scale() -> None:
    found = estimate(0.2, Interval(0.1, 0.4), 50, 0.0, 0.4)

    assert (found.at, found.low, found.width) == (50.0, 25.0, 75.0)


@pytest.mark.parametrize(("bottom", "top"), [(0.0, 0.0), (3.0, 3.0)])
def test_a_scale_without_length_draws_a_point(bottom: float, top: float) -> None:
    found = estimate(bottom, None, 1, bottom, top)

    assert (found.at, found.low, found.width) == (0.0, 0.0, 0.0)


def test_intervals_that_overlap_are_drawn_so() -> None:
    one, other = (estimate(mid, Interval(mid - 0.1, mid + 0.1), 50, 0.0, 1.0) for mid in (0.4, 0.55))

    assert one.low + one.width > other.low
