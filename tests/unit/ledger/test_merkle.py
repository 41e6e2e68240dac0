"""Hashes and roots of RFC 6962, section 2.1, and a frontier that grows to the same roots."""

from __future__ import annotations

import hashlib
import random

import pytest

from auditstream.ledger.merkle import (
    EMPTY_ROOT,
    MAX_SIZE,
    Frontier,
    TreeError,
    leaf_hash,
    node_hash,
    parents,
    root_of,
)

# The eight entries that certificate transparency tests with, and roots over the first of them.
REFERENCE = [
    bytes.fromhex(entry)
    for entry in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
LEAVES = [hashlib.sha256(b"%d" % number).digest() for number in range(1100)]


def test_the_empty_tree_has_the_hash_of_no_bytes():
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert root_of([]) == EMPTY_ROOT


def test_a_leaf_is_hashed_behind_a_zero_byte():
    assert leaf_hash(b"entry") == hashlib.sha256(b"\x00entry").digest()
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


def test_a_node_is_hashed_behind_a_one_byte():
    assert node_hash(LEAVES[0], LEAVES[1]) == hashlib.sha256(b"\x01" + LEAVES[0] + LEAVES[1]).digest()


def test_the_root_over_the_reference_entries_is_the_published_one():
    root = root_of([leaf_hash(entry) for entry in REFERENCE])

    assert root.hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_the_left_subtree_is_the_largest_full_one_below_the_size():
    def defined(leaves: list[bytes]) -> bytes:  # as section 2.1 says it
        if len(leaves) == 1:
            return leaves[0]
        split = 1 << (len(leaves) - 1).bit_length() - 1
        return node_hash(defined(leaves[:split]), defined(leaves[split:]))

    for size in range(1, 70):
        assert root_of(LEAVES[:size]) == defined(LEAVES[:size])


def test_a_lonely_node_is_promoted_and_not_doubled():
    assert root_of(LEAVES[:3]) == node_hash(node_hash(LEAVES[0], LEAVES[1]), LEAVES[2])
    assert root_of(LEAVES[:3]) != root_of([*LEAVES[:3], LEAVES[2]])


def test_a_level_up_leaves_out_a_node_without_a_partner():
    assert parents(LEAVES[:5]) == [node_hash(LEAVES[0], LEAVES[1]), node_hash(LEAVES[2], LEAVES[3])]


@pytest.mark.parametrize("seed", range(20))
def test_a_frontier_that_grows_in_pieces_has_the_roots_of_the_whole(seed):
    dice = random.Random(seed)
    frontier = Frontier()
    while frontier.size < len(LEAVES):
        more = LEAVES[frontier.size : frontier.size + dice.choice((0, 1, 2, 3, 8, 100, 256))]
        frontier = frontier.extend(more)

        assert frontier.root == root_of(LEAVES[: frontier.size])


def test_growing_leaves_the_frontier_before_as_it_was():
    before = Frontier().extend(LEAVES[:5])
    root = before.root

    before.extend(LEAVES[5:9])

    assert (before.size, before.root) == (5, root)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 255, 256, 1023])
def test_a_frontier_is_read_back(size):
    frontier = Frontier().extend(LEAVES[:size])

    again = Frontier.from_bytes(frontier.to_bytes())

    assert again == frontier
    assert again.extend(LEAVES[size:]).root == root_of(LEAVES)


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        bytes(7),
        bytes(8) + bytes(32),  # a node in the empty tree
        Frontier().extend(LEAVES[:7]).to_bytes()[:-1],
        Frontier().extend(LEAVES[:7]).to_bytes() + b"\x00",
        (2**63).to_bytes(8, "big") + bytes(32),
        b"\xff" * 8 + bytes(64 * 32),
    ],
)
def test_a_damaged_frontier_is_refused(damaged):
    with pytest.raises(TreeError) as refused:
        Frontier.from_bytes(damaged)

    assert refused.value.exit_code == 3


def test_a_frontier_whose_nodes_do_not_fit_its_size_is_refused():
    with pytest.raises(TreeError, match="2 full subtrees, found 1"):
        Frontier(3, (LEAVES[0],))
    with pytest.raises(TreeError, match="32 bytes"):
        Frontier(1, (b"short",))
    with pytest.raises(TreeError, match="not -1"):
        Frontier(-1)


def test_a_tree_ends_at_the_largest_size():
    full = Frontier(MAX_SIZE, tuple(LEAVES[:63]))

    with pytest.raises(TreeError):
        full.extend(LEAVES[:1])
