"""Leaves of an exported bundle: its entries with the hashes of the values that lie beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from auditstream.evidence.raw_values import FILE_LEAVES, RawFileError, hashes_of_file, raw_path
from auditstream.evidence.tree_files import TreeFiles, tile_digest
from auditstream.ledger.leaves import ENTRY_BYTES
from auditstream.ledger.merkle import leaf_hash, leaf_hashes
from auditstream.ledger.tiles import FULL_WIDTH
from auditstream.query.leaf_tiles import RowLeaf, TileDigest

_HASH_AT = ENTRY_BYTES - 32


class ExportedLeaves:
    """What the values of a bundle give; the other fields of a leaf are only in its entries.

    Args:
        root: The bundle's folder.
        files: The log's published files in it.
    """

    def __init__(self, root: Path, files: TreeFiles) -> None:
        self._root = root
        self._files = files
        self._hashes = lru_cache(maxsize=16)(self._hashes_of)
        self.damaged: dict[str, str] = {}

    def digests(self, first_tile: int, tiles: int) -> Mapping[int, TileDigest]:
        """Return the digest of each tile of a range that has values."""
        found: dict[int, TileDigest] = {}
        for tile in range(first_tile, first_tile + tiles):
            entries = self._entries(tile)
            if entries:
                digest = tile_digest(b"".join(leaf_hashes(entries)))
                found[tile] = TileDigest(tile, len(entries), digest)
        return found

    def leaves(self, first_index: int, count: int) -> Sequence[RowLeaf]:
        """Return the leaves of a range; see the port."""
        leaves: list[RowLeaf] = []
        for tile in range(first_index // FULL_WIDTH, -(-(first_index + count) // FULL_WIDTH)):
            for index, entry in enumerate(self._entries(tile), start=tile * FULL_WIDTH):
                if first_index <= index < first_index + count:
                    leaves.append(RowLeaf(index, entry, leaf_hash(entry)))
        return leaves

    def _entries(self, tile: int) -> list[bytes]:
        """Return the entries under a tile as its values give them; none where they cannot be read."""
        start = tile * FULL_WIDTH
        file, at = start // FILE_LEAVES, start % FILE_LEAVES
        entries = self._files.entries(tile) or []
        values = self._hashes(file)[at : at + FULL_WIDTH]
        if len(values) != len(entries) or any(len(entry) != ENTRY_BYTES for entry in entries):
            return []
        return [entry[:_HASH_AT] + value for entry, value in zip(entries, values, strict=True)]

    def _hashes_of(self, file: int) -> list[bytes]:
        first = file * FILE_LEAVES
        name = raw_path(self._files.log_id, first)
        try:
            return hashes_of_file(self._root / name, min(FILE_LEAVES, self._files.shape.size - first))
        except RawFileError as error:
            self.damaged[name] = error.message
            return []
