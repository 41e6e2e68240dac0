"""How fast buckets follow each other: what is told in five-minute buckets, in buckets of another length."""

from __future__ import annotations

from dataclasses import dataclass

BUCKET = 5
"""Minutes of the bucket that constants are told in."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The pace of a series.

    Long memories and silences are spans of time, so finer buckets need more of them; coarser ones do not need
    fewer, for a tail of 1 in 250 takes hundreds of values however long they took to come. Short memories
    count buckets: they are about how neighbours differ.

    Attributes:
        minutes: Length of a bucket.
    """

    minutes: float = BUCKET

    @property
    def stretch(self) -> float:
        """Buckets that stand for one of five minutes; 1 for longer ones."""
        return max(1.0, BUCKET / self.minutes)

    def decay(self, of_five_minutes: float) -> float:
        """Return what is left after a bucket, from what is left after five minutes."""
        return float(of_five_minutes ** (1.0 / self.stretch))

    def buckets(self, of_five_minutes: float) -> float:
        """Return how many buckets are as long as a number of five-minute ones."""
        return of_five_minutes * self.stretch
