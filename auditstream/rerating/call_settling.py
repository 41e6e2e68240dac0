"""Settling of calls by the product itself: of the last hours, now and then, while events are recorded.

Only what is reported twice is looked at; owners and prices stay as they are booked. Reports of a closed month
are left to a re-rating that somebody approves. Two settlers at once do no harm, as two runs do none.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl

from auditstream.core.clock import Clock, SystemClock
from auditstream.reference.closed_months import ClosedMonths
from auditstream.rerating.booking import append_until_first
from auditstream.rerating.bookings import BOOKED, FOUND, OWNER, PRICE, booked
from auditstream.rerating.calls import further_reports, marked
from auditstream.rerating.differences import Because, differences
from auditstream.rerating.rating import NEW
from sinks.adjustments import AdjustmentTable
from sinks.rated_leaves import CALL_SPAN, RUN_LEAVES, RatedLeaves, Run

WINDOW = timedelta(hours=2)
"""How far back, by event_time, calls are looked for; later reports are settled by `reprice`."""

ACTOR = "auditstream"
_AHEAD = timedelta(minutes=5)  # clocks of producers


class CallSettler:
    """Takes further reports of calls off the books.

    Args:
        leaves: Reads events.
        adjustments: Reads and appends differences.
        closed: Returns the months that need a second person.
        clock: Says until when to look, and dates the rows.
    """

    def __init__(
        self,
        leaves: RatedLeaves,
        adjustments: AdjustmentTable,
        closed: Callable[[], ClosedMonths],
        clock: Clock | None = None,
    ) -> None:
        self._leaves = leaves
        self._adjustments = adjustments
        self._closed = closed
        self._clock = clock or SystemClock()

    def settle(self) -> int:
        """Settle the calls of the last hours, and return how many reports were taken off the books.

        Raises:
            StoreBusyError: Others book the same leaves again and again.
            RetryableError: No answer; what was booked is whole.
        """
        end = datetime.fromtimestamp(self._clock.now_s(), UTC) + _AHEAD
        start = end - WINDOW
        reports = self._leaves.calls(start, end, unsettled=True)
        if reports.is_empty():
            return 0
        known = self._adjustments.of_period(start - CALL_SPAN, end + CALL_SPAN)
        reports = booked(reports, known)
        further = further_reports(reports, tenant=f"{BOOKED}tenant_id", status=f"{BOOKED}cost_status")
        if further.is_empty():
            return 0
        mine = self._in_open_months(reports.join(further, on=("log_id", "leaf_index"), how="semi"))
        run = (pl.col("leaf_index") // RUN_LEAVES).alias("run")
        return sum(
            self._book(part.drop("run"), further)
            for part in mine.with_columns(run).partition_by("log_id", "run", maintain_order=True)
        )

    def _in_open_months(self, reports: pl.DataFrame) -> pl.DataFrame:
        closed = self._closed()
        months = pl.col("event_time").dt.strftime("%Y-%m").alias("month")
        pairs = reports.select(f"{BOOKED}tenant_id", months)
        return reports.filter(
            pl.Series([closed.of(*pair) is None for pair in pairs.iter_rows()], dtype=pl.Boolean)
        )

    def _book(self, reports: pl.DataFrame, further: pl.DataFrame) -> int:
        """Take reports of one run of leaves off the books."""
        run = Run(reports["log_id"][0], reports["leaf_index"][0] // RUN_LEAVES * RUN_LEAVES, reports.height)
        own = reports.select(pl.exclude(f"^{BOOKED}.*$"))

        def work_out(known: pl.DataFrame, at: datetime, state: str) -> pl.DataFrame:
            """Return the rows: as owner and price now those that are booked."""
            leaves = booked(own, known)
            as_booked = leaves.with_columns(
                *(pl.col(f"{BOOKED}{name}").alias(f"{NEW}{name}") for name in (*OWNER, *FOUND, *PRICE))
            )
            return differences(marked(as_booked, further), Because(state, "", "", ACTOR, "", at))

        return append_until_first(self._adjustments, run, work_out, clock=self._clock).height
