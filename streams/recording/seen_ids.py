"""Event ids seen lately in one log, as sorted arrays of fingerprints: 16 bytes an id, millions of them.

New ids come as a sorted run; runs of similar size are merged until they are large (a log-structured merge in
memory), so that a look-up searches a handful of them and an id is sorted again only a handful of times. A
large run is merged no more, and forgotten as a whole: memory is bounded by the window and one large run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Fingerprints = NDArray[np.uint64]
Indexes = NDArray[np.int64]

# An odd 64-bit constant (2**64 over the golden ratio): mixes the two halves of an id.
_MIX = np.uint64(0x9E3779B97F4A7C15)
LARGE_RUN = 1 << 20
"""Most ids of a run: 16 MB, a quarter of the usual window, which is searched in four or five of these."""


def fingerprints(event_ids: list[bytes]) -> Fingerprints:
    """Return a 64-bit fingerprint of each 16-byte id; equal ids have equal ones, others almost never."""
    halves = np.frombuffer(b"".join(event_ids), dtype="<u8").reshape(-1, 2)
    mixed: Fingerprints = halves[:, 0] ^ (halves[:, 1] * _MIX)
    return mixed


@dataclass(frozen=True, slots=True)
class _Run:
    """Ids in the order of their fingerprints."""

    prints: Fingerprints
    indexes: Indexes
    last_index: int

    @classmethod
    def of(cls, prints: Fingerprints, indexes: Indexes, last_index: int) -> _Run:
        order = np.argsort(prints, kind="stable")
        return cls(prints[order], indexes[order], last_index)

    def with_newer(self, newer: _Run) -> _Run:
        prints = np.concatenate([self.prints, newer.prints])
        return _Run.of(prints, np.concatenate([self.indexes, newer.indexes]), newer.last_index)

    def __len__(self) -> int:
        return len(self.prints)


class SeenIds:
    """Fingerprints of a log's ids with their leaf indexes.

    Attributes:
        next_index: Every id below this index, back to the window's start, is known.

    Args:
        next_index: Index of the log's next leaf.
        large_run: How many ids a run may have.
    """

    def __init__(self, next_index: int, *, large_run: int = LARGE_RUN) -> None:
        self.next_index = next_index
        self._large_run = large_run
        self._runs: list[_Run] = []

    def __len__(self) -> int:
        """Return how many ids are kept; some may have left the window and not be forgotten yet."""
        return sum(map(len, self._runs))

    def candidates(self, sought: Fingerprints, from_index: int) -> list[tuple[int, int]]:
        """Return (position in `sought`, leaf index) of every known id with a fingerprint that is sought.

        Args:
            sought: Fingerprints to look up.
            from_index: Start of the window: ids below it do not count.
        """
        # In order, a search goes on near where the last one ended, in the cache: six times as fast.
        order = np.argsort(sought)
        ordered = sought[order]
        found: list[tuple[int, int]] = []
        for run in self._runs:
            left = np.searchsorted(run.prints, ordered, "left")
            hits = np.flatnonzero(run.prints[np.minimum(left, len(run) - 1)] == ordered)
            for hit in hits:
                right = np.searchsorted(run.prints, ordered[hit], "right")
                known = run.indexes[left[hit] : right]
                found += [(int(order[hit]), int(index)) for index in known if index >= from_index]
        return found

    def add(self, new: Fingerprints, indexes: Indexes, next_index: int, from_index: int) -> None:
        """Remember ids, and forget runs that fell out of the window.

        Args:
            new: Their fingerprints.
            indexes: Their leaf indexes, all below `next_index` and from the last one on.
            next_index: Index after the last leaf that was looked at.
            from_index: Start of the window.
        """
        self.next_index = next_index
        for start in range(0, len(new), self._large_run):
            part = slice(start, start + self._large_run)
            self._add(_Run.of(new[part], indexes[part], int(indexes[part].max())))
        while self._runs and self._runs[0].last_index < from_index:
            del self._runs[0]

    def _add(self, new: _Run) -> None:
        self._runs.append(new)
        while len(self._runs) > 1:
            older, newer = self._runs[-2:]
            if len(older) >= 2 * len(newer) or len(older) + len(newer) > self._large_run:
                return
            self._runs[-2:] = [older.with_newer(newer)]
