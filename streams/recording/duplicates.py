"""Marking repeats: an event id that was recorded before in the same log, within the window.

The first row in log order counts; later ones stay in the log with `duplicate_of`.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from auditstream.core.ports import History, LogId, Segment
from streams.recording.decoded import Decoded
from streams.recording.repeats import WINDOW_LEAVES, RepeatIndex


class DuplicateMarker:
    """Finds repeats of event ids.

    Args:
        history: What was recorded before.
        window_leaves: How far back is looked.
    """

    def __init__(self, history: History, *, window_leaves: int = WINDOW_LEAVES) -> None:
        self._history = history
        self._index = RepeatIndex(self._firsts, history.ids_at, window_leaves=window_leaves)

    def mark(self, segment: Segment, decoded: Decoded) -> pl.Series:
        """Return `duplicate_of` for each row of `decoded.events`: a leaf index of the same log, or null.

        Raises:
            RetryableError: The store does not answer; nothing was remembered.
        """
        event_ids = decoded.events.get_column("event_id").to_list()
        marks = self._index.mark(segment, event_ids, decoded.positions)
        return pl.Series("duplicate_of", marks, dtype=pl.UInt64)

    def keep_only(self, logs: Collection[LogId]) -> None:
        """Forget what was remembered of other logs."""
        self._index.keep_only(logs)

    def _firsts(self, log: LogId, from_index: int, to_index: int) -> pl.DataFrame:
        return self._history.first_ids(log, from_index, to_index).rename({"event_id": "key"})
