"""Minutes gathered into buckets: sums by key, closed once the last minute of one is in, or a later one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auditstream.core.errors import InvariantError
from auditstream.detection.blocks import ArrayBlock
from auditstream.detection.detector import Bucket, Keys


class Gathered(NamedTuple):
    """A closed bucket.

    Attributes:
        slot: Its number: its start in minutes, divided by its length.
        keys: Keys that did anything in it, ascending.
        sums: A row each, a column a number.
    """

    slot: int
    keys: Keys
    sums: NDArray[np.float64]


class Gathering(ArrayBlock):
    """The open bucket of each key."""

    ARRAYS = ("_slot", "_sums")

    def __init__(self, minutes: int, numbers: int) -> None:
        """Begin without keys.

        Args:
            minutes: Length of a bucket.
            numbers: How many numbers a key has.
        """
        self._minutes = minutes
        self._slot: NDArray[np.int32] = np.zeros(0, np.int32)  # 0: none is open
        self._sums: NDArray[np.float64] = np.zeros((0, numbers))

    def put(self, bucket: Bucket, names: Sequence[str]) -> list[Gathered]:
        """Take a bucket in and return those that it closes, in order of time: none, one or two.

        Args:
            bucket: Later than all before, and within one bucket of this length.
            names: Which values of it are gathered, as many as there are numbers.

        Raises:
            InvariantError: It is longer, or lies across a border.
        """
        slot, offset = divmod(bucket.start, self._minutes)
        if offset + bucket.minutes > self._minutes:
            raise InvariantError(
                f"a bucket of {bucket.minutes} minutes from minute {offset} is not within {self._minutes}",
                hint="Give it buckets that divide the length that it gathers.",
            )
        closed = [self._close(each) for each in self._open_before(slot)]
        keys = bucket.keys
        self._slot[keys] = slot
        self._sums[keys] += np.column_stack([bucket.values[name] for name in names])
        if offset + bucket.minutes == self._minutes:
            closed.append(self._close(slot))
        return closed

    def _open_before(self, slot: int) -> list[int]:
        found = np.unique(self._slot)
        return [int(each) for each in found if 0 < each < slot]

    def _close(self, slot: int) -> Gathered:
        keys = np.flatnonzero(self._slot == slot).astype(np.int32)
        sums = self._sums[keys].copy()
        self.forget(keys)
        return Gathered(slot, keys, sums)
