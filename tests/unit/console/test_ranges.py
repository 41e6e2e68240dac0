"""Ranges of time as addresses say them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from auditstream.console.ranges import USUAL, RangeError, hours_of, range_of

NOW = datetime(2026, 3, 2, 12, 30, 15, tzinfo=UTC)


def test_an_address_without_a_range_means_the_usual_one() -> None:
    found = range_of({}, NOW)

    assert found.since == USUAL
    assert found.period.start == NOW - timedelta(days=1)
    assert found.label == "Last 24 hours"
    assert found.words == "01 Mar 2026 12:30:15 – 02 Mar 2026 12:30:15 UTC"


def test_all_time_has_no_bounds() -> None:
    found = range_of({"since": "all"}, NOW)

    assert (found.period.start, found.period.end) == (None, None)
    assert found.label == "All time"
    assert range_of({"since": "3d"}, NOW).label == "Last 3 days"
    assert found.words == "all time until 02 Mar 2026 12:30:15 UTC"


@pytest.mark.parametrize("since", ["15m", "90s", "2w", "all"])
def test_a_relative_range_says_itself_in_the_next_address(since: str) -> None:
    assert range_of({"since": since}, NOW).parameters == {"since": since}


def test_a_pinned_range_means_the_same_tomorrow() -> None:
    pinned = range_of({"since": "1h"}, NOW).pinned

    assert pinned == {"from": "2026-03-02T11:30:15Z", "to": "2026-03-02T12:30:15Z"}
    assert range_of(pinned, NOW + timedelta(days=1)).period.start == NOW - timedelta(hours=1)
    assert range_of(range_of({"since": "all"}, NOW).pinned, NOW).period.end == NOW


def test_a_range_between_two_moments_is_theirs() -> None:
    found = range_of({"from": "2026-03-01", "to": "2026-03-01T12:00:00+02:00"}, NOW)

    assert found.period.start == datetime(2026, 3, 1, tzinfo=UTC)
    assert found.period.end == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert found.label == "01 Mar 2026 00:00 – 01 Mar 2026 10:00"


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"since": "yesterday"}, "since: 'yesterday' is not a duration"),
        ({"since": "1h", "from": "2026-03-01"}, "since cannot stand beside from and to"),
        ({"from": "soon"}, "from: 'soon' is not a time"),
        ({"to": "0001-01-01T00:00+05:00"}, "to: .* is in UTC not between the years 1 and 9999"),
        ({"from": "2026-03-02", "to": "2026-03-01"}, "from 2026-03-02 is not before to 2026-03-01"),
    ],
)
def test_a_range_that_cannot_be_is_refused_with_the_reason(parameters: dict[str, str], said: str) -> None:
    with pytest.raises(RangeError, match=said):
        range_of(parameters, NOW)


def test_a_range_longer_than_there_is_time_has_no_bounds() -> None:
    assert range_of({"since": "800000d"}, NOW).period.start is None


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"to": "0001-02-01"}, "before the first year"),
        ({"to": "9999-12-31T23:30"}, "after the last hour"),
        ({"from": "2026-03-03"}, "from: 03 Mar 2026 00:00 UTC is yet to come"),
    ],
)
def test_sums_of_hours_that_are_not_there_are_refused(parameters: dict[str, str], said: str) -> None:
    with pytest.raises(RangeError, match=said):
        hours_of(range_of(parameters, NOW))
