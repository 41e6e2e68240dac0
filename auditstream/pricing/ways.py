"""Ways to charge: cards that differ only in meters which no call counts are charged in one go.

A block has many shapes of cards and its calls count few meters; what an expression costs, it costs for each
part of the block that it is asked of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from auditstream.pricing.cards import Shape
from auditstream.pricing.usage import Split, bearing, split_of

_WAY = "way"


@dataclass(frozen=True, slots=True)
class Way:
    """How calls are charged by cards of some shapes.

    Attributes:
        split: How their counts are shared out over the meters that bear on it.
        least: Least quantity of each of these meters.
        places: For each of these meters its place in a shape, by the shape's number; 0 for shapes that are
            charged in another way.
    """

    split: Split
    least: tuple[int, ...]
    places: tuple[pl.Series, ...]


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways of some shapes.

    Attributes:
        of_shape: Number of the way by the number of the shape.
        ways: The ways by their numbers.
    """

    of_shape: pl.Series
    ways: tuple[Way, ...]

    def parts(self, rows: pl.DataFrame, shapes: pl.Series) -> Iterator[tuple[Way, pl.DataFrame]]:
        """Yield the rows of each way.

        Args:
            rows: Any columns.
            shapes: Number of the shape of each row's card.
        """
        numbered = rows.with_columns(self.of_shape.gather(shapes).alias(_WAY))
        for part in numbered.partition_by(_WAY, maintain_order=True):
            yield self.ways[part.item(0, _WAY)], part.drop(_WAY)


@lru_cache(maxsize=256)
def ways_of(shapes: tuple[Shape, ...], counted: tuple[str, ...]) -> Ways:
    """Return the ways in which calls that count these meters are charged by cards of these shapes.

    Args:
        shapes: Shapes of cards.
        counted: Keys of the meters that have a column.
    """
    numbers: dict[Shape, int] = {}
    of_shape: list[int] = []
    places: list[tuple[int, ...]] = []
    for shape in shapes:
        bear = bearing(tuple(key for key, _ in shape), counted)
        of_shape.append(numbers.setdefault(tuple(shape[place] for place in bear), len(numbers)))
        places.append(bear)
    ways = []
    for reduced, number in numbers.items():
        own = [bear if way == number else () for way, bear in zip(of_shape, places, strict=True)]
        ways.append(
            Way(
                split_of(tuple(key for key, _ in reduced), counted),
                tuple(least for _, least in reduced),
                tuple(
                    pl.Series([bear[meter] if bear else 0 for bear in own], dtype=pl.UInt32)
                    for meter in range(len(reduced))
                ),
            )
        )
    return Ways(pl.Series(of_shape, dtype=pl.UInt32), tuple(ways))
