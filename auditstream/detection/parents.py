"""Whose history stands in for a young key's: the same model in the tenant, or the tenant as a whole.

Never another tenant's: what one of them does shall not move the alerts of the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from auditstream.detection.blocks import ArrayBlock
from auditstream.detection.detector import Column, Detector, Keys

Lookup = Callable[[Keys], tuple[Column, NDArray[np.bool_]]]


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

    def lent(self, keys: Keys, lookup: Lookup, default: float) -> Column:
        """Return what the parents of keys have, or the default where there is no usable one.

        Args:
            keys: The young ones.
            lookup: Returns of keys a number each, and whether it can be relied on.
            default: What stands for an unknown parent.
        """
        lent = np.full(len(keys), default)
        has = np.flatnonzero(self._parent[keys])
        values, is_usable = lookup(self._parent[keys[has]] - 1)
        lent[has[is_usable]] = values[is_usable]
        return lent

    def forget(self, keys: Keys) -> None:
        """Take the parents of keys away, and keys away as parents."""
        self._parent[keys] = 0
        self._parent[np.isin(self._parent, keys + 1)] = 0
