"""Tiles of level 0 beside their bundles, some at a time: whether both agree, and what each tile folds to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from auditstream.evidence.tree_files import ENTRY_ROOM, TreeFiles
from auditstream.ledger.hashing import HASH_BYTES, joined, row_hashes, split
from auditstream.ledger.leaves import ENTRY_BYTES
from auditstream.ledger.merkle import parent_rows
from auditstream.ledger.tiles import FULL_WIDTH, TILE_HEIGHT

_LENGTH = np.frombuffer(ENTRY_BYTES.to_bytes(ENTRY_ROOM - ENTRY_BYTES), np.uint8)


@dataclass(frozen=True, slots=True)
class PublishedTile:
    """A tile and its bundle.

    Attributes:
        data: Bytes of the tile, None when it is missing or not so long.
        bundle: Bytes of the bundle, None when it is missing.
        agrees: Whether the entries of the bundle have the hashes of the tile.
        root: Root over a full tile; None for another one.
    """

    data: bytes | None
    bundle: bytes | None
    agrees: bool
    root: bytes | None


def published_tiles(files: TreeFiles, first_tile: int, tiles: int) -> list[PublishedTile]:
    """Return a range of tiles; all of it is held and hashed at once, some 100 kB a tile."""
    read = [(files.tile(tile), files.bundle(tile)) for tile in range(first_tile, first_tile + tiles)]
    agreements = _agreements(
        [(data, bundle) for data, bundle in read if data is not None and _fits(data, bundle)]
    )
    roots = _roots([data for data, _ in read if data is not None and _is_full(data)])
    return [
        PublishedTile(
            data,
            bundle,
            agrees=data is not None and _fits(data, bundle) and next(agreements),
            root=next(roots) if data is not None and _is_full(data) else None,
        )
        for data, bundle in read
    ]


def _is_full(data: bytes) -> bool:
    return len(data) == FULL_WIDTH * HASH_BYTES


def _fits(data: bytes, bundle: bytes | None) -> bool:
    return bundle is not None and len(bundle) * HASH_BYTES == len(data) * ENTRY_ROOM


def _agreements(pairs: Sequence[tuple[bytes, bytes | None]]) -> Iterator[bool]:
    """Yield of each tile and bundle of the same width whether they agree."""
    entries = joined([bundle or b"" for _, bundle in pairs], ENTRY_ROOM)
    leaves = np.zeros((len(entries), 1 + ENTRY_BYTES), np.uint8)  # a leaf is hashed behind a zero byte
    leaves[:, 1:] = entries[:, len(_LENGTH) :]
    hashes = row_hashes(leaves).tobytes()
    is_entry = (entries[:, : len(_LENGTH)] == _LENGTH).all(axis=1)
    at = 0
    for data, _ in pairs:
        end = at + len(data)
        yield hashes[at:end] == data and bool(is_entry[at // HASH_BYTES : end // HASH_BYTES].all())
        at = end


def _roots(tiles: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the root over each of some full tiles: a level of all of them at once."""
    nodes = joined(tiles, HASH_BYTES)
    for _ in range(TILE_HEIGHT):
        nodes = parent_rows(nodes)
    yield from split(nodes)
