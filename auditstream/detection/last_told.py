"""What was last said of each key, for minutes within the buckets of a detector that takes longer ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.blocks import ArrayBlock
from auditstream.detection.detector import Column, Keys, Scores


class LastTold(ArrayBlock):
    """Level, observed and expected by key."""

    ARRAYS = ("level", "observed", "expected")

    def __init__(self) -> None:
        self.level: NDArray[np.float32] = np.zeros(0, np.float32)
        self.observed: Column = np.zeros(0)
        self.expected: Column = np.zeros(0)

    def scores(self, keys: Keys, tier: NDArray[np.uint8]) -> Scores:
        """Return what was last said of keys; the level is the score."""
        level = self.level[keys].astype(np.float64)
        return Scores(
            keys=keys,
            level=level,
            score=level,
            observed=self.observed[keys],
            expected=self.expected[keys],
            excess=np.zeros(len(keys)),
            tier=tier,
        )
