"""The right edge of a tiled log: what its growth goes on from, and the tiles that growing makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from auditstream.ledger.merkle import Frontier, parents
from auditstream.ledger.tiles import FULL_WIDTH, TILE_HEIGHT, Tile, hashes_in, right_edge


class TileEdge:
    """A log that grows: its size, its root, and the hashes of the tiles that are not full yet.

    Args:
        size: Leaves in the log.
        partial: By level, the hashes that its partial tile holds; empty for a level without one.
    """

    def __init__(self, size: int = 0, partial: Sequence[Sequence[bytes]] = ()) -> None:
        self._size = size
        self._partial = [list(hashes) for hashes in partial]

    @classmethod
    def read(cls, size: int, tile_bytes: Callable[[Tile], bytes]) -> TileEdge:
        """Return the edge of a log as its tiles say; compare its root before trusting it.

        Args:
            size: Leaves in the log.
            tile_bytes: Returns a partial tile's bytes.

        Raises:
            TileError: A tile has not the length that its name says.
        """
        tiles = right_edge(size)
        partial: list[list[bytes]] = [[] for _ in range(tiles[-1].level + 1 if tiles else 0)]
        for tile in tiles:
            partial[tile.level] = hashes_in(tile, tile_bytes(tile))
        return cls(size, partial)

    @property
    def size(self) -> int:
        """Leaves in the log."""
        return self._size

    @property
    def newest_leaves(self) -> Sequence[bytes]:
        """Leaf hashes of the partial tile of level 0."""
        return self._partial[0] if self._partial else ()

    def frontier(self) -> Frontier:
        """Return the frontier of the tree, and so its root: at most 256 hash calls a level."""
        nodes = (Frontier().extend(hashes).nodes for hashes in reversed(self._partial))
        return Frontier(self._size, tuple(chain.from_iterable(nodes)))

    def extend(self, leaf_hashes: Sequence[bytes]) -> list[tuple[Tile, bytes]]:
        """Grow by some leaves and return the tiles that became full, lower levels first.

        Costs one hash call a node under a full tile, done level by level for all tiles at once.
        """
        full: list[tuple[Tile, bytes]] = []
        row = leaf_hashes
        level = 0
        while row:
            if level == len(self._partial):
                self._partial.append([])
            first = (self._size >> level * TILE_HEIGHT) // FULL_WIDTH
            row = [*self._partial[level], *row]
            whole = len(row) // FULL_WIDTH * FULL_WIDTH
            self._partial[level] = row[whole:]
            full += _cut(level, first, row[:whole])
            row = _roots(row[:whole])
            level += 1
        self._size += len(leaf_hashes)
        return full

    def partial_tiles(self) -> Iterator[tuple[Tile, bytes]]:
        """Yield the tiles that are not full, lower levels first."""
        for tile in right_edge(self._size):
            yield tile, b"".join(self._partial[tile.level])


def _cut(level: int, first: int, hashes: list[bytes]) -> Iterator[tuple[Tile, bytes]]:
    for start in range(0, len(hashes), FULL_WIDTH):
        yield Tile(level, first + start // FULL_WIDTH), b"".join(hashes[start : start + FULL_WIDTH])


def _roots(hashes: list[bytes]) -> list[bytes]:
    """Return the root over each full tile."""
    for _ in range(TILE_HEIGHT):
        hashes = parents(hashes)
    return hashes
