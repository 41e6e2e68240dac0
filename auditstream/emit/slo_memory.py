"""What was counted of an objective: its days, read once each day, and its last minutes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Protocol

from auditstream.emit.recent_minutes import LONGEST_WINDOW, RecentMinutes
from auditstream.notify.slo_standing import NOTHING, Counted, SloStanding, first_day, slo_standing
from auditstream.reference.objectives import Objective

_MINUTE_S, _DAY_S = 60, 86_400


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
        self._read_on: date | None = None
        self._minutes = RecentMinutes(self._between)

    def standing(self, now: datetime) -> SloStanding:
        """Ask for what is new, and return how the objective stands.

        Raises:
            RetryableError: The store does not answer; the next call asks again.
        """
        until = now.astimezone(UTC).replace(second=0, microsecond=0)
        # A look that fails halfway has taken over some changes: the days are read again then.
        read_on, self._read_on = self._read_on, None
        changes = self._minutes.refresh(until)
        if read_on == until.date():
            for minute, before, after in changes:
                day = _day(minute * _MINUTE_S)
                self._days[day] = self._days.get(day, NOTHING) + ((after or NOTHING) - (before or NOTHING))
        else:
            self._days = self._read_days(until)
        self._read_on = until.date()
        return slo_standing(self.objective, self._days, self._minutes.amounts, until)

    def _read_days(self, until: datetime) -> dict[date, Counted]:
        """Return the days of the period; of those that the minutes cover whole, what the minutes say.

        What came between both reads would else be counted again with the changes, or not at all.
        """
        rows = self._counts.counts(self.objective, _midnight(first_day(self.objective, until)), until, _DAY_S)
        recent: dict[date, Counted] = {}
        for minute, counted in self._minutes.amounts.items():
            day = _day(minute * _MINUTE_S)
            recent[day] = recent.get(day, NOTHING) + counted
        covered = until - LONGEST_WINDOW
        days = {_day(start): Counted(bad, valid) for start, bad, valid in rows}
        return {day: each for day, each in days.items() if _midnight(day) < covered} | {
            day: each for day, each in recent.items() if _midnight(day) >= covered
        }

    def _between(self, since: datetime, until: datetime) -> dict[int, Counted]:
        rows = self._counts.counts(self.objective, since, until, _MINUTE_S)
        return {start // _MINUTE_S: Counted(bad, valid) for start, bad, valid in rows}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), UTC)


def _day(start_s: int) -> date:
    return datetime.fromtimestamp(start_s, UTC).date()
