"""One log: rows or exported values against bundles, tiles, and the root that was signed.

Judged from the top: where the tiles of level 1 give the signed root they are the truth, and each tile's rows,
hashes and entries are compared with it by themselves. Where they do not, what the rows give is tried for the
root, then what the tiles of level 0 give. So a finding tells what was changed, not only that something was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from auditstream.evidence.findings import Finding, merged
from auditstream.evidence.leaf_fields import differences
from auditstream.evidence.published_tiles import PublishedRange, PublishedTile, published_range
from auditstream.evidence.sealed_order import SealedOrder
from auditstream.evidence.tree_files import (
    TreeFiles,
    Trunk,
    fold,
    read_trunk,
    root_over,
    tile_digest,
)
from auditstream.ledger.merkle import leaf_hash, leaf_hashes
from auditstream.ledger.tiles import FULL_WIDTH, Bundle, Tile, hashes_in
from auditstream.query.leaf_tiles import RowLeaf, TileDigest

_BLOCK_TILES = 64  # tiles whose rows are asked for at once, where their files say something else
_MOST_PINNED = 2_000  # findings of one range whose leaves are looked at one by one


class Leaves(Protocol):
    """What a log's values give now. Calls may come from many threads."""

    def leaves(self, first_index: int, count: int) -> Sequence[RowLeaf]:
        """Return the leaves of a range in the order of indexes; one may be there twice."""
        ...


@dataclass(frozen=True, slots=True)
class CheckedRange:
    """What one range of tiles came to.

    Attributes:
        first_tile: Its first tile.
        tiles: Number of tiles.
        findings: What does not hold.
        row_roots: What the values give for each full tile; the published hashes' where values give none.
        rows: Rows or values in the range.
        file_roots: What the published hashes give for each full tile, None where they are as the values.
    """

    first_tile: int
    tiles: int
    findings: list[Finding]
    row_roots: list[bytes]
    rows: int = 0
    file_roots: dict[int, bytes | None] = field(default_factory=dict)


class LogCheck:
    """The check of one log at one checkpoint.

    Args:
        files: Its published files.
        leaves: What its values give.
    """

    def __init__(self, files: TreeFiles, leaves: Leaves) -> None:
        self._files = files
        self._leaves = leaves
        self._origin = files.checkpoint.origin
        self._order = SealedOrder(self._origin)
        self.trunk: Trunk = read_trunk(files)

    def published(self, first_tile: int, tiles: int) -> PublishedRange:
        """Return what the published files say of a range of tiles, the next in order; asks no store."""
        return published_range(self._files, self._order, first_tile, tiles)

    def check(self, published: PublishedRange, digests: Mapping[int, TileDigest]) -> CheckedRange:
        """Return what a range of tiles came to.

        Args:
            published: What its files say.
            digests: What values give for each tile that has any.
        """
        first_tile, tiles = published.first_tile, published.tiles
        checked = CheckedRange(first_tile, len(tiles), [], [])
        for at in range(0, len(tiles), _BLOCK_TILES):
            self._check_block(first_tile + at, tiles[at : at + _BLOCK_TILES], digests, checked)
        found = list(merged([*checked.findings, *published.findings]))
        rows = sum(each.leaves for each in digests.values())
        return CheckedRange(first_tile, len(tiles), found, checked.row_roots, rows, checked.file_roots)

    def conclusion(self, checked: Sequence[CheckedRange]) -> Iterator[Finding]:
        """Yield what is wrong with the tree itself, once all ranges were checked."""
        yield from self.trunk.findings
        if self.trunk.is_signed:
            return
        expected = f"root {self._files.checkpoint.root.hex()} as signed over {self._files.shape.size} leaves"
        roots = [root for each in checked for root in each.row_roots]
        edge = self._row_edge()
        if edge is not None and root_over(roots, edge) == self._files.checkpoint.root:
            yield from self._wrong_trunk(roots, edge)
            return
        of_files = {tile: root for each in checked for tile, root in each.file_roots.items()}
        mended = [of_files.get(tile) or root for tile, root in enumerate(roots)]
        if self.trunk.edge is not None and root_over(mended, self.trunk.edge) == self._files.checkpoint.root:
            yield from self._wrong_trunk(mended, self.trunk.edge)
            return
        found = root_over(roots, edge or ()).hex()
        yield Finding(self._origin, "root", expected, f"root {found} over what is there")

    def _wrong_trunk(self, roots: Sequence[bytes], edge: Sequence[bytes]) -> Iterator[Finding]:
        """Yield the tiles that differ from what gives the signed root."""
        stored = self.trunk.roots
        if stored is not None:
            for first in range(0, len(roots), FULL_WIDTH):
                if stored[first : first + FULL_WIDTH] != list(roots[first : first + FULL_WIDTH]):
                    width = min(FULL_WIDTH, len(roots) - first)
                    name = Tile(1, first // FULL_WIDTH, width).path
                    yield Finding(self._origin, "tile", f"{name}: the roots of its tiles", "other hashes")
        if self.trunk.edge != list(edge) and self.trunk.edge is not None:
            full = self._files.shape.full
            name = Tile(0, full, max(1, len(edge))).path
            yield Finding(self._origin, "tile", f"{name}: the hashes of its leaves", "other hashes")

    def _row_edge(self) -> list[bytes] | None:
        shape = self._files.shape
        if shape.full == shape.tiles:
            return []
        rows = self._leaves.leaves(shape.full * FULL_WIDTH, shape.width(shape.full))
        hashes = leaf_hashes(row.entry for row in rows)
        return hashes if [row.index for row in rows] == list(self._indexes(shape.full)) else None

    def _check_block(
        self,
        first_tile: int,
        published: Sequence[PublishedTile],
        digests: Mapping[int, TileDigest],
        checked: CheckedRange,
    ) -> None:
        # Tiles that have the hashes of their values.
        given = {
            tile
            for tile, files in enumerate(published, start=first_tile)
            if files.digest is not None
            and (digest := digests.get(tile)) is not None
            and digest.digest == files.digest
        }
        full = {
            tile: files.root if tile in given else None
            for tile, files in enumerate(published, start=first_tile)
            if (digest := digests.get(tile)) is not None and digest.leaves == FULL_WIDTH
        }
        row_roots = self._row_roots(full)
        for tile, files in enumerate(published, start=first_tile):
            files_hold = files.agrees and tile in given
            row_root = row_roots.get(tile)
            self._check_tile(tile, digests.get(tile), files, row_root, checked, files_hold=files_hold)

    def _row_roots(self, roots: Mapping[int, bytes | None]) -> dict[int, bytes]:
        """Return the root over the values under full tiles; values are asked for where it is not known."""
        known = {tile: root for tile, root in roots.items() if root is not None}
        unknown = roots.keys() - known.keys()
        if unknown:
            first, end = min(unknown), max(unknown) + 1
            leaves: dict[int, list[RowLeaf]] = {}
            for row in self._leaves.leaves(first * FULL_WIDTH, (end - first) * FULL_WIDTH):
                leaves.setdefault(row.index // FULL_WIDTH, []).append(row)
            for tile in unknown:
                rows = leaves.get(tile, [])
                if [row.index for row in rows] == list(self._indexes(tile)):
                    known[tile] = fold(leaf_hashes(row.entry for row in rows))
        return known

    def _check_tile(
        self,
        tile: int,
        digest: TileDigest | None,
        files: PublishedTile,
        row_root: bytes | None,
        checked: CheckedRange,
        *,
        files_hold: bool,
    ) -> None:
        width = self._files.shape.width(tile)
        is_whole = digest is not None and digest.leaves == width
        rows_hold = is_whole and self._is_true(tile, row_root, files.digest if files_hold else None)
        if width == FULL_WIDTH:
            of_file = None if files_hold else files.root
            own = row_root if is_whole else of_file
            checked.row_roots.append(own or bytes(32))
            if of_file is not None:
                checked.file_roots[tile] = of_file
        if files_hold and rows_hold and digest is not None and digest.as_recorded:
            return
        if len(checked.findings) > _MOST_PINNED:  # no need to name each leaf of a log that was rewritten
            first, last = _span(self._indexes(tile))
            checked.findings.append(
                Finding(self._origin, "leaves", "as sealed", "others, not looked at one by one", first, last)
            )
            return
        checked.findings.extend(self._pinned(tile, digest, rows_hold=rows_hold))

    def _is_true(self, tile: int, row_root: bytes | None, digest: bytes | None) -> bool:
        """Return whether a tile's values are those that the signed root covers, as far as is known yet.

        Args:
            tile: The tile.
            row_root: Root over its values.
            digest: That of the published tile, if the values give it.
        """
        trunk = self.trunk
        if not trunk.is_signed or trunk.roots is None or trunk.edge is None:
            return digest is not None
        if tile < len(trunk.roots):
            return row_root == trunk.roots[tile]
        return digest == tile_digest(b"".join(trunk.edge))

    def _pinned(
        self,
        tile: int,
        digest: TileDigest | None,
        *,
        rows_hold: bool,
    ) -> Iterator[Finding]:
        """Yield what exactly is wrong under one tile; its files are read once more."""
        origin, indexes = self._origin, self._indexes(tile)
        data = self._files.tile(tile)
        width = len(indexes)
        name, bundle_name = Tile(0, tile, width).path, Bundle(tile, width).path
        hashes = None if data is None else hashes_in(Tile(0, tile, width), data)
        truth = self._truth(tile, hashes)
        if data is None:
            yield Finding(origin, "tile_missing", name, "no such file, or a shorter one", *_span(indexes))
        elif truth is not None and hashes != truth:
            yield Finding(origin, "tile", f"{name}: the leaves' hashes", "other hashes", *_span(indexes))
        rows = () if digest is None else self._leaves.leaves(indexes[0], width)
        if truth is None and rows_hold:
            truth = leaf_hashes(row.entry for row in rows)
            if hashes is not None and hashes != truth:
                yield Finding(origin, "tile", f"{name}: the leaves' hashes", "other hashes", *_span(indexes))
        truth = truth or hashes
        entries = self._files.entries(tile)
        if entries is None:
            yield Finding(
                origin, "bundle_missing", bundle_name, "no such file, or no bundle", *_span(indexes)
            )
        elif truth is not None:
            yield from _wrong_entries(origin, bundle_name, indexes, truth, entries)
        yield from self._wrong_rows(indexes, rows, truth, entries)

    def _truth(self, tile: int, hashes: list[bytes] | None) -> list[bytes] | None:
        """Return the leaf hashes under a tile that the signed root vouches for, None when none are known."""
        trunk = self.trunk
        if not trunk.is_signed or trunk.roots is None:
            return None
        if tile >= len(trunk.roots):
            return trunk.edge
        if hashes is not None and fold(hashes) == trunk.roots[tile]:
            return hashes
        entries = self._files.entries(tile) or []
        derived = leaf_hashes(entries)
        if len(derived) == FULL_WIDTH and fold(derived) == trunk.roots[tile]:
            return derived
        rows = self._leaves.leaves(tile * FULL_WIDTH, FULL_WIDTH)
        derived = leaf_hashes(row.entry for row in rows)
        return derived if len(derived) == FULL_WIDTH and fold(derived) == trunk.roots[tile] else None

    def _wrong_rows(
        self,
        indexes: range,
        rows: Sequence[RowLeaf],
        truth: list[bytes] | None,
        entries: list[bytes] | None,
    ) -> Iterator[Finding]:
        """Yield the rows under one tile that are missing, there twice, or not what was sealed."""
        origin = self._origin
        if truth is None:
            yield Finding(
                origin, "leaves", "the leaves that the signed root covers", "others", *_span(indexes)
            )
            return
        at = Counter(row.index for row in rows)
        for index in indexes:
            if at[index] > 1:
                yield Finding(origin, "repeated_index", "one row", f"{at[index]} rows", index)
            elif not at[index]:
                yield Finding(origin, "missing_row", "a row", "none", index)
        for row in rows:
            position = row.index - indexes[0]
            expected = truth[position]
            found = leaf_hash(row.entry)
            if found == expected:
                if row.recorded_hash != expected:
                    yield Finding(origin, "leaf_hash", expected.hex(), row.recorded_hash.hex(), row.index)
                continue
            sealed = entries[position] if entries is not None else None
            if sealed is None or leaf_hash(sealed) != expected:
                yield Finding(origin, "leaf", f"leaf hash {expected.hex()}", found.hex(), row.index)
                continue
            for name, wanted, seen in differences(sealed, row.entry):
                yield Finding(origin, name, wanted, seen, row.index)

    def _indexes(self, tile: int) -> range:
        first = tile * FULL_WIDTH
        return range(first, first + self._files.shape.width(tile))


def _wrong_entries(
    origin: str, name: str, indexes: range, truth: list[bytes], entries: list[bytes]
) -> Iterator[Finding]:
    """Yield the entries of a bundle that do not have the hashes that were sealed."""
    for index, expected, entry in zip(indexes, truth, entries, strict=True):
        found = leaf_hash(entry)
        if found != expected:
            yield Finding(
                origin, "bundle", f"{name}: an entry with hash {expected.hex()}", found.hex(), index
            )


def _span(indexes: range) -> tuple[int, int]:
    return indexes[0], indexes[-1]
