"""`spend.creep`: run lengths as published, and days that creep."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest

from auditstream.detection.detector import Bucket
from auditstream.detection.spend_creep import SpendCreep, summed

FIRST_DAY = 20_000
DAY = 1_440


def test_a_shift_of_a_deviation_is_found_after_as_many_days_as_published() -> None:
    # Montgomery, table 9.3: one-sided, k = 0.5, h = 5: 10.4 days for one deviation, 4.01 for two.
    random = np.random.default_rng(3)
    for shift, published in ((1.0, 10.4), (2.0, 4.01)):
        total, found = np.zeros(20_000), np.zeros(20_000)
        for day in range(1, 100):
            total = summed(total, random.normal(shift, 1, len(total)))
            found = np.where((found == 0) & (total >= 5), day, found)

        assert found.mean() == pytest.approx(published, rel=0.02)


def days(detector: SpendCreep, spends: Iterable[float], first: int = FIRST_DAY) -> list[float]:
    """Observe a morning and an evening of each day; return the level as of each morning."""
    levels = []
    for day, spend in enumerate(spends, first):
        for minute in (day * DAY + 480, day * DAY + 1_200):
            values = {"spend": np.array([spend / 2])}
            scores = detector.observe(Bucket(minute, 1, np.zeros(1, np.int32), values), np.zeros(1, np.bool_))
            if minute % DAY == 480:
                levels.append(float(scores.level[0]) if len(scores.keys) else 0.0)
    return levels


def usual(count: int) -> list[float]:
    return [
        100.0 * factor for factor, _ in zip([1.0, 1.2, 0.8, 1.1, 0.9] * count, range(count), strict=False)
    ]


def made() -> SpendCreep:
    detector = SpendCreep()
    detector.reserve(1)
    return detector


def test_days_that_are_each_a_little_dearer_fire_and_usual_ones_do_not() -> None:
    detector = made()

    before = days(detector, usual(40))
    creeping = days(detector, [100 * 1.04**day for day in range(20)], FIRST_DAY + 40)

    assert max(before) < 1
    assert max(creeping) >= 1


def test_nothing_is_said_in_the_first_two_weeks_nor_of_one_huge_day() -> None:
    young, old = made(), made()

    assert max(days(young, [100 * 1.5**day for day in range(14)])) == 0
    days(old, usual(30))
    assert max(days(old, [10_000.0, *usual(4)], FIRST_DAY + 30)) < 1


def test_a_level_that_was_told_of_for_a_day_is_expected_from_then_on() -> None:
    detector = made()
    days(detector, [*usual(30), *[200.0] * 8])
    in_episode = np.ones(1, np.bool_)

    levels = []
    for minute in range((FIRST_DAY + 38) * DAY, (FIRST_DAY + 40) * DAY, 60):
        bucket = Bucket(minute, 1, np.zeros(1, np.int32), {"spend": np.array([200 / 24])})
        scores = detector.observe(bucket, in_episode)
        levels.append(scores.level[0])

    assert levels[0] >= 1
    assert levels[-1] < 0.6
    assert scores.expected[0] == pytest.approx(200, rel=0.05)
