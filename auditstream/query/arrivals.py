"""Events as they are recorded, in the order of their arrival and not of their own times: what `tail` follows.

A log's leaf indexes are dense, and one segment is inserted after the other. So what is new in a log is what
lies behind the last index that was seen: no clock has a part in it, and no event is missed or comes twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from auditstream.query.events import LIST_COLUMNS, LISTED
from auditstream.query.grammar import Term
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader, Table

MOST_LEAVES = 5_000
"""Leaves of a log that one look takes; what is left comes with the next."""

_LOGS = "SELECT log_id, first_index, last_index, first_day, last_day FROM logs"
# Days of a log's segments go up with its indexes, but for the clocks of two workers.
_SLACK = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Log:
    """How far a log goes.

    Attributes:
        first: Its first index.
        end: The index after its last.
        first_day: Day of its first segment.
        last_day: Day of its last.
    """

    first: int
    end: int
    first_day: date
    last_day: date


class Arrivals:
    """What was recorded since the last look, each event once; the first look begins at now.

    Args:
        reader: The store.
        terms: Only events that satisfy them all.
        tenant: Only this tenant's events.
    """

    def __init__(self, reader: Reader, terms: Sequence[Term], *, tenant: str | None = None) -> None:
        self._reader = reader
        self._terms = terms
        self._tenant = tenant
        # Where to go on in each log: the index, and the day from which it is looked for.
        self._next = {log_id: (log.end, log.last_day) for log_id, log in self._logs().items()}

    def look(self) -> Table:
        """Return what is new, the oldest arrival first; columns are those of a search.

        Raises:
            QueryError: A value is not one of its field's kind.
            RetryableError: No answer; the next look has what this one would have had.
        """
        # The store shows an insert's rows before `logs` counts them: what is counted here can be read.
        ranges: dict[str, tuple[int, int]] = {}
        days: dict[str, date] = {}
        reached: dict[str, tuple[int, date]] = {}
        for log_id, log in self._logs().items():
            begin, day = self._next.get(log_id, (log.first, log.first_day))
            if log.end > begin:
                end = min(log.end, begin + MOST_LEAVES)
                ranges[log_id], days[log_id] = (begin, end), day
                reached[log_id] = (end, log.last_day if end == log.end else day)
        if not ranges:
            return Table(LIST_COLUMNS, ())
        found = self._read(ranges, min(days.values()) - _SLACK)
        self._next |= reached
        return found

    def _logs(self) -> dict[str, _Log]:
        rows = self._reader.table(_LOGS, {}, doing="read of the logs").rows
        return {
            str(log_id): _Log(int(first), int(last) + 1, first_day, last_day)
            for log_id, first, last, first_day, last_day in rows
        }

    def _read(self, ranges: Mapping[str, tuple[int, int]], day: date) -> Table:
        conditions = Conditions()
        if self._tenant is not None:
            conditions.add_tenant(self._tenant)
        conditions.add(f"ingest_day >= {conditions.bind(day.isoformat(), 'Date')}")
        conditions.add_leaves(ranges)
        conditions.add_terms(self._terms)
        sql = f"""
SELECT {LISTED}
FROM events_current
WHERE {conditions.sql}
ORDER BY inserted_at, log_id, leaf_index"""  # noqa: S608  columns are ours, values are parameters
        found = self._reader.table(sql, conditions.parameters, doing="look for arrivals")
        return found if found.rows else Table(LIST_COLUMNS, ())
