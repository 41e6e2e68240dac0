"""Numbers of buckets for times that are nearly regular: clocks are set back, collectors pause, jitter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def usual_step(minutes: NDArray[np.int64]) -> int:
    """Return the usual minutes between neighbours, at least 1."""
    return max(1, int(np.median(np.diff(minutes)))) if len(minutes) > 1 else 1


def even_ticks(minutes: NDArray[np.int64], step: int) -> NDArray[np.int64]:
    """Return the number of each time's bucket, each larger than the one before.

    A time that repeats, or falls into the bucket of the one before, takes the next bucket.

    Args:
        minutes: Times that do not go back, in minutes since 1970.
        step: Minutes of a bucket.
    """
    ticks = minutes // step
    place = np.arange(len(ticks))
    pushed: NDArray[np.int64] = np.maximum.accumulate(ticks - place) + place
    return pushed
