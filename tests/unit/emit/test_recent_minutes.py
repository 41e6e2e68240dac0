"""Minutes of the last three days: late ones are found, and one that is very late makes everything be read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from auditstream.emit.recent_minutes import LONGEST_WINDOW, RecentMinutes, minute_of

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
NOW = minute_of(NOON)


class Store:
    """Minutes as a store has them; knows how far back it was asked."""

    def __init__(self) -> None:
        self.minutes: dict[int, int] = {}
        self.asked: list[timedelta] = []

    def read(self, since: datetime, until: datetime) -> Mapping[int, int]:
        self.asked.append(until - since)
        return {
            minute: amount
            for minute, amount in self.minutes.items()
            if minute_of(since) <= minute < minute_of(until)
        }


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def recent(store: Store) -> RecentMinutes[int]:
    store.minutes[NOW - 300] = 7
    found = RecentMinutes(store.read)
    found.refresh(NOON)
    return found


def test_a_look_reads_two_hours_and_once_an_hour_all(store: Store, recent: RecentMinutes[int]) -> None:
    for minutes in (1, 59, 61):
        recent.refresh(NOON + timedelta(minutes=minutes))
    hours = timedelta(hours=2)
    assert store.asked == [LONGEST_WINDOW, hours, hours, LONGEST_WINDOW]
    assert recent.amounts == {NOW - 300: 7}


def test_events_that_are_an_hour_late_and_less_are_no_reason_to_read_more(
    store: Store, recent: RecentMinutes[int]
) -> None:
    store.minutes |= {NOW - 300: 8, NOW - 50: 1}
    changes = recent.refresh(NOON + timedelta(minutes=1))
    assert changes == [(NOW - 50, None, 1)]
    assert recent.amounts == {NOW - 300: 7, NOW - 50: 1}


def test_one_that_is_later_makes_all_be_read_and_each_change_is_told_once(
    store: Store, recent: RecentMinutes[int]
) -> None:
    store.minutes |= {NOW - 300: 8, NOW - 70: 2}
    changes = recent.refresh(NOON + timedelta(minutes=1))
    assert sorted(changes) == [(NOW - 300, 7, 8), (NOW - 70, None, 2)]
    assert recent.amounts == {NOW - 300: 8, NOW - 70: 2}
    assert recent.refresh(NOON + timedelta(minutes=2)) == []
    assert store.asked[-1] == timedelta(hours=2)


def test_a_late_event_that_is_taken_back_is_a_change_too(store: Store, recent: RecentMinutes[int]) -> None:
    store.minutes[NOW - 70] = 2
    recent.refresh(NOON + timedelta(minutes=1))
    del store.minutes[NOW - 70]
    assert recent.refresh(NOON + timedelta(minutes=2)) == [(NOW - 70, 2, None)]


def test_what_is_too_old_for_any_window_is_dropped(store: Store, recent: RecentMinutes[int]) -> None:
    recent.refresh(NOON + LONGEST_WINDOW - timedelta(minutes=299))
    assert recent.amounts == {}
