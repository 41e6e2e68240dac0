"""Points and spans of time as users write them: `15m`, `2h`, `7d`, `2026-03-01`, `2026-03-01T12:30:00Z`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from auditstream.core.errors import RequestError

Read = TypeVar("Read")

_DURATION = re.compile(r"(?P<count>\d{1,9})(?P<unit>[smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class Period:
    """A range of event_time.

    Attributes:
        start: First moment in it (UTC), None for no bound.
        end: First moment after it (UTC), None for no bound.
    """

    start: datetime | None = None
    end: datetime | None = None

    def within(self, other: Period) -> Period:
        """Return what lies in both."""
        starts = [each for each in (self.start, other.start) if each is not None]
        ends = [each for each in (self.end, other.end) if each is not None]
        return Period(max(starts, default=None), min(ends, default=None))


def duration(text: str) -> timedelta:
    """Return a span of time written as number and unit: s, m, h, d or w.

    Raises:
        RequestError: It is not written so.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise RequestError(f"{text!r} is not a duration", hint="Write a number and a unit: 15m, 2h, 7d.")
    try:
        return timedelta(**{_UNITS[match["unit"]]: int(match["count"])})
    except OverflowError as error:
        raise RequestError(f"{text!r} is longer than time itself") from error


def moment(text: str) -> datetime:
    """Return a point of time in UTC; one without an offset is taken as UTC, a date as its start.

    Raises:
        RequestError: It is not ISO 8601.
    """
    try:
        parsed = datetime.fromisoformat(text.strip())
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except ValueError as error:
        hint = "Write ISO 8601: 2026-03-01 or 2026-03-01T12:30:00Z."
        raise RequestError(f"{text!r} is not a time", hint=hint) from error
    except OverflowError as error:
        raise RequestError(f"{text!r} is in UTC not between the years 1 and 9999") from error


def period(now: datetime, *, since: str | None, start: str | None, end: str | None) -> Period:
    """Return the range that the options of a command mean.

    Args:
        now: What a duration is counted back from.
        since: A duration before `now`.
        start: First moment.
        end: First moment after.

    Raises:
        RequestError: One is not a time, two contradict each other, or the range is empty.
    """
    if since is not None and (start is not None or end is not None):
        raise RequestError("--since cannot stand beside --from and --to")
    if since is not None:
        try:
            return Period(now - _named("--since", duration, since))
        except OverflowError:
            return Period()
    found = Period(
        _named("--from", moment, start) if start else None, _named("--to", moment, end) if end else None
    )
    if found.start and found.end and found.start >= found.end:
        raise RequestError(f"--from {start} is not before --to {end}")
    return found


def _named(option: str, read: Callable[[str], Read], text: str) -> Read:
    """Return what an option says; an error names it."""
    try:
        return read(text)
    except RequestError as error:
        raise RequestError(f"{option}: {error.message}", hint=error.hint) from error
