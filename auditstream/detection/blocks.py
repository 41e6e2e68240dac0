"""Pieces of a detector's state: each knows its arrays, and a detector is made of several."""

from __future__ import annotations

from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.detector import Keys
from auditstream.detection.rows import Arrays, prefixed, resized, rows_kept, take_over, within


class Block(Protocol):
    """Arrays whose first axis is keys, new keys beginning without history."""

    def reserve(self, keys: int) -> None:
        """Make room for keys below a number."""
        ...

    def forget(self, keys: Keys) -> None:
        """Take keys back to where new ones begin."""
        ...

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays by name."""
        ...

    def restore(self, state: Arrays) -> None:
        """Take over what `state` returned; arrays of another form are left out."""
        ...


class ArrayBlock:
    """A block of arrays that begin as zeros.

    Attributes:
        ARRAYS: Names of the attributes that hold them.
    """

    ARRAYS: ClassVar[tuple[str, ...]]

    def reserve(self, keys: int) -> None:
        """Make room for keys below a number."""
        for name in self.ARRAYS:
            setattr(self, name, resized(getattr(self, name), keys))

    def forget(self, keys: Keys) -> None:
        """Take keys back to where new ones begin."""
        for name in self.ARRAYS:
            getattr(self, name)[keys] = 0

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays by name."""
        return {name.strip("_"): getattr(self, name) for name in self.ARRAYS}

    def restore(self, state: Arrays) -> None:
        """Take over what `state` returned; if one is of another form, all are left out."""
        self.reserve(rows_kept(state, self.ARRAYS[0].strip("_")))
        take_over(self.state(), state)


class Blocks:
    """Several blocks that stand and fall by the same keys."""

    def __init__(self, **parts: Block) -> None:
        """Begin with blocks by name: their arrays are kept as `name.array`."""
        self._parts = parts

    def reserve(self, keys: int) -> None:
        """Make room for keys below a number."""
        for part in self._parts.values():
            part.reserve(keys)

    def forget(self, keys: Keys) -> None:
        """Take keys back to where new ones begin."""
        for part in self._parts.values():
            part.forget(keys)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays of all blocks by name."""
        kept: dict[str, NDArray[np.generic]] = {}
        for name, part in self._parts.items():
            kept.update(prefixed(f"{name}.", part.state()))
        return kept

    def restore(self, state: Arrays) -> None:
        """Take over what `state` returned, block by block, and keep the room that there was."""
        for name, part in self._parts.items():
            part.restore(within(f"{name}.", state))
