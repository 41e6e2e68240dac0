"""The periods of budgets: which one a moment is in, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class BudgetPeriod:
    """One period of a budget.

    Attributes:
        start: First moment in it (UTC).
        end: First moment after it (UTC).
    """

    start: datetime
    end: datetime

    def elapsed(self, now: datetime) -> float:
        """Return the share of the period that is over, from 0 to 1."""
        return min(1.0, max(0.0, (now - self.start) / (self.end - self.start)))


def period_at(kind: str, moment: datetime) -> BudgetPeriod:
    """Return the period that a moment is in; weeks begin on Mondays, as in ISO 8601.

    Args:
        kind: `hour`, `day`, `week`, `month`, `quarter` or `year`.
        moment: Any moment.
    """
    hour = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if kind == "hour":
        return BudgetPeriod(hour, hour + timedelta(hours=1))
    day = hour.replace(hour=0)
    if kind == "day":
        return BudgetPeriod(day, day + timedelta(days=1))
    if kind == "week":
        monday = day - timedelta(days=day.weekday())
        return BudgetPeriod(monday, monday + timedelta(weeks=1))
    months = _MONTHS[kind]
    first = day.replace(day=1, month=(day.month - 1) // months * months + 1)
    return BudgetPeriod(first, _months_later(first, months))


def _months_later(first: datetime, months: int) -> datetime:
    years, month = divmod(first.month - 1 + months, 12)
    return first.replace(year=first.year + years, month=month + 1)
