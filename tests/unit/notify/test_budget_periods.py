"""A moment is in one period of each kind, and periods follow each other without a hole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.notify.budget_periods import period_at
from tests.support.examples import examples

KINDS = ("hour", "day", "week", "month", "quarter", "year")


@pytest.mark.parametrize(
    ("kind", "start", "end"),
    [
        ("hour", datetime(2026, 11, 28, 23, tzinfo=UTC), datetime(2026, 11, 29, tzinfo=UTC)),
        ("day", datetime(2026, 11, 28, tzinfo=UTC), datetime(2026, 11, 29, tzinfo=UTC)),
        ("week", datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC)),
        ("month", datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        ("quarter", datetime(2026, 10, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("year", datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_period_has_the_calendars_bounds_in_utc(kind: str, start: datetime, end: datetime) -> None:
    # 2026-11-28 is a Saturday; the same moment is Sunday already where it is written.
    moment = datetime(2026, 11, 29, 0, 59, 59, tzinfo=timezone(timedelta(hours=1)))
    period = period_at(kind, moment)
    assert (period.start, period.end) == (start, end)


@settings(max_examples=examples(100), deadline=None)
@given(
    st.sampled_from(KINDS), st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
)
def test_every_moment_is_in_its_period_and_the_next_period_begins_where_it_ends(
    kind: str, moment: datetime
) -> None:
    period = period_at(kind, moment)
    assert period.start <= moment < period.end
    assert period_at(kind, period.end).start == period.end
    assert period_at(kind, period.end - timedelta(microseconds=1)) == period


def test_the_share_that_is_over_stays_within_the_period() -> None:
    period = period_at("day", datetime(2026, 11, 28, 6, tzinfo=UTC))
    assert period.elapsed(datetime(2026, 11, 28, 6, tzinfo=UTC)) == 0.25
    assert period.elapsed(datetime(2026, 11, 27, tzinfo=UTC)) == 0
    assert period.elapsed(datetime(2026, 11, 30, tzinfo=UTC)) == 1
