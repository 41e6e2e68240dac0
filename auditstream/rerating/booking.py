"""Booking of one run of leaves: worked out against what is booked, again whenever somebody else was first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

import polars as pl

from auditstream.core.clock import Clock
from auditstream.core.errors import StoreBusyError
from sinks.adjustments import state_of
from sinks.rated_leaves import Run

_ATTEMPTS = 8
_TICK = timedelta(microseconds=1)


class Adjustments(Protocol):
    """Where differences are booked; `sinks.adjustments.AdjustmentTable` is one."""

    def of_leaves(self, log_id: str, from_index: int, to_index: int) -> pl.DataFrame:
        """Return the rows of a run of leaves."""
        ...

    def append(self, rows: pl.DataFrame, *, leaves: tuple[str, int, int], state: str) -> bool:
        """Append rows to a state, and return whether they are there."""
        ...


WorkOut = Callable[[pl.DataFrame, datetime, str], pl.DataFrame]
"""Returns the rows that are to be booked: given those that are, the time, and the name of this state."""


def append_until_first(table: Adjustments, run: Run, work_out: WorkOut, *, clock: Clock) -> pl.DataFrame:
    """Book what is to be booked of a run of leaves, and return it; empty when nothing is.

    Rows are dated later than all that is booked of these leaves, whatever the clocks of others say.

    Args:
        table: Where.
        run: The leaves.
        work_out: Says what.
        clock: Dates the rows.

    Raises:
        StoreBusyError: Others were first each time.
        RetryableError: No answer; all rows are there, or none.
    """
    leaves = run.log_id, run.first, run.after
    for _ in range(_ATTEMPTS):
        known = table.of_leaves(*leaves)
        at = datetime.fromtimestamp(clock.now_s(), UTC)
        newest = known.get_column("recorded_at").to_list()
        if newest:
            at = max(at, max(newest) + _TICK)
        state = state_of(known)
        rows = work_out(known, at, state)
        if rows.is_empty() or table.append(rows, leaves=leaves, state=state):
            return rows
    raise StoreBusyError(
        f"{run.log_id}: others book differences of the leaves from {run.first} on",
        hint="Run it again when the other run is over; what is booked stays booked once.",
    )
