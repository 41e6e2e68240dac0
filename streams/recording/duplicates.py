"""Marking repeats: an event id that was recorded before in the same log, within the window.

The first row in log order counts; later ones stay in the log with `duplicate_of`. What a row is marked with
depends on the store's rows below the segment and on the segment alone, so that a replay marks the same.
"""

from __future__ import annotations

import threading

import numpy as np
import polars as pl

from auditstream.core.ports import History, LogId, Segment
from streams.recording.decoded import Decoded
from streams.recording.seen_ids import Fingerprints, SeenIds, fingerprints

WINDOW_LEAVES = 4_000_000
"""How many of a log's newest leaves are looked at: 64 MB a log. Older repeats are settled by adjustments."""


class DuplicateMarker:
    """Finds repeats; keeps an index of recent ids a log, read from the store when it is not contiguous."""

    def __init__(self, history: History, *, window_leaves: int = WINDOW_LEAVES) -> None:
        self._history = history
        self._window = window_leaves
        self._seen: dict[LogId, SeenIds] = {}
        self._lock = threading.Lock()

    def mark(self, segment: Segment, decoded: Decoded) -> pl.Series:
        """Return `duplicate_of` for each row of `decoded.events`: a leaf index of the same log, or null.

        Raises:
            RetryableError: The store does not answer; nothing was remembered.
        """
        first_index = segment.plan.first_index
        window_start = max(0, first_index - self._window)
        event_ids = decoded.events.get_column("event_id").to_list()
        indexes = np.array(decoded.positions, dtype=np.int64) + first_index
        marks: list[int | None] = [None] * len(event_ids)
        seen = self._index_of(segment.log, first_index, window_start)
        prints = fingerprints(event_ids)
        self._mark_known(segment.log, seen.candidates(prints, window_start), event_ids, marks)
        _mark_within(event_ids, indexes.tolist(), marks)
        self._remember(seen, prints, indexes, marks, (first_index + len(segment), window_start))
        return pl.Series("duplicate_of", marks, dtype=pl.UInt64)

    def _index_of(self, log: LogId, first_index: int, window_start: int) -> SeenIds:
        """Return the index of everything below `first_index`, from the store when ours is another."""
        with self._lock:
            seen = self._seen.get(log)
        if seen is None or seen.next_index != first_index:
            seen = SeenIds(first_index)
            rows = self._history.first_ids(log, window_start, first_index) if first_index else None
            if rows is not None and rows.height:
                rows = rows.sort("leaf_index")  # so that each run holds ids that leave the window together
                known = fingerprints(rows.get_column("event_id").to_list())
                indexes = rows.get_column("leaf_index").to_numpy().astype(np.int64)
                seen.add(known, indexes, first_index, window_start)
            with self._lock:
                self._seen[log] = seen
        return seen

    def _mark_known(
        self, log: LogId, candidates: list[tuple[int, int]], event_ids: list[bytes], marks: list[int | None]
    ) -> None:
        """Mark what equals an earlier id exactly; a fingerprint alone proves nothing."""
        if not candidates:
            return
        exact = self._history.ids_at(log, sorted({index for _, index in candidates}))
        for position, index in sorted(candidates, key=lambda each: each[1]):
            if marks[position] is None and exact.get(index) == event_ids[position]:
                marks[position] = index

    def _remember(
        self,
        seen: SeenIds,
        prints: Fingerprints,
        indexes: np.ndarray,
        marks: list[int | None],
        bounds: tuple[int, int],
    ) -> None:
        next_index, window_start = bounds
        first = np.array([mark is None for mark in marks], dtype=bool)
        seen.add(prints[first], indexes[first], next_index, window_start)


def _mark_within(event_ids: list[bytes], indexes: list[int], marks: list[int | None]) -> None:
    """Mark repeats inside the segment: of its first row, or of what that one repeats."""
    if len(set(event_ids)) == len(event_ids):
        return
    first: dict[bytes, int] = {}
    for row, event_id in enumerate(event_ids):
        if event_id in first:
            marks[row] = first[event_id]
        else:
            first[event_id] = indexes[row] if marks[row] is None else marks[row]  # type: ignore[assignment]
