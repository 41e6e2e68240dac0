"""How fast a budget burns, of money or of failures, and whether that is worth a page or a ticket.

A burn rate of 1 spends the budget in exactly its period. A row of the table fires when the rate of its long
window *and* that of its short one reach the row's factor: the long one says that it matters, the short one
that it is still going on. Source of the table: Google's SRE workbook, chapter 5, with the row of one day that
Sloth adds; factor = share of the budget x period / long window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.detector import Column

MINUTES_A_DAY = 1_440

HIGH, MEDIUM = 4, 3
"""OCSF severities of a page and of a ticket."""

FEWEST_EVENTS = 100
"""Events in the long window below which nobody is paged: one failure of fifty is a rate of 20 at 99.9 %."""

LONGEST_PERIOD = 31 * MINUTES_A_DAY
"""Period from which on factors stay as they are: 2 % of a year's budget in an hour page far too late."""

SHORTEST_WEEK = 7 * MINUTES_A_DAY
SHORTEST_MONTH = 28 * MINUTES_A_DAY


@dataclass(frozen=True, slots=True)
class BurnRow:
    """A pair of windows, and the share of the budget whose loss in the long one is told of.

    Attributes:
        name: What it is called in findings and reports.
        severity: OCSF severity of a finding.
        share: Share of the budget that is spent in the long window when the row fires.
        long: Minutes of the long window.
        short: Minutes of the short one.
    """

    name: str
    severity: int
    share: float
    long: int
    short: int

    @property
    def pages(self) -> bool:
        """Whether it calls somebody at once."""
        return self.severity >= HIGH

    def factor(self, period: int) -> float:
        """Return the burn rate from which on it fires, for a period in minutes."""
        return self.share * min(period, LONGEST_PERIOD) / self.long


def _rows(fast: float, slow: float, day: float, days: float) -> tuple[BurnRow, ...]:
    return (
        BurnRow("page_fast", HIGH, fast, 60, 5),
        BurnRow("page_slow", HIGH, slow, 360, 30),
        BurnRow("ticket_fast", MEDIUM, day, 1_440, 120),
        BurnRow("ticket_slow", MEDIUM, days, 4_320, 360),
    )


MONTH_ROWS = _rows(0.02, 0.05, 0.10, 0.10)
"""Rows for periods of 28 days and more: factors 14.4, 6, 3 and 1 at 30 days."""

WEEK_ROWS = _rows(0.08, 0.125, 0.20, 0.42)
"""Rows for periods of a week: as many hours are four times the share of it that they are of a month, so the
factors stay near those of a month (13.44, 3.5, 1.4, 0.98)."""


def burn_rows(period: int) -> tuple[BurnRow, ...]:
    """Return the rows for a period in minutes; none for one that is shorter than a week.

    The longest window must fit into the period several times, else it says what the sum of the period says.
    """
    if period >= SHORTEST_MONTH:
        return MONTH_ROWS
    return WEEK_ROWS if period >= SHORTEST_WEEK else ()


def windows(rows: Sequence[BurnRow]) -> tuple[int, ...]:
    """Return the minutes of every window that rows look at, ascending, each once."""
    return tuple(sorted({minutes for row in rows for minutes in (row.long, row.short)}))


def failure_rate(bad: Column, valid: Column, objective: float) -> Column:
    """Return the burn rate of a budget of failures over a window, by key.

    Args:
        bad: Events that missed the objective.
        valid: Events that count.
        objective: Share that shall be good, below 1: 0.999.
    """
    share = np.divide(bad, valid, out=np.zeros(len(valid)), where=valid > 0)
    return share / (1 - objective)


def spend_rate(spent: Column, budget: Column, *, window: int, period: int) -> Column:
    """Return the burn rate of a budget of money over a window, by key; both in minutes."""
    return spent / budget * (period / window)


def minutes_left(left: Column, rate: Column, period: int) -> Column:
    """Return after how many minutes a budget is gone at a rate, by key: infinitely many at rate 0.

    Args:
        left: Share of the budget that is left; 0 and below is gone already.
        rate: Burn rate.
        period: Minutes of the period.
    """
    gone = np.where(left > 0, np.inf, 0.0)
    return np.divide(left * period, rate, out=gone, where=(rate > 0) & (left > 0))


@dataclass(frozen=True, slots=True)
class Burns:
    """What the rows of a table say of keys.

    Attributes:
        rows: The rows.
        levels: By row and key, the lower of both windows' rates as a share of the row's factor; it fires
            from 1 on.
    """

    rows: Sequence[BurnRow]
    levels: NDArray[np.float64]

    @property
    def fires(self) -> NDArray[np.bool_]:
        """By row and key, whether it fires."""
        return self.levels >= 1

    @property
    def severity(self) -> NDArray[np.uint8]:
        """By key, the severity of the most severe row that fires; 0 where none does."""
        severities = np.array([row.severity for row in self.rows], np.uint8)
        fired: NDArray[np.uint8] = np.where(self.fires, severities[:, None], np.uint8(0)).max(
            axis=0, initial=0
        )
        return fired


def burns(
    rows: Sequence[BurnRow],
    period: int,
    rates: Mapping[int, Column],
    events: Mapping[int, Column] | None = None,
) -> Burns:
    """Return what rows say of burn rates.

    Args:
        rows: Rows of the table.
        period: Minutes of the budget's period.
        rates: Burn rate by key, of each window of `windows(rows)` by its minutes.
        events: Events that count by key, of each long window: below `FEWEST_EVENTS` no row pages. Left out
            for money, which is lost however few the events are.
    """
    levels = np.array([np.minimum(rates[row.long], rates[row.short]) / row.factor(period) for row in rows])
    if events is not None:
        for at, row in enumerate(rows):
            if row.pages:
                levels[at, events[row.long] < FEWEST_EVENTS] = 0.0
    return Burns(rows, levels)
