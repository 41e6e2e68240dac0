"""The newest acts of one log: a window of leaves, so that what is found in it follows from the log alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from auditstream.detection.acts import SCHEMA, TEXTS, Mark

WINDOW_LEAVES = 200_000
"""How many of a log's leaves are looked back at: ten minutes at 300 events a second and partition. Were all
of them acts, they would be 20 MB."""

_KEEP_TEXTS = int(Mark.DESTROYS | Mark.MANDATED)
"""Marks of acts that may yet be told of themselves; of others the numbers do."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A segment's acts and what came before them in the log.

    Attributes:
        first_index: Leaf index of the segment's first record.
        new: Acts of the segment.
        old: Acts of the window before it.
        before: Highest event time of the window before it, in microseconds; the epoch's without any.
        until: The same with the segment's own.
    """

    first_index: int
    new: pl.DataFrame
    old: pl.DataFrame
    before: int
    until: int

    def all(self) -> pl.DataFrame:
        """Return old and new acts together, in the order of the log."""
        return pl.concat([self.old, self.new]) if self.old.height else self.new

    def due(self, mark: Mark, after_us: int) -> pl.DataFrame:
        """Return the acts with a mark over which a time has passed with this segment, and not before.

        Each is returned once: time passes when the log's highest event time does.
        """
        deadline = pl.col("time") + after_us
        is_marked = (pl.col("marks") & int(mark)) != 0
        passed = is_marked & (deadline <= self.until)
        old = self.old.filter(passed & (deadline > self.before))
        new = self.new.filter(passed)
        return pl.concat([old, new]) if old.height else new


class ActWindow:
    """The acts of a log's newest leaves.

    Args:
        next_index: Leaf index of the log's next record.
        leaves: How far back is kept.
    """

    def __init__(self, next_index: int, *, leaves: int = WINDOW_LEAVES) -> None:
        self.next_index = next_index
        self._leaves = leaves
        self._acts = pl.DataFrame(schema=SCHEMA)
        self._indexes: NDArray[np.uint64] = np.empty(0, np.uint64)
        self._times: NDArray[np.int64] = np.empty(0, np.int64)

    def take(
        self, acts: pl.DataFrame, indexes: NDArray[np.uint64], times: NDArray[np.int64], next_index: int
    ) -> Moment:
        """Take in the next records, and return them with what came before.

        Args:
            acts: The acts among them.
            indexes: Leaf index of each event, repeats left out.
            times: Its time, as that of an act.
            next_index: Leaf index after the last record.
        """
        first_index = self.next_index
        self._forget(first_index)
        old, before = self._acts, _highest(self._times)
        self._indexes = np.concatenate([self._indexes, indexes])
        self._times = np.concatenate([self._times, times])
        keeps = (pl.col("marks") & _KEEP_TEXTS) != 0
        kept = acts.with_columns(pl.when(keeps).then(name).alias(name) for name in TEXTS)
        self._acts = pl.concat([old, kept])
        self.next_index = next_index
        return Moment(first_index, acts, old, before, _highest(self._times))

    def _forget(self, first_index: int) -> None:
        start = first_index - self._leaves
        if start <= 0:
            return
        if self._acts.height and self._acts["index"][0] < start:
            self._acts = self._acts.filter(pl.col("index") >= start).rechunk()
        cut = int(np.searchsorted(self._indexes, start))
        if cut:
            self._indexes, self._times = self._indexes[cut:].copy(), self._times[cut:].copy()


def _highest(times: NDArray[np.int64]) -> int:
    return int(times.max()) if len(times) else 0
