"""Whose history stands in for a young key's: the same model in the tenant, or the tenant as a whole.

Never another tenant's: what one of them does shall not move the alerts of the others.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.blocks import ArrayBlock
from auditstream.detection.detector import Column, Detector, Keys


class WithParents(Detector, Protocol):
    """A detector in which young keys stand on others; it works without being told of any."""

    def adopt(self, keys: Keys, parents: Keys) -> None:
        """Name the key whose history stands in for that of each key while it is young."""
        ...


class Parents(ArrayBlock):
    """The parent of each key, if it has one."""

    ARRAYS = ("_parent",)

    def __init__(self) -> None:
        self._parent: NDArray[np.int32] = np.zeros(0, np.int32)  # key + 1; 0: none

    def adopt(self, keys: Keys, parents: Keys) -> None:
        """Name the parents of keys."""
        self._parent[keys] = parents + 1

    def lent(self, keys: Keys, values: Column, usable: NDArray[np.bool_], default: float) -> Column:
        """Return what the parents of keys have, or the default where there is no usable one.

        Args:
            keys: The young ones.
            values: A number a key, of all keys.
            usable: Whether it can be relied on, of all keys.
            default: What stands for an unknown parent.
        """
        parent = np.maximum(self._parent[keys] - 1, 0)
        is_there = (self._parent[keys] > 0) & usable[parent]
        return np.where(is_there, values[parent], default)

    def forget(self, keys: Keys) -> None:
        """Take the parents of keys away, and keys away as parents."""
        self._parent[keys] = 0
        self._parent[np.isin(self._parent, keys + 1)] = 0
