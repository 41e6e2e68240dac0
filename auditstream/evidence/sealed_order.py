"""The order of sealed entries: each at its own index, offsets rising."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from auditstream.evidence.findings import Finding
from auditstream.evidence.tree_files import ENTRY_ROOM


class SealedOrder:
    """What sealed entries of neighbouring tiles say of their own place: index and offset.

    Args:
        first_index: Index of the first leaf.
        count: Number of leaves.
    """

    def __init__(self, first_index: int, count: int) -> None:
        self._first_index = first_index
        self._numbers = np.zeros((count, 16), np.uint8)
        self._is_known = np.zeros(count, np.bool_)

    def add(self, index: int, bundle: bytes) -> None:
        """Take the entries of a bundle, the first of which is a leaf's."""
        entries = np.frombuffer(bundle, np.uint8).reshape(-1, ENTRY_ROOM)
        place = slice(index - self._first_index, index - self._first_index + len(entries))
        self._numbers[place] = entries[:, 4:20]  # behind length, version and kind
        self._is_known[place] = True

    def findings(self, origin: str) -> Iterator[Finding]:
        """Yield the entries that do not have their own index, or an offset above that of the one before."""
        numbers = self._numbers.view(">u8").astype(np.uint64)
        own = np.arange(self._first_index, self._first_index + len(numbers), dtype=np.uint64)
        indexes, offsets = numbers[:, 0], numbers[:, 1]
        for at in np.flatnonzero((indexes != own) & self._is_known):
            index = int(own[at])
            yield Finding(origin, "sealed_index", str(index), str(int(indexes[at])), index)
        falls = (offsets[1:] <= offsets[:-1]) & self._is_known[1:] & self._is_known[:-1]
        for at in np.flatnonzero(falls) + 1:
            expected = f"an offset above {int(offsets[at - 1])}"
            yield Finding(origin, "sealed_offset", expected, str(int(offsets[at])), int(own[at]))
