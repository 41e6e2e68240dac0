from __future__ import annotations

import numpy as np
import pytest

from benchmarks.detection.event_scoring import counts
from benchmarks.detection.nab_scoring import LOW_FALSE, STANDARD, Profile, Tally, scaled_sigmoid, tally

ROWS = 1000
WINDOWS = ((400, 499), (700, 749))


def alerts(*rows: int) -> np.ndarray:
    fired = np.zeros(ROWS, bool)
    fired[list(rows)] = True
    return fired


def score(*rows: int, profile: Profile = STANDARD) -> float:
    return tally(alerts(*rows), WINDOWS, profile).normalized(profile)


def test_the_sigmoid_has_the_values_that_nab_states():
    # nab/sweeper.py, docstring of scaledSigmoid
    assert scaled_sigmoid(-1.0) == pytest.approx(0.98661, abs=1e-5)
    assert scaled_sigmoid(-0.5) == pytest.approx(0.84828, abs=1e-5)
    assert scaled_sigmoid(0.0) == 0.0
    assert scaled_sigmoid(1.0) == pytest.approx(-0.98661, abs=1e-5)
    assert scaled_sigmoid(3.1) == -1.0


def test_no_alerts_are_worth_nothing_and_the_first_row_of_each_window_everything():
    assert score() == 0
    assert score(400, 700) == pytest.approx(100)


def test_of_several_alerts_in_a_window_the_earliest_counts():
    assert score(400, 420, 490) == score(400)


def test_a_late_alert_is_worth_what_its_place_in_the_window_is():
    # Row 449 of 400..499 is at -(499 - 449 + 1) / 100 = -0.51 of the window.
    worth = (2 / (1 + np.exp(5 * -0.51)) - 1) / 0.9866143
    # null is -2, perfect 2: each window is worth half of the hundred, from -1 to 1.
    assert score(449) == pytest.approx(25 * (1 + worth), abs=1e-4)


def test_a_false_alert_costs_by_its_distance_behind_a_window_and_wholly_before_the_first():
    # 100 (raw - null) / (perfect - null) with null -2 and perfect 2: a unit is worth 25.
    assert score(200) == pytest.approx(-25 * 0.11)
    assert score(200, profile=LOW_FALSE) == pytest.approx(-25 * 0.22)
    # Row 598: (598 - 499) / (100 - 1) = 1 width behind.
    assert score(598) == pytest.approx(-25 * 0.11 * 0.98661, abs=1e-4)
    assert score(510) > score(598) > score(200)


def test_probation_is_not_scored_and_its_windows_can_only_be_missed():
    early = ((10, 40), *WINDOWS)
    found = tally(alerts(20, 149), early, STANDARD)

    assert found == Tally(score=-2.0, null=-2.0, windows=3)


def test_an_event_is_found_once_and_what_lies_outside_is_false():
    found = counts(alerts(50, 400, 410, 600), WINDOWS)

    assert (found.found, found.events, found.false) == (1, 2, 2)
    assert found.precision == pytest.approx(1 / 3)
    assert found.recall == pytest.approx(1 / 2)
    assert found.f1 == pytest.approx(2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2))


def test_what_comes_after_the_delay_is_false():
    assert counts(alerts(407), WINDOWS, delay=7).found == 1
    late = counts(alerts(408), WINDOWS, delay=7)

    assert (late.found, late.false) == (0, 1)


def test_sums_of_series_are_sums_of_their_counts():
    both = counts(alerts(400), WINDOWS) + counts(alerts(50), WINDOWS)

    assert (both.found, both.events, both.false) == (1, 4, 1)
