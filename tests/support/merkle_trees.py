"""A Merkle tree held in memory, which can prove anything about each of its sizes."""

from __future__ import annotations

from collections.abc import Sequence

from auditstream.ledger.merkle import EMPTY_ROOT, node_hash, parents
from auditstream.ledger.proofs import Node, consistency_path, inclusion_path


class Tree:
    """The nodes of a tree, level by level."""

    def __init__(self, leaf_hashes: Sequence[bytes]) -> None:
        self.leaf_hashes = list(leaf_hashes)
        self._rows = [self.leaf_hashes]
        while len(self._rows[-1]) > 1:
            self._rows.append(parents(self._rows[-1]))

    def root(self, size: int) -> bytes:
        return self.node(((size - 1).bit_length(), 0), size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int) -> list[bytes]:
        return [self.node(node, size) for node in inclusion_path(index, size)]

    def consistency(self, size1: int, size2: int) -> list[bytes]:
        return [self.node(node, size2) for node in consistency_path(size1, size2)]

    def node(self, node: Node, size: int) -> bytes:
        """Return the hash over a node's leaves, as far as a tree of this size has them."""
        level, index = node
        if (index + 1) << level <= size:
            return self._rows[level][index]
        left, right = (level - 1, 2 * index), (level - 1, 2 * index + 1)
        if right[1] << right[0] >= size:
            return self.node(left, size)
        return node_hash(self.node(left, size), self.node(right, size))
