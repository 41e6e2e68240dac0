"""Size and root that were signed last: what a sealer remembers beside its key."""

from __future__ import annotations

from dataclasses import dataclass

from auditstream.ledger.hashing import HASH_BYTES
from auditstream.ledger.merkle import EMPTY_ROOT, MAX_SIZE, TreeError
from auditstream.ledger.strict_text import from_base64, from_decimal, to_base64

_FORM = "auditstream-sealed/v1"


@dataclass(frozen=True, slots=True)
class TreeHead:
    """A tree, told by its number of leaves and its root."""

    size: int
    root: bytes

    def to_bytes(self) -> bytes:
        """Return three lines: the name of the form, the size, the root in base64."""
        return f"{_FORM}\n{self.size}\n{to_base64(self.root)}\n".encode()


EMPTY_TREE = TreeHead(0, EMPTY_ROOT)


def parse_head(data: bytes) -> TreeHead:
    """Return what `TreeHead.to_bytes` wrote.

    Raises:
        TreeError: It did not write this.
    """
    try:
        form, size, root, rest = data.decode("ascii").split("\n")
        head = TreeHead(from_decimal(size), from_base64(root))
    except ValueError as error:
        raise TreeError(f"not the memory of a sealed tree: {data[:100]!r}") from error
    if form != _FORM or rest or head.size > MAX_SIZE or len(head.root) != HASH_BYTES:
        raise TreeError(f"not the memory of a sealed tree: {data[:100]!r}")
    return head
