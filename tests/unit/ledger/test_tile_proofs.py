"""A log that grows by tiles, and proofs read from them, against the tree over all leaf hashes."""

import hashlib
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.ledger.merkle import EMPTY_ROOT, Frontier, node_hash, root_of
from auditstream.ledger.proofs import ProofError, verify_consistency, verify_inclusion
from auditstream.ledger.tile_edge import TileEdge
from auditstream.ledger.tile_reader import HashReader, prove_consistency, prove_inclusion
from auditstream.ledger.tiles import TileError, new_tiles, right_edge
from tests.support.examples import examples

LARGEST = 70_000
LEAVES = [hashlib.sha256(index.to_bytes(8, "big")).digest() for index in range(LARGEST)]
SIZES = (
    st.integers(1, 600) | st.sampled_from([65_535, 65_536, 65_537, 65_792, LARGEST]) | st.integers(1, LARGEST)
)


def grown(*sizes):
    """The files of a log that grew to each of the sizes in turn, and its edge."""
    edge, files = TileEdge(), {}
    for size in sizes:
        files |= {tile.path: data for tile, data in edge.extend(LEAVES[edge.size : size])}
        files |= {tile.path: data for tile, data in edge.partial_tiles()}
    return edge, files


@cache
def files_at(size):
    return grown(size)[1]


def without_partial_forebears(files):
    """What is left when every partial tile is gone whose full one is there."""
    return {
        path: data
        for path, data in files.items()
        if path.partition(".p/")[0] not in files or ".p/" not in path
    }


@cache
def by_definition(start, end):
    """The root over some leaves as RFC 6962 defines it, by recursion."""
    if end - start < 2:
        return LEAVES[start] if end > start else EMPTY_ROOT
    split = start + (1 << (end - start - 1).bit_length() - 1)
    return node_hash(by_definition(start, split), by_definition(split, end))


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(SIZES, min_size=1, max_size=4).map(sorted))
def test_a_log_that_grows_has_the_root_and_the_tiles_of_its_leaves(sizes):
    edge, files = grown(*sizes)

    assert edge.frontier() == Frontier().extend(LEAVES[: sizes[-1]])
    wanted = {tile.path: tile.size_bytes for tile in new_tiles(0, sizes[-1])}
    assert {path: len(data) for path, data in files.items() if path in wanted} == wanted


@settings(max_examples=examples(100), deadline=None)
@given(SIZES)
def test_an_edge_is_read_back_from_its_tiles(size):
    files = files_at(size)
    edge = TileEdge.read(size, lambda tile: files[tile.path])

    assert edge.frontier() == Frontier().extend(LEAVES[:size])
    assert list(edge.newest_leaves) == LEAVES[size // 256 * 256 : size]
    assert [tile for tile, _ in edge.partial_tiles()] == right_edge(size)


def test_tiles_hold_the_nodes_of_their_level():
    files = files_at(LARGEST)

    assert files["tile/0/001"] == b"".join(LEAVES[256:512])
    assert files["tile/1/001.p/17"][-32:] == by_definition(272 * 256, 273 * 256)
    assert files["tile/2/000.p/1"] == by_definition(0, 65_536)


@settings(max_examples=examples(100), deadline=None)
@given(SIZES, st.data())
def test_an_inclusion_proof_from_tiles_proves_the_leaf(size, data):
    index = data.draw(st.integers(0, size - 1))
    proof = prove_inclusion(HashReader(size, files_at(size).get), index)

    verify_inclusion(index, size, LEAVES[index], proof, by_definition(0, size))


@settings(max_examples=examples(100), deadline=None)
@given(SIZES, st.data())
def test_a_consistency_proof_from_tiles_proves_the_growth(size, data):
    old = data.draw(st.integers(1, size))
    proof = prove_consistency(HashReader(size, files_at(size).get), old)

    verify_consistency(old, size, by_definition(0, old), by_definition(0, size), proof)


@settings(max_examples=examples(100), deadline=None)
@given(st.integers(1, 1_000), st.data())
def test_every_node_is_the_root_over_its_leaves(size, data):
    level = data.draw(st.integers(0, size.bit_length()))
    index = data.draw(st.integers(0, (size - 1) >> level))
    reader = HashReader(size, files_at(size).get)

    assert reader.node(level, index) == by_definition(index << level, min((index + 1) << level, size))


@settings(max_examples=examples(100), deadline=None)
@given(SIZES, SIZES, st.booleans())
def test_an_older_log_is_read_from_the_tiles_of_its_growth(one, other, vanished):
    old, new = sorted([one, other])
    _, files = grown(old, new)
    files = without_partial_forebears(files) if vanished else files

    assert HashReader(old, files.get).root() == root_of(LEAVES[:old])
    assert HashReader(new, files.get).root(old) == root_of(LEAVES[:old])


def test_the_empty_log_needs_no_tile():
    reader = HashReader(0, {}.get)

    assert reader.root() == EMPTY_ROOT
    with pytest.raises(ProofError):
        prove_inclusion(reader, 0)
    with pytest.raises(ProofError):
        prove_consistency(reader, 0)


@pytest.mark.parametrize(("level", "index"), [(0, 300), (0, -1), (9, 1), (63, 1)])
def test_there_is_no_node_outside_the_log(level, index):
    with pytest.raises(TileError):
        HashReader(300, files_at(300).get).node(level, index)


def test_a_missing_tile_is_named():
    files = {path: data for path, data in files_at(600).items() if path != "tile/0/001"}

    with pytest.raises(TileError, match="tile/0/001 is missing"):
        prove_inclusion(HashReader(600, files.get), 300)


def test_a_tile_of_the_wrong_length_is_refused():
    files = dict(files_at(600)) | {"tile/0/001": b"\0" * 8191}

    with pytest.raises(TileError, match="tile/0/001 takes 8192 bytes"):
        prove_inclusion(HashReader(600, files.get), 300)


def test_a_changed_tile_gives_a_proof_that_does_not_hold():
    files = dict(files_at(600)) | {"tile/1/000.p/2": bytes(64)}
    proof = prove_inclusion(HashReader(600, files.get), 3)

    with pytest.raises(ProofError):
        verify_inclusion(3, 600, LEAVES[3], proof, root_of(LEAVES[:600]))
