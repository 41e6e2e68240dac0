"""Counts what objectives are about: events that count, and those of them that missed it, by time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from auditstream.core.clock import Clock, SystemClock
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader
from auditstream.query.slo_rows import SETTLED, Question, rows_sql
from auditstream.reference.objectives import Objective


class CountedAt(NamedTuple):
    """Events of a stretch of time.

    Attributes:
        start: Its start, in seconds since 1970.
        bad: Events that missed the objective.
        valid: Events that count.
    """

    start: int
    bad: int
    valid: int


class SloCounts:
    """Counts in the store; blocks. Calls may come from any thread.

    Args:
        reader: Asks the store.
        clock: Says what time it is.
    """

    def __init__(self, reader: Reader, clock: Clock | None = None) -> None:
        self._reader = reader
        self._clock = clock or SystemClock()

    def counts(self, objective: Objective, start: datetime, end: datetime, step_s: int) -> list[CountedAt]:
        """Return the events of an objective between two moments, by time; stretches without any are left out.

        An event that is given time, as an output until it is verified, counts when that is over, and when the
        record has had the event for a minute.

        Args:
            objective: What counts, and what of it is bad.
            start: First moment, at the start of a stretch.
            end: First moment after, likewise.
            step_s: Length of a stretch, in seconds.

        Raises:
            StoreSchemaError: The tables are not those of this version.
            RetryableError: No answer.
        """
        conditions = Conditions()
        settled = datetime.fromtimestamp(self._clock.now_s(), UTC) - SETTLED
        rows = rows_sql(Question(objective, start, end, settled, conditions))
        step = conditions.bind(step_s, "UInt32")
        sql = (
            f"SELECT intDiv(toUnixTimestamp(at), {step}) * {step} AS stretch, sum(bad) AS missed, "  # noqa: S608
            f"sum(valid) AS counted FROM ({rows}) GROUP BY stretch HAVING missed != 0 OR counted != 0 "
            "ORDER BY stretch"
        )
        found = self._reader.table(sql, conditions.parameters, doing=f"counts of slo {objective.slo_id}")
        return [CountedAt(int(at), int(bad), int(valid)) for at, bad, valid in found.rows]
