"""Periods as reports name them: `2026-11`, `2026-11-03`, `2026-W45`, `last-7d`, `FROM/TO`; all in UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from auditstream.core.errors import RequestError
from auditstream.query.periods import Period, duration, moment

_MONTH = re.compile(r"(\d{4})-(\d{2})")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_WEEK = re.compile(r"(\d{4})-W(\d{2})")
_LAST = "last-"
_HINT = "Write a month 2026-11, a day 2026-11-03, an ISO week 2026-W45, last-7d, or FROM/TO."


@dataclass(frozen=True, slots=True)
class Span:
    """A range of event_time with both ends.

    Attributes:
        start: First moment in it (UTC).
        end: First moment after it (UTC).
    """

    start: datetime
    end: datetime

    @property
    def period(self) -> Period:
        """The same as conditions take it."""
        return Period(self.start, self.end)

    @property
    def before(self) -> Span:
        """The period of the same length that ends where this one begins.

        Raises:
            RequestError: There is none: it would begin before the year 1.
        """
        try:
            return Span(self.start - (self.end - self.start), self.start)
        except OverflowError as error:
            message = "the period before it would begin before the year 1"
            raise RequestError(message, field="period") from error

    @property
    def is_of_hours(self) -> bool:
        """Whether it begins and ends with an hour."""
        return all(each == each.replace(minute=0, second=0, microsecond=0) for each in (self.start, self.end))


def named_span(text: str, now: datetime) -> Span:
    """Return the range that a period's name means.

    `last-7d` ends with the hour that `now` is in, so that it is of whole hours.

    Raises:
        RequestError: It is no name of a period, or the range is empty.
    """
    try:
        return _span(text.strip(), now)
    except (ValueError, OverflowError) as error:
        raise RequestError(f"--period: {text!r} is not a period: {error}", hint=_HINT) from error


def month_span(text: str) -> Span:
    """Return the range of a calendar month written as `2026-11`.

    Raises:
        RequestError: It is not written so.
    """
    match = _MONTH.fullmatch(text.strip())
    if match is None or not 1 <= int(match[2]) <= 12 or not int(match[1]):
        raise RequestError(f"{text!r} is not a month", hint="Write it as 2026-11.")
    return _month(int(match[1]), int(match[2]))


def _span(text: str, now: datetime) -> Span:
    if match := _MONTH.fullmatch(text):
        return _month(int(match[1]), int(match[2]))
    if _DAY.fullmatch(text):
        return _days(date.fromisoformat(text), 1)
    if match := _WEEK.fullmatch(text):
        return _days(date.fromisocalendar(int(match[1]), int(match[2]), 1), 7)
    if text.startswith(_LAST):
        end = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        return _checked(Span(end - duration(text.removeprefix(_LAST)), end))
    start, slash, end_text = text.partition("/")
    if not slash:
        raise RequestError(f"--period: {text!r} is not a period", hint=_HINT)
    return _checked(Span(moment(start), moment(end_text)))


def _checked(span: Span) -> Span:
    if span.start >= span.end:
        raise RequestError(f"--period: {span.start:%Y-%m-%dT%H:%M:%SZ} is not before its end", hint=_HINT)
    return span


def _month(year: int, month: int) -> Span:
    first = datetime(year, month, 1, tzinfo=UTC)
    return Span(first, (first + timedelta(days=31)).replace(day=1))


def _days(first: date, count: int) -> Span:
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return Span(start, start + timedelta(days=count))


def months_of(span: Span) -> list[Span]:
    """Return the parts of a range that lie in one calendar month each, in order."""
    parts = []
    start = span.start
    while start < span.end:
        end = min(_month(start.year, start.month).end, span.end)
        parts.append(Span(start, end))
        start = end
    return parts
