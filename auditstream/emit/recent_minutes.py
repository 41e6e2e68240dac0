"""The minutes of the last three days, so that a look asks the store for the newest hours alone.

Late events are found for two hours at every look, and for all of the windows once an hour and whenever a look
finds some that are more than an hour late: where some are, older ones may be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

Amount = TypeVar("Amount")

LONGEST_WINDOW = timedelta(days=3)
"""Length of the longest window of the burn table."""

_LATE = timedelta(hours=2)
_VERY_LATE = timedelta(hours=1)
_ALL_EVERY = timedelta(hours=1)
_NEVER = datetime.min.replace(tzinfo=UTC)


class RecentMinutes(Generic[Amount]):
    """Amounts by minute; one thread at a time.

    Args:
        read: Returns the minutes between two moments that brought anything, by number since 1970; blocks.

    Attributes:
        amounts: What each minute brought.
    """

    def __init__(self, read: Callable[[datetime, datetime], Mapping[int, Amount]]) -> None:
        self._read = read
        self._all_at = _NEVER
        self.amounts: dict[int, Amount] = {}

    def refresh(self, until: datetime) -> list[tuple[int, Amount | None, Amount | None]]:
        """Read what is new up to a full minute, and return what changed: minute, amount before, amount now.

        What has become too old for any window is dropped, and is no change.
        """
        is_all = not timedelta() <= until - self._all_at < _ALL_EVERY
        changes = self._changed(until - (LONGEST_WINDOW if is_all else _LATE), until)
        usual = minute_of(until - _VERY_LATE)
        if not is_all and any(minute < usual for minute, _, _ in changes):
            is_all = True
            changes += self._changed(until - LONGEST_WINDOW, until)
        if is_all:
            self._all_at = until
        oldest = minute_of(until - LONGEST_WINDOW)
        for minute in [each for each in self.amounts if each < oldest]:
            del self.amounts[minute]
        return changes

    def _changed(self, since: datetime, until: datetime) -> list[tuple[int, Amount | None, Amount | None]]:
        """Read minutes, take over what they brought, and return what changed."""
        changes = list(self._changes(self._read(since, until), minute_of(since)))
        for minute, _, after in changes:
            if after is None:
                del self.amounts[minute]
            else:
                self.amounts[minute] = after
        return changes

    def _changes(
        self, found: Mapping[int, Amount], first: int
    ) -> Iterator[tuple[int, Amount | None, Amount | None]]:
        for minute in {*found, *(each for each in self.amounts if each >= first)}:
            before, after = self.amounts.get(minute), found.get(minute)
            if before != after:
                yield minute, before, after


def minute_of(at: datetime) -> int:
    """Return the number of a moment's minute since 1970."""
    return int(at.timestamp()) // 60
