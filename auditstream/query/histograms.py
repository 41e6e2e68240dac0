"""How many of the events that a search finds fall into each span of time, by outcome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from auditstream.core.errors import RequestError
from auditstream.query.current_events import CurrentEvents
from auditstream.query.events import Search
from auditstream.query.periods import Period
from auditstream.query.reader import Reader, Row
from sinks.expressions import held

MOST_SPANS = 400
"""Bars at most: as many as a wide screen can show apart."""

# Widths that divide each other and the day, so that a bar begins where a clock shows a round time.
_WIDTHS = tuple(
    timedelta(seconds=seconds)
    for seconds in (
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400,
        2 * 86400, 7 * 86400, 28 * 86400,
    )
)  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# No event can be outside; bars of all years that a calendar has would begin before the first.
_OLDEST, _NEWEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2300, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """One bar.

    Attributes:
        start: First moment in it (UTC).
        outcomes: Events by outcome; an outcome without events is left out.
    """

    start: datetime
    outcomes: dict[str, int]

    @property
    def events(self) -> int:
        """All events of the span."""
        return sum(self.outcomes.values())


@dataclass(frozen=True, slots=True)
class Histogram:
    """All bars of a search, those without events included.

    Attributes:
        width: Length of each span.
        spans: In order of time; none when nothing was found.
        period: What was counted: the search's, its open ends closed by the oldest and the newest event.
    """

    width: timedelta
    spans: tuple[Span, ...]
    period: Period

    @property
    def events(self) -> int:
        """All events that the search finds."""
        return sum(span.events for span in self.spans)


def histogram(reader: Reader, wanted: Search, *, spans: int = 60, until: datetime | None = None) -> Histogram:
    """Count what a search finds, by span of time.

    The limit and the cursor of the search have no part in it: the sum is the number of all its events.

    Args:
        reader: The store.
        wanted: The search.
        spans: How many bars are wished for; there are never more than twice as many.
        until: What an open end reaches at least: whoever looks at the last hour sees that its end is empty.

    Raises:
        QueryError: A value is not one of its field's kind.
        RequestError: The number of spans is out of range.
        RetryableError: No answer.
    """
    if not 1 <= spans <= MOST_SPANS:
        raise RequestError(f"spans {spans}: not between 1 and {MOST_SPANS}")
    current = wanted.looked_up(reader)
    period = _closed(current, wanted, until)
    if period.start is None or period.end is None:
        return Histogram(_WIDTHS[0], (), period)
    begin, end = max(period.start, _OLDEST), min(period.end, _NEWEST)
    if begin >= end:
        return Histogram(_WIDTHS[0], (), period)
    period, width = Period(begin, end), width_for(end - begin, spans)
    conditions = wanted.conditions()
    seconds = conditions.bind(int(width.total_seconds()), "Int64")
    second = "toInt64(floor(toUnixTimestamp64Micro(event_time) / 1000000))"  # floor: before 1970, too
    start = f"{second} - positiveModulo({second}, {seconds})"
    counted_by = current.select(f"{start} AS start, outcome, count() AS events", conditions)
    sql = f"{counted_by}\nGROUP BY start, outcome\nORDER BY start, outcome"
    counted = current.reader.table(sql, conditions.parameters, doing="histogram").rows
    return Histogram(width, _filled(counted, period, width), period)


def width_for(length: timedelta, spans: int) -> timedelta:
    """Return the round width that cuts a range into about `spans` bars, never more than twice as many."""
    wished = length / spans
    if wished > _WIDTHS[-1]:
        return _WIDTHS[-1] * -(-wished // _WIDTHS[-1])
    return min(_WIDTHS, key=lambda width: (width < wished / 2, abs(width - wished)))


def _filled(counted: Sequence[Row], period: Period, width: timedelta) -> tuple[Span, ...]:
    """Return a span for every width from a period's start to its end."""
    if period.start is None or period.end is None:
        return ()
    found: dict[datetime, dict[str, int]] = {}
    for start, outcome, events in counted:
        found.setdefault(_EPOCH + timedelta(seconds=start), {})[outcome] = events
    first, last = _floor(period.start, width), _floor(period.end - timedelta(microseconds=1), width)
    starts = (first + number * width for number in range((last - first) // width + 1))
    return tuple(Span(start, found.get(start, {})) for start in starts)


def _closed(current: CurrentEvents, wanted: Search, until: datetime | None) -> Period:
    """Return the period of a search; its open ends are those of what it finds, and stay open over nothing."""
    period = Period(*(at and held(at) for at in (wanted.period.start, wanted.period.end)))
    if period.start is not None and period.end is not None:
        return period
    conditions = wanted.conditions()
    ends = "toUnixTimestamp64Micro(min(event_time)), toUnixTimestamp64Micro(max(event_time)), count()"
    sql = current.select(ends, conditions)
    found = current.reader.table(sql, conditions.parameters, doing="range of a search")
    ((oldest, newest, events),) = found.rows
    if not events:
        return period
    after_newest = _EPOCH + timedelta(microseconds=newest + 1)
    return Period(
        period.start or _EPOCH + timedelta(microseconds=oldest),
        period.end or max(after_newest, until or after_newest),
    )


def _floor(moment: datetime, width: timedelta) -> datetime:
    return moment - (moment - _EPOCH) % width
