"""The Merkle tree of RFC 6962, section 2.1 (the same in RFC 9162): hashes, roots, and a frontier that grows.

A leaf is SHA-256(0x00 || entry), a node SHA-256(0x01 || left || right), the root of nothing SHA-256 of no
bytes. A node without a right neighbour is its own parent; it is never doubled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from auditstream.core.errors import VerificationError
from auditstream.ledger.hashing import HASH_BYTES, Rows, hashes_of, joined, row_hashes, split

MAX_SIZE = 2**63 - 1  # Go and ClickHouse readers hold a size in a signed 64-bit integer
EMPTY_ROOT = hashlib.sha256(b"").digest()

_SIZE_BYTES = 8


class TreeError(VerificationError):
    """A stored or given part of a tree has not the form that its size asks for."""

    code = "tree"
    hint = "The state is damaged: restore it, or derive it again from the entries."


def leaf_hash(entry: bytes) -> bytes:
    """Return the 32-byte hash of a leaf's entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """Return the 32-byte hash of each leaf's entry."""
    return hashes_of([b"\x00" + entry for entry in entries])


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the 32-byte hash of the node over two 32-byte hashes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def parents(nodes: Sequence[bytes]) -> list[bytes]:
    """Return the hashes one level up, a pair each; a last node without a partner is left out."""
    if len(nodes) < 2:
        return []
    return split(parent_rows(joined(nodes[: len(nodes) & ~1], HASH_BYTES)))


def parent_rows(nodes: Rows) -> Rows:
    """Return the hashes one level up of an even number of 32-byte rows, a row a pair."""
    pairs = nodes.reshape(-1, 2 * HASH_BYTES)
    prefixed = np.ones((len(pairs), 1 + 2 * HASH_BYTES), np.uint8)  # a node is hashed behind a one
    prefixed[:, 1:] = pairs
    return row_hashes(prefixed)


@dataclass(frozen=True, slots=True)
class Frontier:
    """The right edge of a tree: all that growing it and telling its root needs.

    Attributes:
        size: Leaves in the tree.
        nodes: Roots of the full subtrees that the tree consists of, the largest (leftmost) first: one for
            each bit that is set in `size`.

    Raises:
        TreeError: The number of nodes, or a node's length, is not what `size` asks for.
    """

    size: int = 0
    nodes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_SIZE:
            raise TreeError(f"a tree has 0 to 2^63 - 1 leaves, not {self.size}")
        if len(self.nodes) != self.size.bit_count():
            subtrees = self.size.bit_count()
            raise TreeError(f"size {self.size} has {subtrees} full subtrees, found {len(self.nodes)}")
        if any(len(node) != HASH_BYTES for node in self.nodes):
            raise TreeError(f"a node is {HASH_BYTES} bytes long: {[len(node) for node in self.nodes]}")

    @property
    def root(self) -> bytes:
        """Root of the whole tree."""
        if not self.nodes:
            return EMPTY_ROOT
        return reduce(lambda right, left: node_hash(left, right), reversed(self.nodes))

    def extend(self, leaf_hashes: Sequence[bytes]) -> Frontier:
        """Return the frontier after more leaves, at the cost of one hash call for each new full subtree.

        Args:
            leaf_hashes: 32 bytes each, in order; as from `leaf_hash`.
        """
        waiting = list(self.nodes)  # the smallest subtree last
        grown: list[bytes] = []
        row = leaf_hashes  # new nodes of the level at hand
        old = self.size  # nodes of that level before
        while row:
            if old & 1:
                row = [waiting.pop(), *row]
            if len(row) & 1:
                grown.append(row[-1])
            row = parents(row)
            old >>= 1
        return Frontier(self.size + len(leaf_hashes), (*waiting, *reversed(grown)))

    def to_bytes(self) -> bytes:
        """Return the size (u64, big-endian) and the nodes, largest first."""
        return self.size.to_bytes(_SIZE_BYTES, "big") + b"".join(self.nodes)

    @classmethod
    def from_bytes(cls, data: bytes) -> Frontier:
        """Return the frontier that `to_bytes` wrote.

        Raises:
            TreeError: The bytes are too short or too long for the size that they name.
        """
        size = int.from_bytes(data[:_SIZE_BYTES], "big")
        expected = _SIZE_BYTES + HASH_BYTES * size.bit_count()
        if len(data) != expected:
            raise TreeError(f"a frontier of size {size} takes {expected} bytes, found {len(data)}")
        starts = range(_SIZE_BYTES, len(data), HASH_BYTES)
        return cls(size, tuple(data[start : start + HASH_BYTES] for start in starts))


def root_of(leaf_hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes of 32 bytes each."""
    return Frontier().extend(leaf_hashes).root
