"""Windows of event time: between which days and times of day a model's prices can change.

A start date of the catalogue is a UTC day, a time of day a UTC interval that repeats daily and may pass
midnight; times without an offset are UTC. Prices change at the listed dates and times only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from genai_prices.types import (
    ModelInfo,
    ModelPrice,
    PriceVariant,
    StartDateConstraint,
    TimeOfDateConstraint,
)

DAY = timedelta(days=1)
FIRST = datetime(1, 1, 1, tzinfo=UTC)
"""Start of a window that has none."""
LAST = datetime(9999, 12, 31, tzinfo=UTC)
"""End of a window that has none."""


@dataclass(frozen=True, slots=True)
class Window:
    """Event times that a price holds for: a range, and within each day an interval; UTC, ends exclusive.

    Attributes:
        start: First moment, `FIRST` when open.
        end: First moment after, `LAST` when open.
        from_time: Since when on each day, as time since midnight.
        to_time: Until when on each day, exclusive; a whole day ends at 24 hours.
    """

    start: datetime = FIRST
    end: datetime = LAST
    from_time: timedelta = timedelta()
    to_time: timedelta = DAY

    @property
    def dated(self) -> bool:
        """Whether it says since or until when."""
        return self.start != FIRST or self.end != LAST

    @property
    def sample(self) -> datetime:
        """A time inside a window that begins at midnight."""
        return self.start + self.from_time

    def contains(self, other: Window) -> bool:
        """Return whether every moment of another window is in this one."""
        return (
            self.start <= other.start
            and other.end <= self.end
            and self.from_time <= other.from_time
            and other.to_time <= self.to_time
        )

    def __str__(self) -> str:
        day = f"@{_day(self.start)}" if self.start != FIRST else ""
        if (self.from_time, self.to_time) == (timedelta(), DAY):
            return day
        return f"{day}@{clock(self.from_time)}-{clock(self.to_time)}"


def cut(windows: Iterable[Window]) -> Iterator[Window]:
    """Yield windows that cover all of time, without overlap; each is inside or outside of every given one."""
    given = list(windows)
    moments = sorted({FIRST, LAST, *(w.start for w in given), *(w.end for w in given)})
    times = sorted({timedelta(), DAY, *(w.from_time for w in given), *(w.to_time for w in given)})
    for start, end in pairwise(moments):
        for from_time, to_time in pairwise(times):
            yield Window(start, end, from_time, to_time)


def windows_of(model: ModelInfo, context: Mapping[str, str]) -> Iterator[Window]:
    """Yield the windows between which a model's prices can change under a request context.

    Together they cover all of time, without overlap.
    """
    constraints = list(_constraints(model, context))
    dates = {c.start_date for c in constraints if isinstance(c, StartDateConstraint)}
    times = {
        _since_midnight(moment)
        for c in constraints
        if isinstance(c, TimeOfDateConstraint)
        for moment in (c.start_time, c.end_time)
    }
    starts = [datetime.combine(day, time(), UTC) for day in sorted(dates)]
    for start, end in pairwise((FIRST, *starts, LAST)):
        for from_time, to_time in pairwise(sorted({timedelta(), *times, DAY})):
            yield Window(start, end, from_time, to_time)


def matches(variant: PriceVariant, context: Mapping[str, str]) -> bool:
    """Return whether a request context selects a variant, whenever it is active."""
    return all(context.get(key) == value for key, value in variant.when.items())


def _constraints(
    model: ModelInfo, context: Mapping[str, str]
) -> Iterator[StartDateConstraint | TimeOfDateConstraint | None]:
    if not isinstance(model.prices, ModelPrice):
        yield from (price.constraint for price in model.prices)
    for variant in model.price_variants or ():
        if matches(variant, context):
            yield variant.constraint


def _since_midnight(moment: time) -> timedelta:
    """Return a time of day as time since midnight UTC."""
    at = datetime.combine(date(1970, 1, 2), moment)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return timedelta(hours=at.hour, minutes=at.minute, seconds=at.second, microseconds=at.microsecond)


def clock(since_midnight: timedelta) -> str:
    """Return a time of day as HH:MM."""
    seconds = int(since_midnight.total_seconds())
    return f"{seconds // 3600:02}:{seconds % 3600 // 60:02}"


def time_of_day(text: str) -> timedelta:
    """Return the time since midnight that HH:MM says; 24:00 is the end of the day."""
    hours, _, minutes = text.partition(":")
    return timedelta(hours=int(hours), minutes=int(minutes))


def _day(moment: datetime) -> str:
    """Return the date of a midnight, and any other moment as ISO 8601 with Z."""
    return f"{moment:%Y-%m-%d}" if moment.time() == time() else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
