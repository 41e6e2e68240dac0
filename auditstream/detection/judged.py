"""Which keys a bucket asks about: those that did anything, and those in an episode that did not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auditstream.core.errors import InvariantError
from auditstream.detection.detector import COOL, Bucket, Column, Keys, Scores


@dataclass(frozen=True, slots=True)
class Judged:
    """Keys of one minute.

    Attributes:
        minute: Minutes since 1970.
        keys: Keys with news or in an episode, ascending.
        active: Positions in `keys` of the bucket's.
        in_episode: Of each of `keys`, whether it is in one.
    """

    minute: int
    keys: Keys
    active: NDArray[np.intp]
    in_episode: NDArray[np.bool_]

    def spread(self, values: Column) -> Column:
        """Return a column of the bucket for all keys: 0 for those without news."""
        column = np.zeros(len(self.keys))
        column[self.active] = values
        return column


def judged(slug: str, bucket: Bucket, in_episode: NDArray[np.bool_]) -> Judged:
    """Return the keys of a bucket of one minute and those in an episode.

    Raises:
        InvariantError: The bucket is of another length: sums and rates would be of other units.
    """
    if bucket.minutes != 1:
        raise InvariantError(
            f"{slug} takes buckets of one minute, got one of {bucket.minutes}",
            hint="Give it the sums of single minutes.",
        )
    keys = np.union1d(bucket.keys, np.flatnonzero(in_episode)).astype(np.int32)
    return Judged(bucket.start, keys, np.searchsorted(keys, bucket.keys), in_episode[keys])


def worth_telling(scores: Scores, in_episode: NDArray[np.bool_]) -> Scores:
    """Return the scores that matter to an episode: of keys in one, or that are not cool.

    Args:
        scores: Of keys that were judged.
        in_episode: Of each of these keys, whether it is in one.
    """
    kept = in_episode | (scores.level >= COOL)
    return Scores(
        keys=scores.keys[kept],
        level=scores.level[kept],
        score=scores.score[kept],
        observed=scores.observed[kept],
        expected=scores.expected[kept],
        excess=scores.excess[kept],
        tier=scores.tier[kept],
    )
