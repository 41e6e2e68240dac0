"""The order of sealed entries: each at its own index, offsets rising."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np

from auditstream.evidence.findings import Finding
from auditstream.evidence.tree_files import ENTRY_ROOM
from auditstream.ledger.tiles import FULL_WIDTH

_INDEX_AT, _OFFSET_AT, _OFFSET_END = 4, 12, 20  # behind length, version and kind


class SealedOrder:
    """What sealed entries of a log say of their own place, block by block: index and offset.

    Of what was judged it keeps the last offset alone, so that a block is held against the one before.

    Args:
        origin: The log's, as findings name it.
    """

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._end = -1  # index behind the last entry
        self._last_offset = 0

    def is_at(self, index: int) -> bool:
        """Return whether an index is the log's first, or the one behind what was judged last."""
        return index in (0, self._end)

    def take_up(self, index: int, bundle: bytes | None) -> None:
        """Hold what is judged next against the bundle before it, which was judged by somebody else.

        Args:
            index: Index of the leaf behind the bundle.
            bundle: The bundle, full; None when there is no such.
        """
        if bundle is not None and len(bundle) == FULL_WIDTH * ENTRY_ROOM:
            last = bundle[-ENTRY_ROOM:]
            self._end, self._last_offset = index, int.from_bytes(last[_OFFSET_AT:_OFFSET_END])

    def judged(self, index: int, bundles: Iterable[bytes | None]) -> Iterator[Finding]:
        """Yield the entries that do not have their own index, or an offset above that of the one before.

        Blocks are given in the order of the log; an entry that is not known is held against none.

        Args:
            index: Index of the leaf that the first entry is of.
            bundles: Bundles that follow each other. All but the log's last are full; None for one that has no
                such entries.
        """
        for is_known, group in groupby(bundles, lambda bundle: bundle is not None):
            run = list(group)
            if is_known:
                yield from self._judged(index, [bundle or b"" for bundle in run])
            index += len(run) * FULL_WIDTH

    def _judged(self, index: int, run: Sequence[bytes]) -> Iterator[Finding]:
        entries = np.frombuffer(b"".join(run), np.uint8).reshape(-1, ENTRY_ROOM)
        numbers = np.ascontiguousarray(entries[:, _INDEX_AT:_OFFSET_END]).view(">u8").astype(np.uint64)
        indexes, offsets = numbers[:, 0], numbers[:, 1]
        own = np.arange(index, index + len(numbers), dtype=np.uint64)
        for at in np.flatnonzero(indexes != own):
            place = index + int(at)
            yield Finding(self._origin, "sealed_index", str(place), str(int(indexes[at])), place)
        if index == self._end:
            offsets = np.concatenate((np.array([self._last_offset], np.uint64), offsets))
        first = index + len(numbers) - len(offsets)
        self._end, self._last_offset = index + len(numbers), int(offsets[-1])
        for at in np.flatnonzero(offsets[1:] <= offsets[:-1]) + 1:
            expected = f"an offset above {int(offsets[at - 1])}"
            yield Finding(self._origin, "sealed_offset", expected, str(int(offsets[at])), first + int(at))
