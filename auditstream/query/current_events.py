"""Events as they are known now, read from where that takes least.

The store needs longer to plan view `events_current` (a table of two hundred columns, read twice, and a join)
than to find a page in `events`, and the view reads every difference that was ever booked. Its rows are those
of `events` as long as nothing was booked to the events that are asked for; so that is looked at first, or
with the rows, each time: what is booked between two pages is in the second, as with the view.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from auditstream.query.known_events import events_as_known
from auditstream.query.period_reader import within
from auditstream.query.periods import Period
from auditstream.query.predicates import Conditions
from auditstream.query.reader import Reader, Table
from sinks.expressions import time_text

# A further report of a call has no tokens: as in the view's first branch, whose columns these are.
_TOKENS = ", ".join(
    f"if(same_call_as IS NULL, e.{name}, NULL) AS {name}"
    for name in (
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
    )
)


@dataclass(frozen=True, slots=True)
class CurrentEvents:
    """The events of a tenant and period, as they are known now, or as they were known at a time.

    Attributes:
        reader: What to ask for them.
        is_adjusted: Whether anything was booked to them after they were recorded.
        known_on: Leave out what was learnt later; None for all that is known.
    """

    reader: Reader
    is_adjusted: bool
    known_on: datetime | None = None

    def select(self, what: str, conditions: Conditions) -> str:
        """Return the head of a query, up to its WHERE; columns are those of `events_current`.

        Args:
            what: What to select.
            conditions: What holds of every row, and the query's parameters; of no other tenant and period
                than were looked at.
        """
        if self.is_adjusted:
            view = events_as_known(conditions, self.known_on)
            return f"SELECT {what}\nFROM {view}\nWHERE {conditions.sql}"
        return (
            f"WITH {_TOKENS}\nSELECT {what}\nFROM events AS e\n"
            f"WHERE leaf_kind = 0\n    AND duplicate_of IS NULL\n    AND {conditions.sql}"
        )


def current_events(
    reader: Reader, *, tenant: str | None, period: Period, known_on: datetime | None = None
) -> CurrentEvents:
    """Look whether anything was booked to a tenant's events of a period.

    A difference has the time of its event, and the first one of an event is booked to the owner that it was
    recorded for, whoever owns it next: who has no differences has events as they were recorded.

    Args:
        reader: The store; one that is held to a scope sees that scope's differences.
        tenant: Only this one's; None for all that the reader sees.
        period: Range of event_time.
        known_on: Leave out what was learnt later; None for all that is known.

    Raises:
        RetryableError: No answer.
    """
    conditions = Conditions()
    if tenant is not None:
        conditions.add_tenant(tenant)
    conditions.add_period(period)
    if known_on is not None:
        conditions.add(f"recorded_at <= {conditions.bind(time_text(known_on), _TIME)}")
    return replace(current_events_where(reader, conditions, period=period), known_on=known_on)


def current_events_where(reader: Reader, conditions: Conditions, *, period: Period) -> CurrentEvents:
    """Look whether anything was booked to events that are told otherwise; raises as `current_events`.

    Args:
        reader: As of `current_events`.
        conditions: What holds of the events, and so of every difference that was booked to one of them.
        period: Range of event_time in which all of them are.
    """
    sql = _first_adjustment(conditions)
    is_adjusted = bool(reader.table(sql, conditions.parameters, doing="look for adjustments").rows)
    return _looked_up(reader, period, is_adjusted=is_adjusted)


def current_page(
    reader: Reader, what: str, scope: Conditions, conditions: Conditions, *, period: Period, tail: str
) -> Table:
    """Return a page of events as they are known now, with one question where nothing was booked to them.

    Args:
        reader: As of `current_events`.
        what: What to select; columns are those of `events_current`.
        scope: Tenant and period; its parameters are among those of `conditions`.
        conditions: What holds of every row, `scope` included.
        period: Range of event_time.
        tail: The query's end: ORDER BY, LIMIT.

    Raises:
        RetryableError: No answer.
    """
    counted = f"(SELECT count() FROM ({_first_adjustment(scope)})) AS booked_to"  # noqa: S608  as there
    recorded = CurrentEvents(reader, is_adjusted=False)
    sql = f"{recorded.select(f'{what}, {counted}', conditions)}\n{tail}"
    found = reader.table(sql, conditions.parameters, doing="search")
    if found.rows and not found.rows[0][-1]:
        return found.select(found.columns[:-1])
    if found.rows:
        current = _looked_up(reader, period, is_adjusted=True)
    else:
        current = current_events_where(reader, scope, period=period)
        if not current.is_adjusted:
            return found
    sql = f"{current.select(what, conditions)}\n{tail}"
    return current.reader.table(sql, conditions.parameters, doing="search")


def _first_adjustment(conditions: Conditions) -> str:
    return f"SELECT 1 FROM cost_adjustments WHERE {conditions.sql} LIMIT 1"  # noqa: S608  values are parameters


def _looked_up(reader: Reader, period: Period, *, is_adjusted: bool) -> CurrentEvents:
    return CurrentEvents(within(reader, period) if is_adjusted else reader, is_adjusted)


_TIME = "DateTime64(6, 'UTC')"
