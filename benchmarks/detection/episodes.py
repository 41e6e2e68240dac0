"""Alerts of a detector over many rows: one an episode, which ends after an hour of quiet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.detector import COOL, Bucket, Detector

QUIET_MINUTES = 60


class Alerts:
    """Runs a detector over minutes and notes when each row's episodes open.

    Attributes:
        opened: Minute and row of each opening.
    """

    def __init__(self, detector: Detector, rows: int) -> None:
        self._detector = detector
        detector.reserve(rows)
        self._open = np.zeros(rows, np.bool_)
        self._warm = np.zeros(rows, np.int64)
        self.opened: list[tuple[int, int]] = []

    def take(self, bucket: Bucket) -> None:
        """Let the detector observe a minute."""
        self._open &= bucket.start - self._warm < QUIET_MINUTES
        scores = self._detector.observe(bucket, self._open)
        self._warm[scores.keys[scores.level >= COOL]] = bucket.start
        fires = scores.keys[(scores.level >= 1) & ~self._open[scores.keys]]
        self._open[fires] = True
        self.opened += [(bucket.start, int(row)) for row in fires]

    def minutes(self) -> NDArray[np.int64]:
        """Return the openings, minute and row."""
        return np.array(self.opened, np.int64).reshape(-1, 2)
