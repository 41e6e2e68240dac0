"""Histograms as drawings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from auditstream.console.bars import HEIGHT, WIDTH, bars, ticks
from auditstream.query.histograms import Histogram, Span
from auditstream.query.periods import Period

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def histogram(*outcomes: dict[str, int], width: timedelta = MINUTE) -> Histogram:
    spans = tuple(Span(NOON + at * width, each) for at, each in enumerate(outcomes))
    return Histogram(width, spans, Period(NOON, NOON + len(outcomes) * width))


def test_bars_fill_the_drawing_and_the_highest_reaches_its_top() -> None:
    low, none, high = bars(histogram({"SUCCESS": 1}, {}, {"SUCCESS": 3, "FAILURE": 1}))

    assert [low.x, none.x, high.x] == [
        0,
        pytest.approx(WIDTH / 3, abs=0.01),
        pytest.approx(2 * WIDTH / 3, abs=0.01),
    ]
    assert low.parts[0].height == HEIGHT / 4
    assert low.parts[0].y == HEIGHT * 3 / 4
    assert none.parts == ()
    assert min(part.y for part in high.parts) == 0


def test_what_went_wrong_is_stacked_on_what_went_well() -> None:
    (bar,) = bars(histogram({"FAILURE": 1, "SUCCESS": 2, "": 1}))

    assert [part.outcome for part in bar.parts] == ["success", "failure", "unknown"]
    assert [part.y for part in bar.parts] == [50, 25, 0]
    assert bar.told == "01 Mar 12:00:00 – 12:01:00 UTC: 4 events (2 success, 1 failure, 1 unknown)"


def test_one_event_among_thousands_is_seen() -> None:
    _, bar = bars(histogram({"SUCCESS": 100_000}, {"FAILURE": 1}))

    assert bar.parts[0].height == 1.5


def test_nothing_is_drawn_of_nothing() -> None:
    assert bars(histogram()) == []
    assert ticks([]) == []


@pytest.mark.parametrize(
    ("spans", "width", "first", "last"),
    [
        (60, MINUTE, "12:00", "12:50"),
        (48, timedelta(minutes=30), "12:00", "08:00"),
        (30, timedelta(days=1), "05 Mar", "26 Mar"),
        (10, timedelta(seconds=1), "12:00:00", "12:00:08"),
    ],
)
def test_ticks_are_round_times_and_few(spans: int, width: timedelta, first: str, last: str) -> None:
    found = ticks(bars(histogram(*[{"SUCCESS": 1}] * spans, width=width)))

    assert (found[0].text, found[-1].text) == (first, last)
    assert len(found) <= 8
    assert all(0 <= tick.x <= WIDTH for tick in found)


def test_midnight_is_told_as_its_day() -> None:
    found = ticks(bars(histogram(*[{"SUCCESS": 1}] * 24, width=timedelta(hours=1))))

    assert "02 Mar" in [tick.text for tick in found]
