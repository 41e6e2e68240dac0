from __future__ import annotations

import numpy as np

from auditstream.detection.even_ticks import even_ticks, usual_step


def test_regular_times_are_numbered_in_step_and_gaps_stay_gaps():
    assert even_ticks(np.array([10, 15, 20, 40]), 5).tolist() == [2, 3, 4, 8]


def test_times_that_repeat_take_the_next_buckets_until_there_is_room():
    assert even_ticks(np.array([10, 10, 10, 15, 30]), 5).tolist() == [2, 3, 4, 5, 6]


def test_the_usual_step_is_the_median_and_a_minute_at_least():
    assert usual_step(np.array([0, 5, 10, 60, 65])) == 5
    assert usual_step(np.array([0, 0, 0])) == 1
    assert usual_step(np.array([7])) == 1
