"""What is remembered between looks is what the store would count again."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import pytest

from auditstream.core.errors import RetryableError
from auditstream.emit.slo_memory import SloMemory
from auditstream.notify.slo_standing import Counted, slo_standing
from auditstream.reference.objectives import Objective
from tests.unit.notify.slos import NOON, objective


class Happened:
    """Events by minute; counts of any stretch."""

    def __init__(self) -> None:
        self.minutes: dict[int, Counted] = {}
        self.asked: list[tuple[datetime, datetime, int]] = []

    def add(self, at: datetime, bad: int, valid: int) -> None:
        minute = int(at.timestamp()) // 60
        self.minutes[minute] = self.minutes.get(minute, Counted()) + Counted(bad, valid)

    def counts(
        self, objective: Objective, start: datetime, end: datetime, step_s: int
    ) -> list[tuple[int, int, int]]:
        self.asked.append((start, end, step_s))
        found: dict[int, Counted] = {}
        for minute, counted in self.minutes.items():
            if start.timestamp() <= minute * 60 < end.timestamp():
                stretch = minute * 60 // step_s * step_s
                found[stretch] = found.get(stretch, Counted()) + counted
        return [(stretch, each.bad, each.valid) for stretch, each in found.items()]

    def days(self) -> dict[date, Counted]:
        found: dict[date, Counted] = {}
        for minute, counted in self.minutes.items():
            day = datetime.fromtimestamp(minute * 60, UTC).date()
            found[day] = found.get(day, Counted()) + counted
        return found


def test_looks_of_the_newest_hours_add_up_to_what_a_look_at_everything_finds() -> None:
    dice, happened, asked = random.Random(5), Happened(), objective()
    memory = SloMemory(asked, happened)
    now = NOON - timedelta(hours=13, minutes=1)  # over midnight
    for _ in range(400):
        for _ in range(dice.randrange(4)):
            late = timedelta(minutes=dice.choice([1, 1, 2, 30, 119]))
            happened.add(now - late, dice.randrange(3), 5)
        found = memory.standing(now)
        before = {each: counted for each, counted in happened.minutes.items() if each < now.timestamp() // 60}
        expected = slo_standing(asked, happened.days(), before, now)
        assert (found.ledger, found.counted) == (expected.ledger, expected.counted)
        now += timedelta(minutes=dice.randrange(1, 4))


def test_the_whole_period_is_asked_for_once_a_day_and_the_windows_once_an_hour() -> None:
    happened = Happened()
    memory = SloMemory(objective(window_days=7), happened)
    for minute in range(0, 721, 10):
        memory.standing(NOON + timedelta(minutes=minute))

    whole = [(start, end) for start, end, step_s in happened.asked if step_s == 86_400]
    midnight = datetime(2026, 11, 29, tzinfo=UTC)
    assert whole == [
        (datetime(2026, 11, 22, tzinfo=UTC), NOON),
        (datetime(2026, 11, 23, tzinfo=UTC), midnight),
    ]
    windows = [
        end for start, end, step_s in happened.asked if step_s == 60 and end - start > timedelta(days=2)
    ]
    assert windows == [NOON + timedelta(hours=hours) for hours in range(13)]
    assert min(end - start for start, end, _ in happened.asked) == timedelta(hours=2)


def test_what_came_later_than_two_hours_is_found_within_the_hour() -> None:
    happened = Happened()
    memory = SloMemory(objective(), happened)
    memory.standing(NOON)
    happened.add(NOON - timedelta(hours=5), 1, 1)

    assert memory.standing(NOON + timedelta(minutes=59)).total == Counted()
    assert memory.standing(NOON + timedelta(minutes=60)).total == Counted(1, 1)


class Failing(Happened):
    """A store that does not answer what is asked of all windows."""

    fails = False

    def counts(
        self, objective: Objective, start: datetime, end: datetime, step_s: int
    ) -> list[tuple[int, int, int]]:
        if self.fails and step_s == 60 and end - start > timedelta(days=2):
            raise RetryableError("no answer")
        return super().counts(objective, start, end, step_s)


def test_what_a_look_read_before_the_store_failed_is_counted_by_the_next_one() -> None:
    happened = Failing()
    memory = SloMemory(objective(), happened)
    memory.standing(NOON)
    happened.add(NOON - timedelta(minutes=90), 1, 1)  # so late that all windows are read
    happened.fails = True
    with pytest.raises(RetryableError):
        memory.standing(NOON + timedelta(minutes=1))
    happened.fails = False

    assert memory.standing(NOON + timedelta(minutes=2)).total == Counted(1, 1)
