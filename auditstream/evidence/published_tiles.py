"""Tiles of level 0 beside their bundles, some at a time: whether both agree, and what each tile folds to.

What a file says of itself needs no answer of the store: it is found out while the store is at work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from auditstream.evidence.findings import Finding
from auditstream.evidence.sealed_order import SealedOrder
from auditstream.evidence.tree_files import ENTRY_ROOM, TreeFiles, tile_digest
from auditstream.ledger.hashing import HASH_BYTES, joined, row_hashes, split
from auditstream.ledger.leaves import ENTRY_BYTES
from auditstream.ledger.merkle import parent_rows
from auditstream.ledger.tiles import FULL_WIDTH, TILE_HEIGHT

_LENGTH = np.frombuffer(ENTRY_BYTES.to_bytes(ENTRY_ROOM - ENTRY_BYTES), np.uint8)


_BLOCK_TILES = 64  # tiles that are read, hashed and compared at once: some 6 MB


@dataclass(frozen=True, slots=True)
class PublishedTile:
    """What a tile and its bundle say; the files themselves are let go of.

    Attributes:
        digest: SHA-256 over the tile's bytes, None when it is missing or not so long.
        agrees: Whether the entries of the bundle have the hashes of the tile.
        root: Root over a full tile; None for another one.
    """

    digest: bytes | None
    agrees: bool
    root: bytes | None


@dataclass(frozen=True, slots=True)
class PublishedRange:
    """A run of tiles as published.

    Attributes:
        first_tile: The first.
        tiles: What each says.
        findings: Entries that do not have their own place.
    """

    first_tile: int
    tiles: list[PublishedTile]
    findings: list[Finding]


def published_range(files: TreeFiles, order: SealedOrder, first_tile: int, count: int) -> PublishedRange:
    """Return what so many tiles and their bundles say.

    Args:
        files: Published files of a log.
        order: Has judged the entries before them.
        first_tile: The first tile.
        count: How many.
    """
    tiles: list[PublishedTile] = []
    findings: list[Finding] = []
    end = first_tile + count
    if not order.is_at(first_tile * FULL_WIDTH):  # an earlier run found that what is before it holds
        order.take_up(first_tile * FULL_WIDTH, files.bundle(first_tile - 1))
    for first in range(first_tile, end, _BLOCK_TILES):
        block = range(first, min(first + _BLOCK_TILES, end))
        read = [(files.tile(tile), files.bundle(tile)) for tile in block]
        tiles += _judged(read)
        widths = map(files.shape.width, block)
        findings += order.judged(
            first * FULL_WIDTH,
            [
                bundle if len(bundle or b"") == width * ENTRY_ROOM else None
                for (_, bundle), width in zip(read, widths, strict=True)
            ],
        )
    return PublishedRange(first_tile, tiles, findings)


def _judged(read: Sequence[tuple[bytes | None, bytes | None]]) -> Iterator[PublishedTile]:
    """Yield what each tile and bundle say; all are hashed at once."""
    agreements = _agreements(
        [(data, bundle) for data, bundle in read if data is not None and _fits(data, bundle)]
    )
    roots = _roots([data for data, _ in read if data is not None and _is_full(data)])
    for data, bundle in read:
        yield PublishedTile(
            None if data is None else tile_digest(data),
            agrees=data is not None and _fits(data, bundle) and next(agreements),
            root=next(roots) if data is not None and _is_full(data) else None,
        )


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
