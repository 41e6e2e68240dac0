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
class Silence:
    """A source whose heartbeats stopped.

    Attributes:
        tenant: Whose the last one was.
        source: The source.
        last: When the last one came.
        every: How often they came.
        until: Up to when none has.
    """

    tenant: str
    source: str
    last: datetime
    every: timedelta
    until: datetime
