"""A run over a period: window by window, run of leaves by run of leaves, each booked as one append.

Killed anywhere it has booked whole runs of leaves and no part of one, and the next run books what is left: it
compares with what is booked, whoever booked it. Of two at once one is first at each run of leaves; the other
reads again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import polars as pl

from auditstream.core.clock import Clock, SystemClock
from auditstream.core.errors import NotAllowedError
from auditstream.reference.closed_months import ClosedMonths
from auditstream.rerating.booking import append_until_first
from auditstream.rerating.bookings import BOOKED, booked
from auditstream.rerating.calls import further_reports, marked
from auditstream.rerating.differences import Because, differences, with_kept
from auditstream.rerating.rating import NEW, Rater
from auditstream.rerating.summary import Summary
from sinks.adjustments import AdjustmentTable
from sinks.rated_leaves import RatedLeaves, Run, Wanted

WINDOW_EVENTS = 250_000
"""Events of a window of time, whose calls are held at once; a window has one minute at least."""

_MINUTE = timedelta(minutes=1)

Advance = Callable[[int, int], object]
"""Told how many events were looked at, and of how many."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for.

    Attributes:
        wanted: Which events.
        tenant: Only events that are, or were, this tenant's; empty for all.
        reason: Why, for people.
        actor: Who asks.
        approved_by: Who else approves; empty for nobody.
        take_undated: Whether prices of which nobody says since when they hold count for the past too.
        dry_run: Whether nothing is booked.
    """

    wanted: Wanted
    tenant: str = ""
    reason: str = ""
    actor: str = ""
    approved_by: str = ""
    take_undated: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Books:
    """What a run works with.

    Attributes:
        leaves: Reads events.
        adjustments: Reads and appends differences.
        rater: Says what is known now.
        closed: Months that need a second person.
        clock: Dates the rows.
        before_append: Called before the first row is appended; raises where nothing may be.
        checkpoint: Called with the name of a step; fault runs kill here.
    """

    leaves: RatedLeaves
    adjustments: AdjustmentTable
    rater: Rater
    closed: ClosedMonths
    clock: Clock = field(default_factory=SystemClock)
    before_append: Callable[[], object] = lambda: None
    checkpoint: Callable[[str], object] = lambda step: None


class BookingRun:
    """Brings the books of a period to what is known now.

    Args:
        books: What it works with.
        order: What is asked for.
    """

    def __init__(self, books: Books, order: Order) -> None:
        self._books = books
        self._order = order
        self._table = _ToldTable(books, dry_run=order.dry_run)
        self.summary = Summary()

    def run(self, advance: Advance = lambda done, total: None) -> Summary:
        """Book every difference, or with `dry_run` only work them out, and return what changed.

        Raises:
            NotAllowedError: A month is closed and nobody approves; of what it touches nothing was booked.
            StoreBusyError: Others book the same leaves again and again.
            RetryableError: No answer. What was booked is whole; run it again.
        """
        refuse_closed(self._books.closed, self._order)
        minutes = self._books.leaves.minutes(self._order.wanted)
        total = sum(count for _, count in minutes)
        advance(0, total)
        for start, end in windows(self._order.wanted, minutes):
            further = self._further(start, end)
            wanted = self._order.wanted.during(start, end)
            for run in self._books.leaves.runs(wanted):
                self._book(run, self._books.leaves.read(run, wanted), further)
                advance(self.summary.seen, total)
        return self.summary

    def _further(self, start: datetime, end: datetime) -> pl.DataFrame:
        reports = self._books.rater.rate(self._books.leaves.calls(start, end))
        return further_reports(reports, tenant=f"{NEW}tenant_id", status=f"{NEW}cost_status")

    def _book(self, run: Run, leaves: pl.DataFrame, further: pl.DataFrame) -> None:
        """Book the differences of leaves of one run, and count what they were."""
        rated = marked(self._books.rater.rate(leaves), further)
        compared = rated.clear()

        def work_out(known: pl.DataFrame, at: datetime, state: str) -> pl.DataFrame:
            nonlocal compared
            kept = with_kept(booked(rated, known), take_undated=self._order.take_undated)
            compared = self._of_tenant(kept)
            rows = differences(compared, self._because(at, state))
            self._refuse_closed_rows(rows)
            return rows

        rows = append_until_first(self._table, run, work_out, clock=self._books.clock)
        self.summary.see(compared, rows)

    def _of_tenant(self, leaves: pl.DataFrame) -> pl.DataFrame:
        tenant = self._order.tenant
        if not tenant:
            return leaves
        return leaves.filter((pl.col(f"{BOOKED}tenant_id") == tenant) | (pl.col(f"{NEW}tenant_id") == tenant))

    def _because(self, at: datetime, state: str) -> Because:
        order, revision = self._order, str(self._books.rater.revision)
        return Because(state, revision, order.reason, order.actor, order.approved_by, at)

    def _refuse_closed_rows(self, rows: pl.DataFrame) -> None:
        """Refuse rows of somebody's closed month: an event may move from or to a tenant that closed it."""
        if self._order.approved_by:
            return
        months = rows.select("tenant_id", pl.col("event_time").dt.strftime("%Y-%m").alias("month")).unique()
        for tenant, month in sorted(months.iter_rows()):
            if self._books.closed.of(tenant, month) is not None:
                raise _closed(f"{month} of {tenant}")


class _ToldTable:
    """The table, which is told of before the first row; or no table at all, in a dry run."""

    def __init__(self, books: Books, *, dry_run: bool) -> None:
        self._books = books
        self._dry_run = dry_run
        self._told = False

    def of_leaves(self, log_id: str, from_index: int, to_index: int) -> pl.DataFrame:
        return self._books.adjustments.of_leaves(log_id, from_index, to_index)

    def append(self, rows: pl.DataFrame, *, leaves: tuple[str, int, int], state: str) -> bool:
        if self._dry_run:
            return True
        if not self._told:
            self._books.before_append()
            self._told = True
        self._books.checkpoint("before_append")
        done = self._books.adjustments.append(rows, leaves=leaves, state=state)
        self._books.checkpoint("after_append")
        return done


def refuse_closed(closed: ClosedMonths, order: Order) -> None:
    """Refuse a period that falls into a closed month of whom it is about, unless a second person approves.

    Raises:
        NotAllowedError: Nobody else approves.
    """
    if order.approved_by:
        return
    found = closed.touched(order.wanted.start, order.wanted.end, order.tenant or None)
    if found:
        raise _closed(
            "; ".join(f"{each.month} of {each.tenant_id or 'all'}, by {each.closed_by}" for each in found)
        )


def _closed(what: str) -> NotAllowedError:
    return NotAllowedError(
        f"a month is closed: {what}",
        hint="A second person must approve: --approved-by NAME, who is not the one who runs it.",
    )


def windows(wanted: Wanted, minutes: list[tuple[datetime, int]]) -> Iterator[tuple[datetime, datetime]]:
    """Yield parts of the period that hold all its events: `WINDOW_EVENTS` at most, or one minute."""
    start: datetime | None = None
    end, held = wanted.start, 0
    for minute, count in minutes:
        if start is not None and held + count > WINDOW_EVENTS:
            yield start, end
            start, held = None, 0
        start = max(minute, wanted.start) if start is None else start
        end, held = min(minute + _MINUTE, wanted.end), held + count
    if start is not None:
        yield start, end
