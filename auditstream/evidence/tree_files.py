"""Tiles and bundles of one log at one size, as published: read, measured, and folded to the signed root."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from auditstream.evidence.findings import Finding
from auditstream.evidence.published import Published, PublishedError
from auditstream.ledger.checkpoints import Checkpoint
from auditstream.ledger.leaves import ENTRY_BYTES
from auditstream.ledger.merkle import EMPTY_ROOT, Frontier, leaf_hashes, node_hash, root_of
from auditstream.ledger.tile_edge import TileEdge
from auditstream.ledger.tiles import (
    FULL_WIDTH,
    TILE_HEIGHT,
    Bundle,
    Tile,
    TileError,
    hashes_in,
    parse_bundle,
    whole,
)

ENTRY_ROOM = ENTRY_BYTES + 2
"""Bytes of an entry in a bundle: with its length."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How many leaves and tiles a log of a size has.

    Attributes:
        size: Leaves.
    """

    size: int

    @property
    def full(self) -> int:
        """Full tiles of level 0."""
        return self.size // FULL_WIDTH

    @property
    def tiles(self) -> int:
        """Tiles of level 0, a partial one included."""
        return -(-self.size // FULL_WIDTH)

    def width(self, tile: int) -> int:
        """Return how many leaves are under a tile of level 0."""
        return min(FULL_WIDTH, self.size - tile * FULL_WIDTH)


class TreeFiles:
    """The published files of one log, at the size of its checkpoint.

    Args:
        published: Where files are.
        log_id: The log, as `topic/partition/epoch`: the prefix of its files.
        checkpoint: What was signed.
    """

    def __init__(self, published: Published, log_id: str, checkpoint: Checkpoint) -> None:
        self._published = published
        self.log_id = log_id
        self.checkpoint = checkpoint
        self.shape = Shape(checkpoint.size)

    def tile(self, tile: int) -> bytes | None:
        """Return the bytes of a tile of level 0 at this size, None when it is missing or not so long."""
        return self._tile(Tile(0, tile, self.shape.width(tile)))

    def bundle(self, tile: int) -> bytes | None:
        """Return the bytes of a bundle at this size, None when it is missing."""
        wanted = Bundle(tile, self.shape.width(tile))
        data, full = self._read(wanted)
        # A full bundle in place of a partial one: its beginning, as long as its entries are ours.
        return data if full is None else full[: wanted.width * ENTRY_ROOM]

    def entries(self, tile: int) -> list[bytes] | None:
        """Return the entries of a bundle at this size, None when it is missing or malformed."""
        data = self.bundle(tile)
        try:
            return None if data is None else parse_bundle(data, self.shape.width(tile))
        except TileError:
            return None

    def upper(self) -> Iterator[tuple[int, list[bytes] | None, Tile]]:
        """Yield level, hashes and name of each tile above level 0; None for one that cannot be read."""
        level = 1
        while count := self.shape.size >> level * TILE_HEIGHT:
            for index in range(-(-count // FULL_WIDTH)):
                tile = Tile(level, index, min(FULL_WIDTH, count - index * FULL_WIDTH))
                data = self._tile(tile)
                yield level, None if data is None else hashes_in(tile, data), tile
            level += 1

    def _tile(self, tile: Tile) -> bytes | None:
        data, full = self._read(tile)
        if full is not None:
            data = full[: tile.size_bytes]
        return None if data is None or len(data) != tile.size_bytes else data

    def _read(self, tile: Tile | Bundle) -> tuple[bytes | None, bytes | None]:
        """Return the file of a name; or, where a partial one has vanished since, the full one."""
        try:
            data = self._published.read(f"{self.log_id}/{tile.path}")
            if data is None and whole(tile) != tile:
                return None, self._published.read(f"{self.log_id}/{whole(tile).path}")
        except PublishedError:
            return None, None
        return data, None


@dataclass(slots=True)
class Trunk:
    """The tree above level 0, and whether the signed root vouches for it.

    Attributes:
        roots: Root of each full tile of level 0, as tiles of level 1 say; None when one cannot be read.
        edge: Leaf hashes of the partial tile of level 0, as published.
        is_signed: Whether both give the signed root; then they are the truth.
        findings: What is wrong with tiles above level 1, or with those of level 1.
    """

    roots: list[bytes] | None
    edge: list[bytes] | None
    is_signed: bool
    findings: list[Finding]


def read_trunk(files: TreeFiles) -> Trunk:
    """Return the upper part of a published tree, judged by the signed root."""
    origin, shape = files.checkpoint.origin, files.shape
    found: list[Finding] = []
    stored: dict[tuple[int, int], list[bytes] | None] = {}
    for level, hashes, tile in files.upper():
        stored[level, tile.index] = hashes
        if hashes is None:
            found.append(
                Finding(origin, "tile_missing", f"{tile.path} of {tile.size_bytes} bytes", "nothing")
            )
    first = [stored[1, index] for index in range(-(-shape.full // FULL_WIDTH))]
    roots = None if any(each is None for each in first) else [h for each in first for h in each or ()]
    edge = _edge(files)
    if roots is not None and (edge is None or root_over(roots, edge) != files.checkpoint.root):
        edge = _edge_by_entries(files, roots) or edge
    if roots is None or edge is None:
        return Trunk(roots, edge, is_signed=False, findings=found)
    derived, root = _grown(roots, edge)
    for tile, data in derived:
        hashes = stored.get((tile.level + 1, tile.index))
        if tile.level and hashes is not None and b"".join(hashes) != data:
            outer = Tile(tile.level + 1, tile.index, tile.width)
            found.append(_other(origin, outer.path, "the hashes of the tiles below it", "other hashes"))
    return Trunk(roots, edge, root == files.checkpoint.root, found)


def root_over(tile_roots: Sequence[bytes], edge: Sequence[bytes]) -> bytes:
    """Return the root over full tiles of level 0 and the leaf hashes behind them."""
    return _grown(tile_roots, edge)[1]


def tile_digest(tile: bytes) -> bytes:
    """Return the digest of a tile's bytes, as of `TileDigest`."""
    return hashlib.sha256(tile).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root over the leaf hashes of a tile."""
    return root_of(hashes)


def _grown(tile_roots: Sequence[bytes], edge: Sequence[bytes]) -> tuple[list[tuple[Tile, bytes]], bytes]:
    """Return the tiles over the tile roots, named a level too low, and the root of the whole tree."""
    trunk = TileEdge()
    derived = trunk.extend(list(tile_roots)) if tile_roots else []
    derived += list(trunk.partial_tiles())
    nodes = (*(trunk.frontier().nodes if tile_roots else ()), *Frontier().extend(list(edge)).nodes)
    if not nodes:
        return derived, EMPTY_ROOT
    root = nodes[-1]
    for left in reversed(nodes[:-1]):
        root = node_hash(left, root)
    return derived, root


def _edge(files: TreeFiles) -> list[bytes] | None:
    shape = files.shape
    if shape.tiles == shape.full:
        return []
    data = files.tile(shape.full)
    return None if data is None else hashes_in(Tile(0, shape.full, shape.width(shape.full)), data)


def _edge_by_entries(files: TreeFiles, roots: Sequence[bytes]) -> list[bytes] | None:
    """Return the leaf hashes behind the full tiles by their entries, if they give the signed root."""
    hashes = leaf_hashes(files.entries(files.shape.full) or ())
    return hashes if root_over(roots, hashes) == files.checkpoint.root else None


def _other(origin: str, name: str, expected: str, found: str) -> Finding:
    return Finding(origin, "tile", f"{name}: {expected}", found)
