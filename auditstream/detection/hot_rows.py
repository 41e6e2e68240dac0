"""Which keys have a row in arrays that are too wide to give one to every key."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.ages import Ages
from auditstream.detection.blocks import Block
from auditstream.detection.detector import Keys
from auditstream.detection.rows import Arrays, prefixed, resized, within

IDLE_MINUTES = 7 * 1_440
"""Minutes without an event after which a row is taken back: whoever works on weekdays only keeps it."""


class HotRows:
    """Rows of a block by key: given, taken back, given to others.

    What is kept of it are the keys that have a row, and the block's arrays in their order.
    """

    def __init__(self, block: Block) -> None:
        """Begin without keys; the block must have none either."""
        self._block = block
        self._row: NDArray[np.int32] = np.zeros(0, np.int32)  # row + 1 by key; 0: none
        self._free: list[int] = []
        self._rows = 0
        self._hour = 0  # not kept: to look again within the hour finds nothing

    def reserve(self, keys: int) -> None:
        """Make room for keys below a number; none of the new ones has a row."""
        self._row = resized(self._row, keys)

    def has(self, keys: Keys) -> NDArray[np.bool_]:
        """Return whether keys have a row."""
        return self._row[keys] > 0

    @property
    def keys(self) -> Keys:
        """Keys that have one, ascending."""
        return np.flatnonzero(self._row).astype(np.int32)

    def rows(self, keys: Keys) -> Keys:
        """Return the rows of keys that have one."""
        rows: Keys = self._row[keys] - 1
        return rows

    def give(self, keys: Keys) -> None:
        """Give an empty row each to keys that have none."""
        again = [self._free.pop() for _ in range(min(len(keys), len(self._free)))]
        new = len(keys) - len(again)
        self._row[keys] = np.array([*again, *range(self._rows, self._rows + new)], np.int32) + 1
        self._rows += new
        self._block.reserve(self._rows)

    def forget(self, keys: Keys) -> None:
        """Take rows back from those of the keys that have one."""
        rows = self.rows(keys[self.has(keys)])
        self._block.forget(rows)
        self._row[keys] = 0
        self._free.extend(rows.tolist())

    def cool_down(self, ages: Ages, minute: int) -> Keys:
        """Once an hour, take rows back from keys that were idle for long when it began, and return those."""
        hour = minute // 60
        if hour == self._hour:
            return np.zeros(0, np.int32)
        self._hour = hour
        hot = self.keys
        idle = hot[hour * 60 - ages.last[hot] >= IDLE_MINUTES]
        self.forget(idle)
        ages.rejuvenate(idle)
        return idle

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return the keys that have a row, and the block's arrays in their order."""
        keys = self.keys
        rows = self.rows(keys)
        return {"keys": keys, **prefixed("row.", {n: each[rows] for n, each in self._block.state().items()})}

    def restore(self, state: Arrays) -> None:
        """Take over what `state` returned; arrays of another form are left out, and their rows are empty."""
        self.forget(self.keys)
        self._free, self._rows = [], 0
        keys = state["keys"].astype(np.int32) if "keys" in state else np.zeros(0, np.int32)
        self.reserve(int(keys.max(initial=-1)) + 1)
        self.give(keys)
        self._block.restore(within("row.", state))
