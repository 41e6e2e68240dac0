"""Precision and recall by event: an anomaly is found or not, however many of its points are labelled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.series import Events


@dataclass(frozen=True, slots=True)
class EventCounts:
    """Sums of one or several series.

    Attributes:
        found: Events with an alert in time.
        events: All events.
        false: Alerts that are in no event, or come too late in one that had none in time.
    """

    found: int
    events: int
    false: int

    def __add__(self, other: EventCounts) -> EventCounts:
        return EventCounts(self.found + other.found, self.events + other.events, self.false + other.false)

    @property
    def precision(self) -> float:
        """Events found among all that was told; 0 if nothing was."""
        told = self.found + self.false
        return self.found / told if told else 0.0

    @property
    def recall(self) -> float:
        """Events found among all; 0 if there are none."""
        return self.found / self.events if self.events else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        return 2 * self.found / (self.found + self.false + self.events) if self.events + self.false else 0.0


def counts(alerts: NDArray[np.bool_], events: Events, *, delay: int | None = None) -> EventCounts:
    """Count what alerts of one series found.

    Args:
        alerts: By row.
        events: First and last row of each.
        delay: Rows after the first within which an event must be told; None for its whole length.
    """
    fired = np.flatnonzero(alerts)
    found, false = 0, len(fired)
    for first, last in events:
        hits = int(((fired >= first) & (fired <= last)).sum())
        end = last if delay is None else min(last, first + delay)
        if bool(((fired >= first) & (fired <= end)).any()):
            found += 1
            false -= hits  # one that is told again is no false alarm
    return EventCounts(found, len(events), false)
