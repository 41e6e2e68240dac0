"""Burn rates: the published table, two windows, few events."""

from __future__ import annotations

import math

import numpy as np
import pytest

from auditstream.detection.burn import (
    HIGH,
    MEDIUM,
    MONTH_ROWS,
    WEEK_ROWS,
    burn_rows,
    burns,
    failure_rate,
    minutes_left,
    spend_rate,
    windows,
)

DAY = 1_440


@pytest.mark.parametrize(
    ("days", "factors"),
    [
        # SRE workbook, chapter 5 (14.4, 6, 1), Sloth's of 30 and 28 days; the week's from its shares.
        (30, (14.4, 6, 3, 1)),
        (28, (13.44, 5.6, 2.8, 0.9333)),
        (7, (13.44, 3.5, 1.4, 0.98)),
    ],
)
def test_factors_are_the_published_ones(days: int, factors: tuple[float, ...]) -> None:
    rows = burn_rows(days * DAY)

    assert [row.factor(days * DAY) for row in rows] == pytest.approx(factors, rel=1e-4)
    assert [(row.long, row.short) for row in rows] == [(60, 5), (360, 30), (1440, 120), (4320, 360)]


def test_a_year_pages_no_later_than_a_month() -> None:
    assert [row.factor(365 * DAY) for row in burn_rows(365 * DAY)] == [
        row.factor(31 * DAY) for row in burn_rows(31 * DAY)
    ]


def test_a_day_has_no_rows_for_three_days_do_not_fit_into_it() -> None:
    assert burn_rows(DAY) == ()


def test_every_window_is_named_once() -> None:
    assert windows(MONTH_ROWS) == (5, 30, 60, 120, 360, 1440, 4320)


def test_a_row_fires_only_if_both_windows_reach_its_factor() -> None:
    quiet = dict.fromkeys(windows(MONTH_ROWS), np.zeros(4))
    rates = {**quiet, 60: np.array([14.4, 14.4, 14.39, 20]), 5: np.array([14.4, 14.39, 20, 0])}

    found = burns(MONTH_ROWS, 30 * DAY, rates)

    assert found.fires[0].tolist() == [True, False, False, False]
    assert found.levels[0] == pytest.approx([1, 14.39 / 14.4, 14.39 / 14.4, 0])
    assert found.severity.tolist() == [HIGH, 0, 0, 0]


def test_the_most_severe_row_counts() -> None:
    rates = dict.fromkeys(windows(MONTH_ROWS), np.array([1.5, 4, 7, 0.9]))

    found = burns(MONTH_ROWS, 30 * DAY, rates)

    assert found.severity.tolist() == [MEDIUM, MEDIUM, HIGH, 0]
    assert [row.name for row, fires in zip(MONTH_ROWS, found.fires[:, 1], strict=True) if fires] == [
        "ticket_fast",
        "ticket_slow",
    ]


def test_few_events_open_a_ticket_and_page_nobody() -> None:
    rates = dict.fromkeys(windows(WEEK_ROWS), np.array([50.0, 50.0]))
    events = dict.fromkeys(windows(WEEK_ROWS), np.array([99.0, 100.0]))

    assert burns(WEEK_ROWS, 7 * DAY, rates, events).severity.tolist() == [MEDIUM, HIGH]
    assert burns(WEEK_ROWS, 7 * DAY, rates).severity.tolist() == [HIGH, HIGH]


def test_failures_burn_by_their_share_and_none_burn_without_events() -> None:
    # 1.44 % failures at 99.9 % are rate 14.4: table of the SRE workbook.
    rates = failure_rate(np.array([144.0, 0, 0]), np.array([10_000.0, 10, 0]), 0.999)

    assert rates == pytest.approx([14.4, 0, 0])


def test_spend_at_a_steady_rate_that_uses_the_budget_up_burns_at_one() -> None:
    # 720 a month are 1 an hour.
    rate = spend_rate(np.array([1.0, 14.4]), np.array([720.0, 720.0]), window=60, period=30 * DAY)

    assert rate == pytest.approx([1, 14.4])


def test_a_budget_lasts_its_period_at_rate_one_and_for_ever_at_none() -> None:
    left = minutes_left(np.array([1, 0.5, 1, 0, -0.2]), np.array([1, 14.4, 0, 3, 0]), 30 * DAY)

    assert left.tolist() == pytest.approx([30 * DAY, 30 * DAY / 28.8, math.inf, 0, 0])
