"""How an objective stands: its error budget, what was spent of it when, and how fast it burns now.

The period is `window_days` days in UTC, of which today is the last: so that the days of the ledger add up to
it. The budget is `(1 - objective) x events that count`, in events, of the whole period.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from auditstream.detection.burn import (
    FEWEST_EVENTS,
    MINUTES_A_DAY,
    burn_rows,
    burns,
    failure_rate,
    minutes_left,
    windows,
)
from auditstream.notify.burning import Burning, in_windows
from auditstream.notify.reactions import REACTIONS
from auditstream.reference.objectives import Objective
from schemas.records.vocabulary import SignalState

PROJECTED_BY = 360
"""Minutes of the window whose rate a projection goes on with: an hour is too nervous for days to come."""

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Counted:
    """Events of a stretch of time.

    Attributes:
        bad: Those that missed the objective.
        valid: Those that count.
    """

    bad: int = 0
    valid: int = 0

    @property
    def good(self) -> int:
        """Those that met it."""
        return max(0, self.valid - self.bad)

    def __add__(self, other: Counted) -> Counted:
        return Counted(self.bad + other.bad, self.valid + other.valid)

    def __sub__(self, other: Counted) -> Counted:
        return Counted(self.bad - other.bad, self.valid - other.valid)


NOTHING = Counted()


@dataclass(frozen=True, slots=True)
class LedgerDay:
    """What a day spent of an error budget.

    Attributes:
        day: The day (UTC).
        counted: Its events.
        spent: Share of the whole period's budget that it spent.
        left: Share that was left at its end; below 0 when more than the budget was spent.
    """

    day: date
    counted: Counted
    spent: float
    left: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SloStanding(Burning):
    """How an objective stands at a moment.

    Attributes:
        objective: The objective.
        ledger: The days of the period, the last one first.
        counted: Events by minutes of the window.
    """

    objective: Objective
    ledger: Sequence[LedgerDay]
    counted: Mapping[int, Counted]

    @property
    def total(self) -> Counted:
        """Events of the period."""
        return sum((each.counted for each in self.ledger), NOTHING)

    @property
    def left(self) -> float:
        """Share of the error budget that is left: 1 of an untouched one, below 0 when more is gone."""
        return self.ledger[0].left

    @property
    def good_share(self) -> float | None:
        """Share of good events in the period; None without any."""
        total = self.total
        return total.good / total.valid if total.valid else None

    @property
    def is_spent(self) -> bool:
        """Whether the budget is gone, and enough happened for that to say something."""
        return self.left <= 0 and self.total.valid >= FEWEST_EVENTS

    @property
    def asked(self) -> SignalState:
        """What gateways are asked to do with further requests of the scope, by the budget alone."""
        return REACTIONS[self.objective.reaction] if self.is_spent else SignalState.ALLOW

    @property
    def ends_at(self) -> datetime | None:
        """When the budget is gone at the rate of the last `PROJECTED_BY` minutes; None if not in a period."""
        period = self.objective.window_days * MINUTES_A_DAY
        rate = self.rates[PROJECTED_BY]
        (minutes,) = minutes_left(np.array([self.left]), np.array([rate]), period)
        return self.at + minutes * _MINUTE if minutes <= period else None


def first_day(objective: Objective, at: datetime) -> date:
    """Return the first day of the period that a moment is in."""
    return at.astimezone(UTC).date() - timedelta(days=objective.window_days - 1)


def slo_standing(
    objective: Objective, days: Mapping[date, Counted], minutes: Mapping[int, Counted], at: datetime
) -> SloStanding:
    """Return how an objective stands.

    Args:
        objective: The objective.
        days: Events by day (UTC); days outside of the period do not count.
        minutes: Events by minute, counted since 1970; those of the longest window at least.
        at: The moment; what its minute brought so far is not in the burn rates.
    """
    now = int(at.timestamp()) // 60
    rows = burn_rows(objective.window_days * MINUTES_A_DAY)
    counted = in_windows(minutes, sorted({*windows(rows), PROJECTED_BY}), now, NOTHING)
    goal = float(objective.objective)
    rates = {
        each: failure_rate(np.array([float(found.bad)]), np.array([float(found.valid)]), goal)
        for each, found in counted.items()
    }
    valid = {each: np.array([float(found.valid)]) for each, found in counted.items()}
    return SloStanding(
        objective=objective,
        at=datetime.fromtimestamp(now * 60, UTC),
        ledger=_ledger(objective, days, at),
        rates={each: float(rate[0]) for each, rate in rates.items()},
        counted=counted,
        burns=burns(rows, objective.window_days * MINUTES_A_DAY, rates, valid),
    )


def _ledger(objective: Objective, days: Mapping[date, Counted], at: datetime) -> list[LedgerDay]:
    """Return the days of the period, the last first; a day's share is of the budget of the whole period."""
    first = first_day(objective, at)
    found = [(day, days.get(day, NOTHING)) for day in _days_from(first, objective.window_days)]
    # Exact: the last event that the budget allows must end it, not almost.
    budget = (1 - objective.objective) * sum(counted.valid for _, counted in found)
    ledger: list[LedgerDay] = []
    bad = 0
    for day, counted in found:
        bad += counted.bad
        ledger.append(
            LedgerDay(
                day,
                counted,
                spent=float(counted.bad / budget) if budget else 0.0,
                left=float(1 - bad / budget) if budget else 1.0,
            )
        )
    return ledger[::-1]


def _days_from(first: date, count: int) -> Iterable[date]:
    return (first + timedelta(days=number) for number in range(count))
