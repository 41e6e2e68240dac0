"""Windows of event time: between which days and times of day a model's prices can change.

A start date of the catalogue is a UTC day, a time of day a UTC interval that repeats daily and may pass
midnight; times without an offset are UTC. Prices change at the listed dates and times only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
FIRST_DAY = date(1, 1, 1)
LAST_DAY = date(9999, 12, 31)


@dataclass(frozen=True, slots=True)
class Window:
    """Event times that a card holds for: days, and within each day an interval; UTC, ends exclusive.

    Attributes:
        first_day: First day, `FIRST_DAY` when open.
        last_day: Last day, inclusive; `LAST_DAY` when open.
        from_time: Since when on each of these days, as time since midnight.
        to_time: Until when on each of these days, exclusive; a whole day ends at 24 hours.
    """

    first_day: date
    last_day: date
    from_time: timedelta = timedelta()
    to_time: timedelta = DAY

    @property
    def dated(self) -> bool:
        """Whether the catalogue says since or until when."""
        return self.first_day != FIRST_DAY or self.last_day != LAST_DAY

    @property
    def sample(self) -> datetime:
        """A time inside the window."""
        return datetime.combine(self.first_day, time(), UTC) + self.from_time

    def __str__(self) -> str:
        day = f"@{self.first_day}" if self.first_day != FIRST_DAY else ""
        if (self.from_time, self.to_time) == (timedelta(), DAY):
            return day
        return f"{day}@{_clock(self.from_time)}-{_clock(self.to_time)}"


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
    days = [FIRST_DAY, *sorted(dates)]
    ends = [*(day - DAY for day in days[1:]), LAST_DAY]
    for first, last in zip(days, ends, strict=True):
        for start, end in pairwise(sorted({timedelta(), *times, DAY})):
            yield Window(first, last, start, end)


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


def _clock(since_midnight: timedelta) -> str:
    seconds = int(since_midnight.total_seconds())
    return f"{seconds // 3600:02}:{seconds % 3600 // 60:02}"
