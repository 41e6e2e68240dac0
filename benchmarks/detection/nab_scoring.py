"""Scores as NAB gives them: an alert is worth what its place in a window, or behind one, is worth.

Source: numenta/NAB @ ea702d75cc22, nab/sweeper.py and nab/runner.py; here for alerts rather than for a sweep
over thresholds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.series import Events

_PROBATION = 0.15
"""Share of a file that is not scored, of at most 5000 rows."""
_PROBATION_ROWS = 5000


@dataclass(frozen=True, slots=True)
class Profile:
    """What a window found, a window missed and a false alert weigh; `config/profiles.json` of NAB."""

    found: float
    missed: float
    false: float


STANDARD = Profile(found=1.0, missed=1.0, false=0.11)
LOW_FALSE = Profile(found=1.0, missed=1.0, false=0.22)


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums of one or several files.

    Attributes:
        score: What the alerts got.
        null: What no alerts would get.
        windows: Anomalies labelled, those in probation included: NAB counts them as possible.
    """

    score: float
    null: float
    windows: int

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.score + other.score, self.null + other.null, self.windows + other.windows)

    def normalized(self, profile: Profile) -> float:
        """Return the score where none is 0 and perfect is 100."""
        return 100 * (self.score - self.null) / (self.windows * profile.found - self.null)


def scaled_sigmoid(position: float) -> float:
    """Return the worth at a place: -1 is the left edge of a window, 0 its right edge, 1 a width behind it."""
    return -1.0 if position > 3.0 else 2 / (1 + math.exp(5 * position)) - 1


def tally(alerts: NDArray[np.bool_], events: Events, profile: Profile) -> Tally:
    """Return what alerts of one file get.

    Args:
        alerts: By row.
        events: First and last row of each window.
        profile: The weights.
    """
    rows = len(alerts)
    probation = min(math.floor(_PROBATION * rows), _PROBATION * _PROBATION_ROWS)
    score, counted = 0.0, 0
    fired = [int(row) for row in np.flatnonzero(alerts) if row >= probation]
    inside = set()
    for first, last in events:
        hits = [row for row in fired if first <= row <= last]
        inside |= {*hits}
        if last < probation:
            continue
        counted += 1
        width = last - first + 1
        worth = [scaled_sigmoid(-(last - row + 1) / width) / scaled_sigmoid(-1.0) for row in hits]
        score += max([-profile.missed, *(each * profile.found for each in worth)])
    for row in fired:
        if row not in inside:
            score += profile.false * _false(row, events)
    return Tally(score, -profile.missed * counted, len(events))


def _false(row: int, events: Events) -> float:
    """Return the worth of an alert outside of windows, between -1 and 0."""
    before = [event for event in events if event[1] < row]
    if not before:
        return -1.0
    first, last = before[-1]
    return scaled_sigmoid((row - last) / (last - first))
