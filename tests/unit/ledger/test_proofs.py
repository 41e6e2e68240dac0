"""What a verifier of proofs refuses, and that what it is asked costs nothing."""

from __future__ import annotations

import hashlib

import pytest

from auditstream.core.errors import VerificationError
from auditstream.ledger.merkle import EMPTY_ROOT, MAX_SIZE
from auditstream.ledger.proofs import (
    ProofError,
    consistency_path,
    inclusion_path,
    subtree_consistency_path,
    subtree_inclusion_path,
    verify_consistency,
    verify_inclusion,
    verify_subtree_consistency,
    verify_subtree_inclusion,
)
from tests.support.merkle_trees import Tree

LEAVES = [hashlib.sha256(b"%d" % number).digest() for number in range(40)]
TREE = Tree(LEAVES)
ROOT = TREE.root(7)
PROOF = TREE.inclusion(4, 7)


def test_the_paths_of_rfc_6962_section_2_1_3():
    # Seven leaves; in its drawing a..j are leaves and nodes: b = (0, 1), h = (1, 1), l = (2, 1).
    assert inclusion_path(0, 7) == [(0, 1), (1, 1), (2, 1)]
    assert inclusion_path(3, 7) == [(0, 2), (1, 0), (2, 1)]
    assert inclusion_path(4, 7) == [(0, 5), (1, 3), (2, 0)]
    assert inclusion_path(6, 7) == [(1, 2), (2, 0)]
    assert consistency_path(3, 7) == [(0, 2), (0, 3), (1, 0), (2, 1)]
    assert consistency_path(4, 7) == [(2, 1)]
    assert consistency_path(6, 7) == [(1, 2), (1, 3), (2, 0)]


def test_subtrees_inside_a_tree():
    assert subtree_inclusion_path(5, 4, 7) == [(0, 4), (1, 3)]
    assert subtree_consistency_path(4, 6, 8) == [(1, 3), (2, 0)]
    assert subtree_consistency_path(4, 7, 7) == [(2, 0)]


def test_an_index_outside_the_tree_is_refused():
    for index in (-1, 7, 8, 2**63, 2**64):
        with pytest.raises(ProofError, match="not among the leaves"):
            verify_inclusion(index, 7, LEAVES[4], PROOF, ROOT)


def test_nothing_is_in_the_empty_tree():
    with pytest.raises(ProofError):
        verify_inclusion(0, 0, EMPTY_ROOT, [], EMPTY_ROOT)


@pytest.mark.parametrize(
    "proof",
    [[], PROOF[:-1], PROOF[1:], [*PROOF, bytes(32)], [bytes(32), *PROOF], [*PROOF, ROOT], PROOF * 2],
    ids=["empty", "cut", "beheaded", "trailing", "preceding", "with root", "doubled"],
)
def test_a_proof_of_another_length_is_refused(proof):
    with pytest.raises(ProofError, match="needs 3 hashes, found"):
        verify_inclusion(4, 7, LEAVES[4], proof, ROOT)


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_hash_that_is_not_32_bytes_long_is_refused(length):
    odd = bytes(length)
    for leaf, proof, root in (
        (LEAVES[4], [PROOF[0], odd, PROOF[2]], ROOT),
        (odd, PROOF, ROOT),
        (LEAVES[4], PROOF, odd),
    ):
        with pytest.raises(ProofError, match="not 32 bytes"):
            verify_inclusion(4, 7, leaf, proof, root)
    with pytest.raises(ProofError, match="not 32 bytes"):
        verify_consistency(1, 1, odd, odd, [])


def test_another_leaf_index_root_or_order_is_refused_and_says_what_was_found():
    with pytest.raises(ProofError) as refused:
        verify_inclusion(4, 7, LEAVES[5], PROOF, ROOT)
    assert f"inclusion of leaf 4 in [0, 7): expected root {ROOT.hex()}, found " in refused.value.message
    for index, proof, root in ((5, PROOF, ROOT), (4, PROOF[::-1], ROOT), (4, PROOF, TREE.root(8))):
        with pytest.raises(ProofError, match="expected root"):
            verify_inclusion(index, 7, LEAVES[4], proof, root)


def test_a_refused_proof_ends_a_command_with_3():
    with pytest.raises(VerificationError) as refused:
        verify_inclusion(0, 1, LEAVES[0], [], LEAVES[1])

    assert refused.value.exit_code == 3


def test_a_consistency_proof_from_the_empty_tree_is_refused():
    for size2, root2 in ((0, EMPTY_ROOT), (7, ROOT)):
        with pytest.raises(ProofError, match="proves nothing"):
            verify_consistency(0, size2, EMPTY_ROOT, root2, [])


def test_a_tree_that_shrank_is_refused():
    with pytest.raises(ProofError, match="not inside"):
        verify_consistency(7, 6, ROOT, TREE.root(6), [])


def test_equal_sizes_need_equal_roots_and_no_proof():
    verify_consistency(7, 7, ROOT, ROOT, [])

    with pytest.raises(ProofError, match="expected root"):
        verify_consistency(7, 7, TREE.root(6), ROOT, [])
    with pytest.raises(ProofError, match="needs 0 hashes"):
        verify_consistency(7, 7, ROOT, ROOT, [ROOT])


def test_a_rewritten_history_is_refused_on_both_sides():
    other = Tree([LEAVES[1], *LEAVES[1:]])
    proof = TREE.consistency(6, 7)

    verify_consistency(6, 7, TREE.root(6), ROOT, proof)
    with pytest.raises(ProofError, match="the part"):
        verify_consistency(6, 7, other.root(6), ROOT, proof)
    with pytest.raises(ProofError, match="the tree"):
        verify_consistency(6, 7, TREE.root(6), other.root(7), proof)


def test_only_aligned_ranges_are_subtrees():
    verify_subtree_inclusion(4, 4, 7, leaf_hash=LEAVES[4], proof=PROOF[:2], root=TREE.node((2, 1), 7))
    verify_subtree_consistency(
        4, 7, 7, subtree_root=TREE.node((2, 1), 7), root=ROOT, proof=[TREE.node((2, 0), 7)]
    )
    for start, end in ((2, 6), (1, 3), (4, 3), (-4, 0), (5, 7)):
        with pytest.raises(ProofError):
            subtree_inclusion_path(start, start, end)
        with pytest.raises(ProofError):
            subtree_consistency_path(start, end, 8)


def test_the_largest_tree_has_proofs_of_at_most_64_hashes():
    assert len(inclusion_path(0, MAX_SIZE)) == 63
    assert len(inclusion_path(MAX_SIZE - 1, MAX_SIZE)) == 62
    assert len(consistency_path(2**62 + 1, MAX_SIZE)) == 64


@pytest.mark.parametrize("size", [2**63, 2**64, 10**1000, -1])
def test_a_size_that_no_log_has_is_refused_at_once(size):
    with pytest.raises(ProofError):
        verify_inclusion(0, size, LEAVES[0], [bytes(32)] * 63, ROOT)
    with pytest.raises(ProofError):
        verify_consistency(1, size, LEAVES[0], ROOT, [bytes(32)] * 63)


def test_a_proof_of_a_million_hashes_is_refused_by_its_length():
    with pytest.raises(ProofError, match="needs 63 hashes, found 1000000"):
        verify_inclusion(0, MAX_SIZE, LEAVES[0], [bytes(32)] * 1_000_000, ROOT)
