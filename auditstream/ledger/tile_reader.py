"""Nodes and proofs of a log, read from its tiles.

Tiles are hints: whoever reads them from somebody else checks the proof that comes out against a signed root.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from auditstream.ledger.merkle import EMPTY_ROOT, MAX_SIZE, node_hash, root_of
from auditstream.ledger.proofs import Node, consistency_path, inclusion_path
from auditstream.ledger.tiles import FULL_WIDTH, TILE_HEIGHT, Tile, TileError, hashes_in, whole

ReadFile = Callable[[str], bytes | None]  # bytes under a name of the log, None when nothing is there


class HashReader:
    """Node hashes of a log at one size; each tile is read once and kept.

    Args:
        size: Leaves in the log, as a checkpoint says.
        read: Returns the file of a name, as `TileStore.read` does.
    """

    def __init__(self, size: int, read: ReadFile) -> None:
        if not 0 <= size <= MAX_SIZE:
            raise TileError(f"a log has 0 to 2^63 - 1 leaves, not {size}")
        self._size = size
        self._read = read
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    @property
    def size(self) -> int:
        """Leaves in the log."""
        return self._size

    def tile(self, level: int, index: int) -> list[bytes]:
        """Return the hashes of a tile, as many as the log has at this size.

        Raises:
            TileError: The log has no such tile, it is missing, or its length is wrong.
        """
        hashes = self._tiles.get((level, index))
        if hashes is None:
            hashes = self._tiles[level, index] = self._hashes(level, index)
        return hashes

    def node(self, level: int, index: int) -> bytes:
        """Return the hash over the leaves [index << level, (index + 1) << level), cut off at the log's size.

        Raises:
            TileError: There are none, or a tile that it follows from is missing or malformed.
        """
        start, end = index << level, min((index + 1) << level, self._size)
        if not 0 <= start < end:
            raise TileError(f"a log of size {self._size} has no node {index} at level {level}")
        if end - start == 1 << level:
            return self._whole_node(level, index)
        return self._range_root(start, end)

    def root(self, size: int | None = None) -> bytes:
        """Return the root of the log, or of its first `size` leaves.

        Raises:
            TileError: The log is smaller than that, or a tile is missing or malformed.
        """
        end = self._size if size is None else size
        if not 0 <= end <= self._size:
            raise TileError(f"a log of size {self._size} has no beginning of size {end}")
        return self._range_root(0, end) if end else EMPTY_ROOT

    def nodes(self, path: list[Node]) -> list[bytes]:
        """Return the hashes of a path's nodes: a proof."""
        return [self.node(level, index) for level, index in path]

    def _whole_node(self, level: int, index: int) -> bytes:
        tile_level, height = divmod(level, TILE_HEIGHT)
        count = 1 << height
        tile_index, first = divmod(index * count, FULL_WIDTH)
        return root_of(self.tile(tile_level, tile_index)[first : first + count])

    def _range_root(self, start: int, end: int) -> bytes:
        """Return the root over [start, end), where start is a multiple of every full subtree in it."""
        subtrees: list[bytes] = []
        while start < end:
            level = (end - start).bit_length() - 1
            subtrees.append(self._whole_node(level, start >> level))
            start += 1 << level
        return reduce(lambda right, left: node_hash(left, right), reversed(subtrees))

    def _hashes(self, level: int, index: int) -> list[bytes]:
        width = min((self._size >> level * TILE_HEIGHT) - index * FULL_WIDTH, FULL_WIDTH)
        if width < 1:
            raise TileError(f"a log of size {self._size} has no tile {index} at level {level}")
        tile = Tile(level, index, width)
        data = self._read(tile.path)
        if data is not None:
            return hashes_in(tile, data)
        full = whole(tile)  # the partial one may have vanished since
        data = None if full == tile else self._read(full.path)
        if data is None:
            raise TileError(f"{tile.path} is missing")
        return hashes_in(full, data)[:width]


def prove_inclusion(reader: HashReader, index: int) -> list[bytes]:
    """Return the proof that the log has a leaf at an index, from the leaf's sibling upward.

    Raises:
        ProofError: There is no such leaf.
        TileError: A tile is missing or malformed.
    """
    return reader.nodes(inclusion_path(index, reader.size))


def prove_consistency(reader: HashReader, old_size: int) -> list[bytes]:
    """Return the proof that the log began as its first `old_size` leaves.

    Raises:
        ProofError: The old size is 0, or larger than the log.
        TileError: A tile is missing or malformed.
    """
    return reader.nodes(consistency_path(old_size, reader.size))
