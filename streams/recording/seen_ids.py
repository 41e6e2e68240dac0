"""Event ids seen lately in one log, as sorted arrays of fingerprints: 16 bytes an id, millions of them.

New ids come as a sorted run; runs of similar size are merged, so that a look-up searches a handful of them
and an id is sorted again only a handful of times (a log-structured merge in memory).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Fingerprints = NDArray[np.uint64]
Indexes = NDArray[np.int64]

# An odd 64-bit constant (2**64 over the golden ratio): mixes the two halves of an id.
_MIX = np.uint64(0x9E3779B97F4A7C15)


def fingerprints(event_ids: list[bytes]) -> Fingerprints:
    """Return a 64-bit fingerprint of each 16-byte id; equal ids have equal ones, others almost never."""
    halves = np.frombuffer(b"".join(event_ids), dtype="<u8").reshape(-1, 2)
    mixed: Fingerprints = halves[:, 0] ^ (halves[:, 1] * _MIX)
    return mixed


class SeenIds:
    """Fingerprints of a log's ids with their leaf indexes.

    Attributes:
        next_index: Every id below this index, back to the window's start, is known.
    """

    def __init__(self, next_index: int) -> None:
        self.next_index = next_index
        self._runs: list[tuple[Fingerprints, Indexes]] = []

    def candidates(self, sought: Fingerprints, from_index: int) -> list[tuple[int, int]]:
        """Return (position in `sought`, leaf index) of every known id with a fingerprint that is sought.

        Args:
            sought: Fingerprints to look up.
            from_index: Start of the window: ids below it do not count.
        """
        found: list[tuple[int, int]] = []
        for known, indexes in self._runs:
            left, right = np.searchsorted(known, sought, "left"), np.searchsorted(known, sought, "right")
            for position in np.flatnonzero(right > left):
                hits = indexes[left[position] : right[position]]
                found += [(int(position), int(index)) for index in hits if index >= from_index]
        return found

    def add(self, new: Fingerprints, indexes: Indexes, next_index: int, from_index: int) -> None:
        """Remember ids, and forget those that fell out of the window.

        Args:
            new: Their fingerprints.
            indexes: Their leaf indexes.
            next_index: Index after the last leaf that was looked at.
            from_index: Start of the window.
        """
        self.next_index = next_index
        self._runs.append(_sorted_run(new, indexes))
        while len(self._runs) > 1 and len(self._runs[-2][0]) < 2 * len(self._runs[-1][0]):
            (older, older_indexes), (newer, newer_indexes) = self._runs[-2:]
            kept = older_indexes >= from_index
            merged = (
                np.concatenate([older[kept], newer]),
                np.concatenate([older_indexes[kept], newer_indexes]),
            )
            self._runs[-2:] = [_sorted_run(*merged)]


def _sorted_run(values: Fingerprints, indexes: Indexes) -> tuple[Fingerprints, Indexes]:
    order = np.argsort(values, kind="stable")
    return values[order], indexes[order]
