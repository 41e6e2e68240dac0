"""Tiles beside their bundles, over a log of a full tile and a partial one."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from auditstream.evidence.published import PublishedFolder
from auditstream.evidence.published_tiles import PublishedRange, PublishedTile, published_range
from auditstream.evidence.sealed_order import SealedOrder
from auditstream.evidence.tree_files import TreeFiles
from auditstream.ledger.checkpoints import Checkpoint
from tests.support import bundles

LOG = next(iter(bundles.SIZES))
SIZE = bundles.SIZES[LOG]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    bundles.make_bundle(tmp_path / "bundle", tmp_path / "memory")
    return tmp_path / "bundle"


def published(folder: Path, first_tile: int, count: int) -> PublishedRange:
    checkpoint = Checkpoint(f"{bundles.DEPLOYMENT}/{LOG}", SIZE, bytes(32))
    files = TreeFiles(PublishedFolder(folder), LOG, checkpoint)
    return published_range(files, SealedOrder(checkpoint.origin), first_tile, count)


def read(folder: Path) -> list[PublishedTile]:
    return published(folder, 0, 2).tiles


def changed(file: Path, at: int) -> None:
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)


def test_tiles_and_bundles_of_a_sealer_agree_and_full_tiles_have_their_root(folder: Path) -> None:
    full, partial = read(folder)

    data = (folder / LOG / "tile/0/000").read_bytes()
    nodes = [data[at : at + 32] for at in range(0, 8192, 32)]
    while len(nodes) > 1:
        pairs = zip(nodes[::2], nodes[1::2], strict=True)
        nodes = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs]
    assert (full.agrees, full.root) == (True, nodes[0])
    assert full.digest == hashlib.sha256(data).digest()
    assert (partial.agrees, partial.root) == (True, None)


@pytest.mark.parametrize("at", [0, 1, 2, 75, 76, 255 * 76 + 75], ids=str)
def test_a_changed_byte_of_a_bundle_is_seen_in_its_tile_alone(folder: Path, at: int) -> None:
    changed(folder / LOG / "tile/entries/000", at)

    assert [tile.agrees for tile in read(folder)] == [False, True]


def test_a_changed_byte_of_a_tile_is_seen_in_its_tile_alone(folder: Path) -> None:
    root = read(folder)[0].root
    changed(folder / LOG / "tile/0/000", 8191)

    full, partial = read(folder)

    assert (full.agrees, partial.agrees) == (False, True)
    assert full.root not in {root, None}


@pytest.mark.parametrize("gone", ["tile/0/000", "tile/entries/000"])
def test_a_missing_file_leaves_the_other_tiles_alone(folder: Path, gone: str) -> None:
    (folder / LOG / gone).unlink()

    full, partial = read(folder)

    assert (full.digest is None) == (gone == "tile/0/000")
    assert (full.agrees, partial.agrees) == (False, True)
    assert (full.root is None) == (gone == "tile/0/000")


def test_a_bundle_that_is_cut_off_does_not_agree(folder: Path) -> None:
    file = folder / LOG / "tile/entries/000"
    file.write_bytes(file.read_bytes()[:-1])

    assert [tile.agrees for tile in read(folder)] == [False, True]


def test_a_range_that_is_taken_up_is_held_against_what_an_earlier_run_judged_before_it(folder: Path) -> None:
    assert published(folder, 1, 1).findings == []
    file = folder / LOG / "tile/entries/000"
    data = bytearray(file.read_bytes())
    data[-64:-56] = (2**40).to_bytes(8)  # the offset of its last entry: 12 bytes into 76
    file.write_bytes(data)

    (finding,) = published(folder, 1, 1).findings

    assert (finding.what, finding.first) == ("sealed_offset", 256)
