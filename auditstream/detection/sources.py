"""What is missing of sources that number their events and send heartbeats."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Gap:
    """A range of numbers of an instance that never came.

    Attributes:
        tenant: Whose the event after it is.
        source: The source.
        instance: The instance that numbered.
        first: First missing number.
        last: Last one.
        noticed: When the next number came.
    """

    tenant: str
    source: str
    instance: str
    first: int
    last: int
    noticed: datetime


@dataclass(frozen=True, slots=True)
class Pulse:
    """Heartbeats of a source.

    Attributes:
        tenant: Whose the last one was.
        source: The source.
        last: When the last one came.
        every: How often they come.
        until: Up to when anything at all is recorded.
    """

    tenant: str
    source: str
    last: datetime
    every: timedelta
    until: datetime

    def has_missed(self, beats: int) -> bool:
        """Return whether so many heartbeats in a row did not come."""
        return self.last + beats * self.every < self.until
