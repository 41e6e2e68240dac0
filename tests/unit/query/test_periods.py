"""Times and durations as users write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from auditstream.core.errors import RequestError
from auditstream.query.periods import Period, duration, moment, period

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("3w", timedelta(days=21)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, expected: timedelta) -> None:
    assert duration(text) == expected


@pytest.mark.parametrize("text", ["", "15", "m", "-1h", "1.5h", "2H", "15 m", "1h30m", "999999999w"])
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(RequestError):
        duration(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T12:30:00Z", datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        ("2026-03-01T12:30:00", datetime(2026, 3, 1, 12, 30, tzinfo=UTC)),
        ("2026-03-01T12:30:00+02:00", datetime(2026, 3, 1, 10, 30, tzinfo=UTC)),
    ],
)
def test_a_time_is_iso_8601_and_utc_unless_it_says_otherwise(text: str, expected: datetime) -> None:
    assert moment(text) == expected
    assert moment(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text", ["2026-02-30", "noon", "0001-01-01T00:00:00+05:00", "9999-12-31T23:00:00-05:00"]
)
def test_what_is_no_time_in_utc_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match=r"is not a time|is in UTC not between the years 1 and 9999"):
        moment(text)


def test_since_counts_back_from_now() -> None:
    assert period(NOW, since="7d", start=None, end=None) == Period(datetime(2026, 3, 1, 12, tzinfo=UTC))


def test_a_since_before_the_first_year_is_no_bound() -> None:
    assert period(NOW, since="200000w", start=None, end=None) == Period()


def test_from_and_to_bound_the_range() -> None:
    found = period(NOW, since=None, start="2026-03-01", end="2026-03-02")

    assert found == Period(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))


@pytest.mark.parametrize(
    ("since", "start", "end", "said"),
    [
        ("1h", "2026-03-01", None, "--since cannot stand beside"),
        ("1h", None, "2026-03-01", "--since cannot stand beside"),
        (None, "2026-03-02", "2026-03-02", "--from 2026-03-02 is not before"),
        (None, "x", None, "--from: 'x' is not a time"),
        (None, None, "9999-12-31T23:59:59-12:00", "--to: .* not between the years 1 and 9999"),
        ("x", None, None, "--since: 'x' is not a duration"),
    ],
)
def test_what_cannot_be_is_refused_by_the_name_of_its_option(
    since: str | None, start: str | None, end: str | None, said: str
) -> None:
    with pytest.raises(RequestError, match=said):
        period(NOW, since=since, start=start, end=end)
