"""Every proof of a tree holds, and none whose bits were changed does."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.ledger.merkle import root_of
from auditstream.ledger.proofs import (
    ProofError,
    subtree_consistency_path,
    subtree_inclusion_path,
    verify_consistency,
    verify_inclusion,
    verify_subtree_consistency,
    verify_subtree_inclusion,
)
from tests.support.examples import examples
from tests.support.merkle_trees import Tree

LEAVES = [hashlib.sha256(b"%d" % number).digest() for number in range(300)]
TREE = Tree(LEAVES)
SIZES = st.integers(1, len(LEAVES))


@st.composite
def subtrees(draw: st.DrawFn) -> tuple[int, int]:
    """Draw a subtree [start, end) that is not empty."""
    width = 1 << draw(st.integers(0, 8))
    start = width * draw(st.integers(0, (len(LEAVES) - 1) // width))
    shortest = start + width // 2 + 1
    if shortest > len(LEAVES):  # one leaf is a subtree wherever it is
        return start, start + 1
    return start, draw(st.integers(shortest, min(start + width, len(LEAVES))))


def flipped(data: st.DataObject, proof: list[bytes]) -> list[bytes]:
    """Return a proof with one bit changed."""
    position, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
    changed = (int.from_bytes(proof[position], "big") ^ 1 << bit).to_bytes(32, "big")
    return [*proof[:position], changed, *proof[position + 1 :]]


@settings(max_examples=examples(100), deadline=None)
@given(size=SIZES, data=st.data())
def test_each_leaf_is_proved_to_be_in_each_tree(size, data):
    index = data.draw(st.integers(0, size - 1))
    proof, root = TREE.inclusion(index, size), root_of(LEAVES[:size])

    verify_inclusion(index, size, LEAVES[index], proof, root)
    if proof:
        with pytest.raises(ProofError):
            verify_inclusion(index, size, LEAVES[index], flipped(data, proof), root)


@settings(max_examples=examples(100), deadline=None)
@given(sizes=st.tuples(SIZES, SIZES).map(sorted), data=st.data())
def test_each_tree_is_proved_to_begin_each_larger_one(sizes, data):
    size1, size2 = sizes
    roots = root_of(LEAVES[:size1]), root_of(LEAVES[:size2])
    proof = TREE.consistency(size1, size2)

    verify_consistency(size1, size2, *roots, proof)
    if proof:
        with pytest.raises(ProofError):
            verify_consistency(size1, size2, *roots, flipped(data, proof))


@settings(max_examples=examples(100), deadline=None)
@given(subtree=subtrees(), data=st.data())
def test_each_leaf_is_proved_to_be_in_each_subtree(subtree, data):
    start, end = subtree
    index = data.draw(st.integers(start, end - 1))
    proof = [TREE.node(node, end) for node in subtree_inclusion_path(index, start, end)]
    root = root_of(LEAVES[start:end])

    verify_subtree_inclusion(index, start, end, leaf_hash=LEAVES[index], proof=proof, root=root)
    if proof:
        changed = flipped(data, proof)
        with pytest.raises(ProofError):
            verify_subtree_inclusion(index, start, end, leaf_hash=LEAVES[index], proof=changed, root=root)


@settings(max_examples=examples(100), deadline=None)
@given(subtree=subtrees(), data=st.data())
def test_each_subtree_is_proved_to_be_part_of_each_tree(subtree, data):
    start, end = subtree
    size = data.draw(st.integers(end, len(LEAVES)))
    proof = [TREE.node(node, size) for node in subtree_consistency_path(start, end, size)]
    roots = {"subtree_root": root_of(LEAVES[start:end]), "root": root_of(LEAVES[:size])}

    verify_subtree_consistency(start, end, size, proof=proof, **roots)
    if proof:
        with pytest.raises(ProofError):
            verify_subtree_consistency(start, end, size, proof=flipped(data, proof), **roots)
