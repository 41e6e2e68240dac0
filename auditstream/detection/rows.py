"""Arrays whose first axis is keys: grown on demand, kept and taken over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)

Arrays = Mapping[str, NDArray[np.generic]]
"""Arrays by name, as a snapshot keeps them; the first axis is keys."""

_LEAST = 64
"""Rows made at least: growing one at a time would copy everything for each new key."""


def resized(array: NDArray[Scalar], rows: int) -> NDArray[Scalar]:
    """Return the array with at least so many rows, new ones zero; twice as many as before when it grows."""
    if rows <= len(array):
        return array
    grown = np.zeros((max(_LEAST, rows, 2 * len(array)), *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown


def take_over(own: Arrays, kept: Arrays) -> bool:
    """Copy kept arrays over own ones of the same names; nothing if one is missing or of another form.

    The form is an array's type and all axes but the first. Own arrays must have room for the kept rows; rows
    beyond those become zero.

    Returns:
        Whether they were taken over.
    """
    others = {name: kept.get(name) for name in own}
    for name, array in own.items():
        other = others[name]
        if other is None or other.dtype != array.dtype or other.shape[1:] != array.shape[1:]:
            return False
    for name, array in own.items():
        other = others[name]
        assert other is not None
        array[: len(other)] = other
        array[len(other) :] = 0
    return True


def rows_kept(kept: Arrays, name: str) -> int:
    """Return how many rows a kept array has; 0 if it is missing."""
    return len(kept[name]) if name in kept else 0


def within(prefix: str, kept: Arrays) -> dict[str, NDArray[np.generic]]:
    """Return the arrays whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): each for name, each in kept.items() if name.startswith(prefix)}


def prefixed(prefix: str, state: Arrays) -> dict[str, NDArray[np.generic]]:
    """Return arrays with a prefix before their names, for the state of a part among that of others."""
    return {prefix + name: array for name, array in state.items()}
