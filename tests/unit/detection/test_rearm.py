from __future__ import annotations

import numpy as np

from auditstream.detection.pace import Pace
from auditstream.detection.rearm import Rearm

ONE = np.array([0], np.int32)


def alerts(levels, minutes=5, elapsed=None) -> list[int]:
    """Return the rows that alert."""
    rearm = Rearm(Pace(minutes))
    rearm.reserve(1)
    gaps = elapsed or [1.0] * len(levels)
    return [
        row
        for row, (level, gap) in enumerate(zip(levels, gaps, strict=True))
        if rearm.alerts(ONE, np.array([level]), np.array([gap]))[0]
    ]


def test_what_goes_on_is_told_once_until_eight_hours_are_over():
    assert alerts([1.2] * 200) == [0, 96, 192]


def test_after_an_hour_of_quiet_it_may_alert_again():
    assert alerts([1.0, *[0.5] * 11, 1.0]) == [0]
    assert alerts([1.0, *[0.5] * 12, 1.0]) == [0, 13]


def test_a_level_between_cool_and_the_threshold_is_no_quiet():
    assert alerts([1.0, *[0.5] * 6, 0.6, *[0.5] * 11, 1.0]) == [0]


def test_a_gap_is_quiet_for_as_long_as_it_lasts():
    assert alerts([1.0, 0.1, 1.0], elapsed=[1.0, 12.0, 1.0]) == [0, 2]


def test_of_finer_buckets_it_takes_more_and_of_coarser_ones_as_many():
    assert alerts([1.0, *[0.0] * 59, 1.0, 1.0], minutes=1) == [0]
    assert alerts([1.0, *[0.0] * 60, 1.0], minutes=1) == [0, 61]
    assert alerts([1.0, *[0.0] * 12, 1.0], minutes=60) == [0, 13]


def test_below_the_threshold_nothing_alerts():
    assert alerts([0.99] * 50) == []
