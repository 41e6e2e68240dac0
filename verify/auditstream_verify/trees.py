"""Trees of RFC 6962 as C2SP tlog-tiles stores them: hashes, roots, names of tiles, proofs of inclusion."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from auditstream_verify.notes import EMPTY_ROOT, BrokenError

WIDTH = 256  # hashes in a full tile


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Return the root over some hashes: split at the largest power of two below their number.

    Folding pairs level by level, with the last one carried up where it has no partner, gives the same.
    """
    if not hashes:
        return EMPTY_ROOT
    row = list(hashes)
    while len(row) > 1:
        folded = [node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
        row = folded + row[-1:] if len(row) % 2 else folded
    return row[0]


def root_with_edge(tile_roots: Sequence[bytes], edge: Sequence[bytes]) -> bytes:
    """Return the root over full tiles, by their roots, and the leaves behind them.

    The edge has fewer leaves than a tile, so that it is the right child, or part of it, on every level.
    """
    return root_of([*tile_roots, root_of(edge)]) if edge else root_of(tile_roots)


def place(index: int, width: int = WIDTH) -> str:
    """Return how tlog-tiles writes the index of a tile, as x001/234, and the width of a partial one."""
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([*("x" + group for group in groups[:-1]), groups[-1]])
    return path if width == WIDTH else f"{path}.p/{width}"


def check_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check that a tree has a leaf at an index (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        raise BrokenError(f"there is no leaf {index} in a tree of {size}")
    node, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0 or len(sibling) != 32:
            raise BrokenError("the proof is too long, or a hash of it is not 32 bytes long")
        if node % 2 or node == last:
            found = node_hash(sibling, found)
            while node % 2 == 0 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        node, last = node >> 1, last >> 1
    if last or found != root:
        raise BrokenError(f"leaf {index} is not in the tree: expected root {root.hex()}, found {found.hex()}")
