"""The records of one partition that wait to become a segment, in offset order and without a hole."""

from __future__ import annotations

import collections
import math
from collections.abc import Sequence
from dataclasses import dataclass

from auditstream.core.errors import OffsetGapError
from auditstream.core.ports import Headers, Slab


@dataclass(frozen=True, slots=True)
class Batch:
    """A run of records that covers offsets `[lo, hi]`."""

    lo: int
    hi: int
    offsets: Sequence[int]
    values: list[bytes | None]
    timestamps_ms: list[int]
    headers: list[Headers] | None

    def __len__(self) -> int:
        return len(self.values)


class Gathering:
    """Slabs of one partition on their way into segments.

    Attributes:
        next_offset: The offset that must come next; everything below it is here or was taken.
        rows: Records held.
        size_bytes: Value bytes held, to within one slab.
    """

    def __init__(self, next_offset: int) -> None:
        self._slabs: collections.deque[Slab] = collections.deque()
        self._arrived_s: collections.deque[float] = collections.deque()
        self._taken_to = next_offset
        self.next_offset = next_offset
        self.rows = 0
        self.size_bytes = 0

    @property
    def oldest_s(self) -> float | None:
        """When the oldest offset that is held arrived, be it one without a record; None when none is held.

        Negative infinity for offsets without a record that a cut left behind: they need not wait.
        """
        if self._arrived_s:
            return self._arrived_s[0]
        return -math.inf if self.next_offset > self._taken_to else None

    @property
    def oldest_ms(self) -> int | None:
        """Broker timestamp of the oldest record that is held, in milliseconds; None without any."""
        return next((slab.timestamps_ms[0] for slab in self._slabs if slab.timestamps_ms), None)

    def add(self, slab: Slab, now_s: float) -> None:
        """Hold the part of the slab that is not here yet.

        Args:
            slab: What a fetch brought.
            now_s: The time, by any steady clock.

        Raises:
            OffsetGapError: Offsets between what is here and the slab are missing.
        """
        if slab.first_offset > self.next_offset:
            raise OffsetGapError(
                f"{slab.topic}/{slab.partition}: expected offset {self.next_offset}, got {slab.first_offset}",
                hint="The topic's retention removed records before they were read, or the log was truncated.",
            )
        if slab.next_offset <= self.next_offset:
            return
        fresh = _from_offset(slab, self.next_offset)
        self._slabs.append(fresh)
        self._arrived_s.append(now_s)
        self.rows += len(fresh.values)
        self.size_bytes += fresh.size_bytes
        self.next_offset = fresh.next_offset

    def take(self, max_rows: int, max_bytes: int) -> Batch:
        """Take the oldest records: at most `max_rows`, and no further slab once `max_bytes` is reached."""
        slabs: list[Slab] = []
        rows = size_bytes = 0
        while self._slabs and rows < max_rows and (size_bytes < max_bytes or not slabs):
            slab = self._pop(max_rows - rows)
            slabs.append(slab)
            rows += len(slab.values)
            size_bytes += slab.size_bytes
        # With nothing left, what is covered without a record (a transaction's marker) goes with the batch.
        return self._joined(slabs, slabs[-1].next_offset if self._slabs else self.next_offset)

    def take_through(self, hi: int) -> Batch:
        """Take every record up to and including offset `hi`, which must be covered already."""
        slabs: list[Slab] = []
        while self._slabs and self._slabs[0].first_offset <= hi:
            slab = self._slabs[0]
            slabs.append(
                self._pop(_count_through(slab, hi)) if slab.next_offset > hi + 1 else self._pop(None)
            )
        return self._joined(slabs, hi + 1)

    def skip_to(self, offset: int) -> None:
        """Let go of everything below `offset`, which is recorded already; it need not be here yet."""
        if offset <= self._taken_to:
            return
        self.take_through(min(offset, self.next_offset) - 1)
        self._taken_to = offset
        self.next_offset = max(offset, self.next_offset)

    def _pop(self, max_rows: int | None) -> Slab:
        """Remove the oldest slab, or its first `max_rows` records where it has more."""
        slab = self._slabs.popleft()
        if max_rows is not None and len(slab.values) > max_rows:
            cut = slab.offsets[max_rows]
            self._slabs.appendleft(_from_offset(slab, cut))
            slab = _below_offset(slab, max_rows, cut)
        else:
            self._arrived_s.popleft()
        self.rows -= len(slab.values)
        self.size_bytes -= slab.size_bytes
        return slab

    def _joined(self, slabs: list[Slab], to_offset: int) -> Batch:
        lo, self._taken_to = self._taken_to, to_offset
        any_headers = any(slab.headers is not None for slab in slabs)
        return Batch(
            lo=lo,
            hi=to_offset - 1,
            offsets=_joined_offsets(slabs),
            values=[value for slab in slabs for value in slab.values],
            timestamps_ms=[ts for slab in slabs for ts in slab.timestamps_ms],
            headers=[headers for slab in slabs for headers in (slab.headers or [()] * len(slab.values))]
            if any_headers
            else None,
        )


def _count_through(slab: Slab, hi: int) -> int:
    return sum(1 for offset in slab.offsets if offset <= hi)


def _joined_offsets(slabs: list[Slab]) -> Sequence[int]:
    filled = [slab.offsets for slab in slabs if len(slab.offsets)]
    if not filled:
        return range(0)
    first, last, count = filled[0][0], filled[-1][-1], sum(len(offsets) for offsets in filled)
    if last - first + 1 == count:
        return range(first, last + 1)
    return [offset for offsets in filled for offset in offsets]


def _from_offset(slab: Slab, offset: int) -> Slab:
    """Return the part of the slab at or above `offset`."""
    if offset <= slab.first_offset:
        return slab
    skip = sum(1 for each in slab.offsets if each < offset)
    return Slab(
        topic=slab.topic,
        partition=slab.partition,
        first_offset=offset,
        next_offset=slab.next_offset,
        offsets=slab.offsets[skip:],
        values=slab.values[skip:],
        timestamps_ms=slab.timestamps_ms[skip:],
        headers=None if slab.headers is None else slab.headers[skip:],
        size_bytes=sum(len(value) for value in slab.values[skip:] if value is not None),
    )


def _below_offset(slab: Slab, rows: int, offset: int) -> Slab:
    """Return the first `rows` records of the slab, which then covers everything below `offset`."""
    values = slab.values[:rows]
    return Slab(
        topic=slab.topic,
        partition=slab.partition,
        first_offset=slab.first_offset,
        next_offset=offset,
        offsets=slab.offsets[:rows],
        values=values,
        timestamps_ms=slab.timestamps_ms[:rows],
        headers=None if slab.headers is None else slab.headers[:rows],
        size_bytes=sum(len(value) for value in values if value is not None),
    )
