"""When an alert may follow an alert: once the level has been low for a while, or a long time has passed.

Measured on NAB, this is worth as much as the choice of the detector: an anomaly is told once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.blocks import ArrayBlock
from auditstream.detection.detector import COOL, Column, Keys
from auditstream.detection.pace import Pace

_QUIET = 12
"""Buckets of five minutes below `COOL` after which a key may alert again: the hour of quiet that ends an
episode."""

_MOST = 96
"""Buckets of five minutes after which it may in any case: eight hours, a shift, so that what goes on is told
to the next one too."""


class Rearm(ArrayBlock):
    """Which keys wait, by key."""

    ARRAYS = ("_waiting", "_quiet", "_since")

    def __init__(self, pace: Pace) -> None:
        """Begin without keys."""
        self._least_quiet = pace.buckets(_QUIET)
        self._longest = pace.buckets(_MOST)
        self._waiting: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._quiet: NDArray[np.float32] = np.zeros(0, np.float32)  # buckets
        self._since: NDArray[np.float32] = np.zeros(0, np.float32)

    def waits(self, keys: Keys) -> NDArray[np.bool_]:
        """Return which keys have alerted and may not again."""
        return self._waiting[keys]

    def alerts(self, keys: Keys, levels: Column, elapsed: Column) -> NDArray[np.bool_]:
        """Return which keys alert in this bucket.

        Args:
            keys: Each at most once.
            levels: Score of each as a share of its threshold.
            elapsed: Buckets since the key's last one.
        """
        waiting = self._waiting[keys]
        since = self._since[keys] + elapsed
        quiet = np.where(levels < COOL, self._quiet[keys] + elapsed, 0.0)
        waiting &= (quiet < self._least_quiet) & (since < self._longest)
        fires = ~waiting & (levels >= 1.0)
        self._waiting[keys] = waiting | fires
        self._quiet[keys] = np.where(fires, 0.0, quiet)
        self._since[keys] = np.where(fires, 0.0, since)
        return fires
