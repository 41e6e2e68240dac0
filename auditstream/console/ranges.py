"""The range of time that a page is about: relative to now, or between two moments; always said in UTC."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from auditstream.core.errors import RequestError
from auditstream.query.named_periods import Span
from auditstream.query.periods import Period, duration, moment

PRESETS: Mapping[str, str] = {
    "15m": "Last 15 minutes",
    "1h": "Last hour",
    "6h": "Last 6 hours",
    "24h": "Last 24 hours",
    "7d": "Last 7 days",
    "30d": "Last 30 days",
    "90d": "Last 90 days",
    "all": "All time",
}
"""Ranges that are one click away, by what `since` says."""

USUAL = "24h"
"""Range of a page that names none: a day shows the rhythm of use, and is quick in any store."""

Read = TypeVar("Read")

_YEAR = timedelta(days=366)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class RangeError(RequestError):
    """A range of time that a page cannot be about; the message says what is wrong with it."""

    code = "range"


@dataclass(frozen=True, slots=True)
class Range:
    """A range of time as a page's address says it.

    Attributes:
        since: The relative form, `all` for no bounds; empty when it is between two moments.
        period: What it means.
        now: When it was read, which a relative range ends with.
    """

    since: str
    period: Period
    now: datetime

    @property
    def label(self) -> str:
        """What the picker shows."""
        if self.since:
            return PRESETS.get(self.since) or f"Last {int(self.since[:-1])} {_UNITS[self.since[-1]]}"
        return f"{_told(self.period.start, 'the beginning')} – {_told(self.period.end, 'now')}"

    @property
    def words(self) -> str:
        """The two ends and the zone, for beside a number."""
        if self.since == "all":
            return f"all time until {self.now:%d %b %Y %H:%M:%S} UTC"
        start, end = self.period.start, self.period.end or self.now
        return f"{_told(start, 'the beginning')} – {_told(end, 'now')} UTC"

    @property
    def parameters(self) -> dict[str, str]:
        """What an address says of it."""
        if self.since:
            return {"since": self.since}
        return self._bounds(self.period.start, self.period.end)

    @property
    def pinned(self) -> dict[str, str]:
        """What an address says of it that means the same tomorrow: both ends, absolute."""
        if self.since == "all":
            return {"to": iso(self.now)}
        return self._bounds(self.period.start, self.period.end or self.now)

    @staticmethod
    def _bounds(start: datetime | None, end: datetime | None) -> dict[str, str]:
        return {name: iso(value) for name, value in (("from", start), ("to", end)) if value is not None}


def range_of(parameters: Mapping[str, str], now: datetime, *, usual: str = USUAL) -> Range:
    """Return the range that an address names; the usual one when it names none.

    Raises:
        RangeError: A bound is no time, both kinds are named, or the range is empty.
    """
    since, start, end = (parameters.get(name, "").strip() for name in ("since", "from", "to"))
    if since and (start or end):
        raise RangeError("since cannot stand beside from and to", hint="Give one of them.")
    try:
        if start or end:
            return Range("", _between(start, end), now)
        if since == "all":
            return Range("all", Period(), now)
        since = since or usual
        return Range(since, Period(now - _read("since", duration, since)), now)
    except OverflowError:
        return Range("all", Period(), now)


def hours_of(found: Range) -> Span:
    """Return the whole hours that a range lies in; one without a start is the last year.

    Sums of money are kept by hour: half of one cannot be told.

    Raises:
        RangeError: It is yet to come, or is not between the first hour that there is and the last.
    """
    end = found.period.end or found.now
    try:
        start = found.period.start or end - _YEAR
        span = Span(start.replace(minute=0, second=0, microsecond=0), _hour_after(end))
    except OverflowError as error:
        raise RangeError("to: the range ends before the first year or after the last hour") from error
    if span.start >= span.end:
        raise RangeError(
            f"from: {_told(span.start, '')} UTC is yet to come", hint="Name a time that is past."
        )
    return span


def iso(value: datetime) -> str:
    """Return a moment as an address has it: UTC, as short as it can be said exactly."""
    text = value.astimezone(UTC).isoformat()
    return text.replace("+00:00", "Z")


def _between(start: str, end: str) -> Period:
    found = Period(_read("from", moment, start) if start else None, _read("to", moment, end) if end else None)
    if found.start and found.end and found.start >= found.end:
        raise RangeError(f"from {start} is not before to {end}")
    return found


def _read(name: str, read: Callable[[str], Read], text: str) -> Read:
    """Return what a parameter says; an error names it."""
    try:
        return read(text)
    except RequestError as error:
        raise RangeError(f"{name}: {error.message}", hint=error.hint) from error


def _hour_after(moment: datetime) -> datetime:
    hour = moment.replace(minute=0, second=0, microsecond=0)
    return hour if hour == moment else hour + timedelta(hours=1)


def _told(value: datetime | None, otherwise: str) -> str:
    if value is None:
        return otherwise
    seconds = "%d %b %Y %H:%M:%S" if value.second or value.microsecond else "%d %b %Y %H:%M"
    return value.strftime(seconds)
