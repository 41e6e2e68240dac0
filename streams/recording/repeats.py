"""Repeats of keys in a log: which key was recorded before, within a window of leaves.

The first row of a key in log order counts. What a row is marked with depends on the store's rows below the
segment and on the segment alone, so that a replay marks the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence

import numpy as np
import polars as pl

from auditstream.core.ports import LogId, Segment
from streams.recording.seen_ids import Fingerprints, SeenIds, fingerprints

WINDOW_LEAVES = 4_000_000
"""How many of a log's newest leaves are looked at: 64 MB a log. Older repeats are settled by adjustments."""

Firsts = Callable[[LogId, int, int], pl.DataFrame]
"""Returns the first rows of keys with leaf indexes in a range: columns `key` (16 bytes), `leaf_index`."""

KeysAt = Callable[[LogId, Sequence[int]], dict[int, bytes]]
"""Returns the key at each of the leaf indexes that has one."""


class RepeatIndex:
    """Finds repeats; keeps an index of recent keys a log, read from the store when it is not contiguous.

    Args:
        firsts: What was recorded, for the index.
        keys_at: What was recorded, to confirm a hit exactly.
        window_leaves: How far back is looked.
    """

    def __init__(self, firsts: Firsts, keys_at: KeysAt, *, window_leaves: int = WINDOW_LEAVES) -> None:
        self._firsts = firsts
        self._keys_at = keys_at
        self._window = window_leaves
        self._seen: dict[LogId, SeenIds] = {}
        self._lock = threading.Lock()

    def mark(
        self,
        segment: Segment,
        keys: list[bytes],
        positions: Sequence[int],
        counts: Sequence[bool] | None = None,
    ) -> list[int | None]:
        """Return for each key the leaf index of its first row in the log, or None for a first row.

        Args:
            segment: The segment.
            keys: 16 bytes each.
            positions: Position in the segment of the row of each key, ascending.
            counts: Whether the row may be the first of its key; all of them when None.

        Raises:
            RetryableError: The store does not answer; nothing was remembered.
        """
        first_index = segment.plan.first_index
        window_start = max(0, first_index - self._window)
        indexes = np.array(positions, dtype=np.int64) + first_index
        may_be_first = [True] * len(keys) if counts is None else list(counts)
        marks: list[int | None] = [None] * len(keys)
        seen = self._index_of(segment.log, first_index, window_start)
        prints = fingerprints(keys)
        self._mark_known(segment.log, seen.candidates(prints, window_start), keys, marks)
        _mark_within(keys, indexes.tolist(), marks, may_be_first)
        first = np.array(
            [mark is None and may for mark, may in zip(marks, may_be_first, strict=True)], dtype=bool
        )
        seen.add(prints[first], indexes[first], first_index + len(segment), window_start)
        return marks

    def keep_only(self, logs: Collection[LogId]) -> None:
        """Forget the indexes of other logs."""
        with self._lock:
            self._seen = {log: seen for log, seen in self._seen.items() if log in logs}

    def _index_of(self, log: LogId, first_index: int, window_start: int) -> SeenIds:
        """Return the index of everything below `first_index`, from the store when ours is another."""
        with self._lock:
            seen = self._seen.get(log)
        if seen is None or seen.next_index != first_index:
            seen = SeenIds(first_index)
            rows = self._firsts(log, window_start, first_index) if first_index else None
            if rows is not None and rows.height:
                rows = rows.sort("leaf_index")  # so that each run holds keys that leave the window together
                known: Fingerprints = fingerprints(rows.get_column("key").to_list())
                indexes = rows.get_column("leaf_index").to_numpy().astype(np.int64)
                seen.add(known, indexes, first_index, window_start)
            with self._lock:
                self._seen[log] = seen
        return seen

    def _mark_known(
        self, log: LogId, candidates: list[tuple[int, int]], keys: list[bytes], marks: list[int | None]
    ) -> None:
        """Mark what equals an earlier key exactly; a fingerprint alone proves nothing."""
        if not candidates:
            return
        exact = self._keys_at(log, sorted({index for _, index in candidates}))
        for position, index in sorted(candidates, key=lambda each: each[1]):
            if marks[position] is None and exact.get(index) == keys[position]:
                marks[position] = index


def _mark_within(
    keys: list[bytes], indexes: list[int], marks: list[int | None], may_be_first: list[bool]
) -> None:
    """Mark repeats inside the segment: of its first row, or of what that one repeats."""
    if len(set(keys)) == len(keys):
        return
    first: dict[bytes, int] = {}
    for row, key in enumerate(keys):
        mark = marks[row]
        if key in first:
            marks[row] = first[key]
        elif mark is not None:
            first[key] = mark
        elif may_be_first[row]:
            first[key] = indexes[row]
