"""Inclusion and consistency proofs (RFC 9162, section 2.1), of whole trees and of subtrees.

A proof is a list of node hashes. Which nodes follows from the numbers alone: the `*_path` functions name
them, a prover looks them up, a verifier folds them. So a verifier knows the length of a proof beforehand,
at most 64, and does no work for any other.

A node (level, index) stands for the leaves [index << level, (index + 1) << level), cut off at the size of the
tree. A subtree [start, end) is one whose start is a multiple of the least power of two that is not below its
length (draft-ietf-plants-merkle-tree-certs); an empty one is part of every tree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from auditstream.core.errors import VerificationError
from auditstream.ledger.hashing import HASH_BYTES
from auditstream.ledger.merkle import EMPTY_ROOT, MAX_SIZE, node_hash


class ProofError(VerificationError):
    """A proof does not prove what it was given for."""

    code = "proof"
    hint = "Fetch the proof and the checkpoint again; if they still disagree, keep both as evidence."


Node: TypeAlias = tuple[int, int]  # level (0 holds the leaves), index from the left


def inclusion_path(index: int, size: int) -> list[Node]:
    """Return the nodes of the proof that a leaf is in a tree, from the leaf's sibling upward.

    Raises:
        ProofError: There is no such leaf.
    """
    return subtree_inclusion_path(index, 0, size)


def subtree_inclusion_path(index: int, start: int, end: int) -> list[Node]:
    """Return the nodes of the proof that a leaf is in the subtree [start, end), each cut off at `end`.

    Args:
        index: The leaf's index in the whole tree.
        start: First leaf of the subtree.
        end: First leaf after it.

    Raises:
        ProofError: No such leaf, or [start, end) is not a subtree.
    """
    _check_subtree(start, end)
    if not start <= index < end:
        raise ProofError(f"leaf {index} is not among the leaves [{start}, {end})")
    return list(_siblings((0, index), end, _height(end - start)))


def consistency_path(size1: int, size2: int) -> list[Node]:
    """Return the nodes of the proof that the first tree is the beginning of the second; cut off at `size2`.

    Raises:
        ProofError: The first tree is empty, or larger than the second.
    """
    _check_not_empty(size1)
    return subtree_consistency_path(0, size1, size2)


def subtree_consistency_path(start: int, end: int, size: int) -> list[Node]:
    """Return the nodes of the proof that the subtree [start, end) is part of a tree; cut off at `size`.

    Raises:
        ProofError: [start, end) is not a subtree, or not inside the tree.
    """
    _check_inside(start, end, size)
    if start == end:
        return []
    first = _first_node(start, end, size)
    siblings = _siblings(first, size, _height(size))
    return list(siblings) if _is_whole(first, start, end) else [first, *siblings]


def verify_inclusion(index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the tree with this size and root has this leaf at this index.

    Raises:
        ProofError: It is not proved.
    """
    verify_subtree_inclusion(index, 0, size, leaf_hash=leaf_hash, proof=proof, root=root)


def verify_subtree_inclusion(
    index: int, start: int, end: int, *, leaf_hash: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that the subtree [start, end) with this root has this leaf at this index of the whole tree.

    Raises:
        ProofError: It is not proved.
    """
    path = subtree_inclusion_path(index, start, end)
    _check_hashes(path, proof, leaf_hash, root)
    found = leaf_hash
    for node, sibling in zip(path, proof, strict=True):
        found = _fold(node, sibling, found)
    _check_root(f"inclusion of leaf {index} in [{start}, {end})", expected=root, found=found)


def verify_consistency(size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]) -> None:
    """Check that the first tree is the beginning of the second.

    Nothing is proved about an empty first tree, so one is an error here.

    Raises:
        ProofError: It is not proved.
    """
    _check_not_empty(size1)
    verify_subtree_consistency(0, size1, size2, subtree_root=root1, root=root2, proof=proof)


def verify_subtree_consistency(
    start: int, end: int, size: int, *, subtree_root: bytes, root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the subtree [start, end) with this root is part of the tree with this size and root.

    Of an empty subtree its own root is checked; it says nothing about the tree's.

    Raises:
        ProofError: It is not proved.
    """
    path = subtree_consistency_path(start, end, size)
    _check_hashes(path, proof, subtree_root, root)
    if start == end:
        _check_root(f"the empty subtree at {start}", expected=EMPTY_ROOT, found=subtree_root)
        return
    first = _first_node(start, end, size)
    rest = list(zip(path, proof, strict=True))
    part = whole = subtree_root if _is_whole(first, start, end) else rest.pop(0)[1]
    for node, sibling in rest:
        whole = _fold(node, sibling, whole)
        # Siblings to the right begin at or behind the subtree's end, those to the left may begin before it.
        level, index = node
        if index % 2 == 0 and start <= index << level:
            part = _fold(node, sibling, part)
    _check_root(
        f"consistency of [{start}, {end}) with size {size}, the part", expected=subtree_root, found=part
    )
    _check_root(f"consistency of [{start}, {end}) with size {size}, the tree", expected=root, found=whole)


def _siblings(node: Node, size: int, height: int) -> Iterator[Node]:
    """Yield the sibling of a node and of each of its ancestors below `height`, where there is one."""
    first_level, index = node
    for level in range(first_level, height):
        sibling = (index >> (level - first_level)) ^ 1
        if sibling << level < size:  # else the ancestor is alone, and so its own parent
            yield level, sibling


def _first_node(start: int, end: int, size: int) -> Node:
    """Return the node where a consistency proof starts: the largest full one that ends with the subtree."""
    level = _height(end - start)
    if end != size:
        level = min(level, (end & -end).bit_length() - 1)
    return level, (end - 1) >> level


def _is_whole(first: Node, start: int, end: int) -> bool:
    """Return whether that node is the subtree itself, whose hash the verifier has: the proof omits it."""
    return first[0] == _height(end - start)


def _height(length: int) -> int:
    """Return the level of the root over this many leaves."""
    return (length - 1).bit_length()


def _fold(node: Node, sibling: bytes, found: bytes) -> bytes:
    is_right = node[1] % 2 == 1
    return node_hash(found, sibling) if is_right else node_hash(sibling, found)


def _check_not_empty(size1: int) -> None:
    if size1 == 0:
        raise ProofError("a proof from the empty tree proves nothing")


def _check_inside(start: int, end: int, size: int) -> None:
    _check_subtree(start, end)
    if not end <= size <= MAX_SIZE:
        raise ProofError(f"leaves [{start}, {end}) are not inside a tree of size {size}")


def _check_subtree(start: int, end: int) -> None:
    if not 0 <= start <= end <= MAX_SIZE:
        raise ProofError(f"[{start}, {end}) is no range of leaves: 0 <= start <= end < 2^63")
    if start < end and start % (1 << _height(end - start)):
        raise ProofError(f"[{start}, {end}) is not a subtree: {start} is no multiple of its width")


def _check_hashes(path: list[Node], proof: Sequence[bytes], *others: bytes) -> None:
    if len(proof) != len(path):
        raise ProofError(f"the proof needs {len(path)} hashes, found {len(proof)}")
    if any(len(each) != HASH_BYTES for each in (*proof, *others)):
        raise ProofError(f"a hash is not {HASH_BYTES} bytes long")


def _check_root(what: str, *, expected: bytes, found: bytes) -> None:
    if found != expected:
        raise ProofError(f"{what}: expected root {expected.hex()}, found {found.hex()}")
