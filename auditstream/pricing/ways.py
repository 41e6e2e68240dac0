"""Ways to charge: cards that differ only in meters which no call counts are charged in one go.

A block has many shapes of cards and its calls count few meters; what a way costs to follow, it costs for each
part of the block that follows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auditstream.pricing.cards import Shape
from auditstream.pricing.usage import Split, bearing, split_of


@dataclass(frozen=True, slots=True)
class Way:
    """How calls are charged by cards of some shapes.

    Attributes:
        split: How their counts are shared out over the meters that bear on it.
        least: Least quantity of each of these meters.
    """

    split: Split
    least: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways of some shapes.

    Attributes:
        of_shape: Number of the way by the number of the shape.
        ways: The ways by their numbers.
        places: By the number of the shape, the place in it of each meter that bears on its way; 0 behind the
            last one.
    """

    of_shape: NDArray[np.uint16]
    ways: tuple[Way, ...]
    places: NDArray[np.int64]

    @property
    def width(self) -> int:
        """The most meters that bear on a way."""
        return int(self.places.shape[1])

    def ordered(self, shapes: NDArray[Any]) -> tuple[NDArray[np.intp] | None, list[tuple[Way, int, int]]]:
        """Return an order of calls in which those of a way follow each other, and where each way has them.

        Args:
            shapes: Number of the shape of each call's card.

        Returns:
            The places of the calls in their order, None where it is the given one; ways with begin and end.
        """
        if not len(shapes):
            return None, []
        of_calls = self.of_shape.take(shapes)
        sizes = np.bincount(of_calls, minlength=len(self.ways))
        ends = sizes.cumsum()
        parts = [
            (self.ways[number], int(ends[number] - sizes[number]), int(ends[number]))
            for number in np.flatnonzero(sizes)
        ]
        return (None if len(parts) == 1 else of_calls.argsort(kind="stable")), parts


@lru_cache(maxsize=256)
def ways_of(shapes: tuple[Shape, ...], counted: tuple[str, ...]) -> Ways:
    """Return the ways in which calls that count these meters are charged by cards of these shapes.

    Args:
        shapes: Shapes of cards.
        counted: Keys of the meters that have a column.
    """
    numbers: dict[Shape, int] = {}
    of_shape: list[int] = []
    bears: list[tuple[int, ...]] = []
    for shape in shapes:
        bear = bearing(tuple(key for key, _ in shape), counted)
        of_shape.append(numbers.setdefault(tuple(shape[place] for place in bear), len(numbers)))
        bears.append(bear)
    ways = [
        Way(split_of(tuple(key for key, _ in reduced), counted), tuple(least for _, least in reduced))
        for reduced in numbers
    ]
    places = np.zeros((len(shapes), max(map(len, bears), default=0)), np.int64)
    for number, bear in enumerate(bears):
        places[number, : len(bear)] = bear
    return Ways(np.array(of_shape, np.uint16), tuple(ways), places)
