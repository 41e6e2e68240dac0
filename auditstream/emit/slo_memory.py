"""What was counted of an objective, so that a look asks the store for the newest hours alone.

Late events are found for two hours at every look, for three days once an hour, for the whole period once a
day.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from auditstream.notify.slo_standing import NOTHING, Counted, SloStanding, first_day, slo_standing
from auditstream.reference.objectives import Objective

_MINUTE_S, _DAY_S = 60, 86_400
_LONGEST_WINDOW = timedelta(days=3)
_LATE = timedelta(hours=2)
_WINDOWS_EVERY = timedelta(hours=1)
_NEVER = datetime.min.replace(tzinfo=UTC)


class Counts(Protocol):
    """Counts in the store; `auditstream.query.slo_counts.SloCounts` is one."""

    def counts(
        self, objective: Objective, start: datetime, end: datetime, step_s: int
    ) -> Sequence[tuple[int, int, int]]:
        """Return start (seconds since 1970), bad and valid events of each stretch that has any; blocks."""
        ...


class SloMemory:
    """Remembers the counts of one objective; one thread at a time.

    Args:
        objective: The objective; another version of it needs another memory.
        counts: Counts in the store.

    Attributes:
        objective: The objective.
    """

    def __init__(self, objective: Objective, counts: Counts) -> None:
        self.objective = objective
        self._counts = counts
        self._days: dict[date, Counted] = {}
        self._minutes: dict[int, Counted] = {}
        self._whole_on: date | None = None
        self._windows_at = _NEVER

    def standing(self, now: datetime) -> SloStanding:
        """Ask for what is new, and return how the objective stands.

        Raises:
            RetryableError: The store does not answer; the next call asks again.
        """
        minute = now.astimezone(UTC).replace(second=0, microsecond=0)
        if self._whole_on != minute.date():
            self._read_whole(minute)
        elif timedelta() <= minute - self._windows_at < _WINDOWS_EVERY:
            self._read_since(minute - _LATE, minute)
        else:
            self._read_since(minute - _LONGEST_WINDOW, minute)
            self._windows_at = minute
        return slo_standing(self.objective, self._days, self._minutes, minute)

    def _read_whole(self, until: datetime) -> None:
        first = datetime.combine(first_day(self.objective, until), datetime.min.time(), UTC)
        days = self._counts.counts(self.objective, first, until, _DAY_S)
        minutes = self._counts.counts(self.objective, until - _LONGEST_WINDOW, until, _MINUTE_S)
        self._days = {_day(start): Counted(bad, valid) for start, bad, valid in days}
        self._minutes = {start // _MINUTE_S: Counted(bad, valid) for start, bad, valid in minutes}
        self._whole_on = until.date()
        self._windows_at = until

    def _read_since(self, since: datetime, until: datetime) -> None:
        """Read minutes again; a day changes by as much as its minutes do."""
        rows = self._counts.counts(self.objective, since, until, _MINUTE_S)
        found = {start // _MINUTE_S: Counted(bad, valid) for start, bad, valid in rows}
        first = int(since.timestamp()) // _MINUTE_S
        oldest = int((until - _LONGEST_WINDOW).timestamp()) // _MINUTE_S
        for minute in {*found, *(each for each in self._minutes if each >= first)}:
            before, after = self._minutes.pop(minute, NOTHING), found.get(minute, NOTHING)
            day = _day(minute * _MINUTE_S)
            self._days[day] = self._days.get(day, NOTHING) + (after - before)
            self._minutes[minute] = after
        for minute in [each for each in self._minutes if each < oldest]:
            del self._minutes[minute]


def _day(start_s: int) -> date:
    return datetime.fromtimestamp(start_s, UTC).date()
