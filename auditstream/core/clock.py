"""Time as a port, so that nothing in the product reads the wall clock behind a test's back."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Where times that are numbers begin."""


def utc_text(at: datetime) -> str:
    """Return a time as manifests write it: ISO 8601 in UTC with Z."""
    return at.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


class Clock(Protocol):
    """Wall-clock seconds since the epoch (UTC)."""

    def now_s(self) -> float:
        """Return the current time in seconds since 1970-01-01T00:00:00Z."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_s(self) -> float:
        """Return the current time in seconds since the epoch."""
        return time.time()


class ManualClock:
    """A clock that moves only when told to."""

    def __init__(self, now_s: float) -> None:
        self._now_s = now_s

    def now_s(self) -> float:
        """Return the time that was set last."""
        return self._now_s

    def advance(self, seconds: float) -> None:
        """Move the clock forward by `seconds`."""
        self._now_s += seconds
