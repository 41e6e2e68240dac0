"""Receipts (c2sp.org/tlog-proof): one text that proves to anybody, offline, that an entry is in a log.

Lines: `c2sp.org/tlog-proof@v1`; optionally `extra` and base64; `index N`; the hashes of the inclusion proof
in base64, from the leaf upward; an empty line; the checkpoint with its signatures, as it was published.
"""

from __future__ import annotations

from dataclasses import dataclass

from auditstream.core.errors import VerificationError
from auditstream.ledger.checkpoints import OpenedCheckpoint
from auditstream.ledger.hashing import HASH_BYTES
from auditstream.ledger.merkle import MAX_SIZE
from auditstream.ledger.notes import MAX_NOTE_BYTES
from auditstream.ledger.policies import Policy
from auditstream.ledger.proofs import verify_inclusion
from auditstream.ledger.strict_text import from_base64, from_decimal, to_base64

MAX_PROOF_HASHES = 63  # of a tree with 2^63 - 1 leaves
MAX_EXTRA_BYTES = 100_000

_FIRST_LINE = "c2sp.org/tlog-proof@v1"
# What the lines above the checkpoint can be: first line, extra, index, hashes of 44 letters.
_MAX_HEAD_BYTES = 64 + 4 * (MAX_EXTRA_BYTES // 3 + 1) + 32 + 45 * MAX_PROOF_HASHES


class ReceiptError(VerificationError):
    """The bytes are not a receipt."""

    code = "receipt"
    hint = "Ask for the receipt again; it is checked byte for byte, so do not edit it."


@dataclass(frozen=True, slots=True)
class Receipt:
    """A proof that a log has an entry, with nothing verified yet.

    Attributes:
        index: Index of the entry.
        proof: Hashes of the inclusion proof, from the leaf's sibling upward.
        checkpoint: The signed checkpoint, byte for byte.
        extra: Anything else the issuer put in; nothing vouches for it.

    Raises:
        ReceiptError: A part has not the form or size that a receipt can hold.
    """

    index: int
    proof: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes = b""

    def __post_init__(self) -> None:
        if not 0 <= self.index <= MAX_SIZE:
            raise ReceiptError(f"an index is 0 to 2^63 - 1, found {self.index}")
        if len(self.proof) > MAX_PROOF_HASHES:
            raise ReceiptError(f"a proof has at most {MAX_PROOF_HASHES} hashes, found {len(self.proof)}")
        if any(len(each) != HASH_BYTES for each in self.proof):
            raise ReceiptError(f"a hash of the proof is not {HASH_BYTES} bytes long")
        if len(self.extra) > MAX_EXTRA_BYTES:
            raise ReceiptError(f"extra data has at most {MAX_EXTRA_BYTES} bytes, found {len(self.extra)}")

    def to_bytes(self) -> bytes:
        """Return the receipt as it is handed out."""
        extra = [f"extra {to_base64(self.extra)}"] if self.extra else []
        lines = [_FIRST_LINE, *extra, f"index {self.index}", *map(to_base64, self.proof), ""]
        return "".join(f"{line}\n" for line in lines).encode() + self.checkpoint

    def verify(self, leaf_hash: bytes, policy: Policy) -> OpenedCheckpoint:
        """Check that the entry with this leaf hash is in a log of the policy, and return the checkpoint.

        Raises:
            NoteError: The checkpoint is not a note, or a known key's signature does not hold.
            CheckpointError: It is of no known log, or without the quorum.
            ProofError: The entry is not in the tree of the checkpoint.
        """
        opened = policy.open_checkpoint(self.checkpoint)
        verify_inclusion(self.index, opened.checkpoint.size, leaf_hash, self.proof, opened.checkpoint.root)
        return opened


def parse_receipt(data: bytes) -> Receipt:
    """Return the receipt that these bytes hold; nothing is verified.

    Raises:
        ReceiptError: They are not a receipt.
    """
    if len(data) > _MAX_HEAD_BYTES + MAX_NOTE_BYTES:
        raise ReceiptError(f"a receipt has not {len(data)} bytes")
    head, separator, checkpoint = data.partition(b"\n\n")
    if not separator:
        raise ReceiptError("a receipt has an empty line above its checkpoint, found none")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise ReceiptError(f"the proof is ASCII: {error}") from error
    if lines.pop(0) != _FIRST_LINE:
        raise ReceiptError(f"a receipt begins with {_FIRST_LINE}")
    try:
        extra = from_base64(lines.pop(0)[6:]) if lines and lines[0].startswith("extra ") else None
        if not lines or not lines[0].startswith("index "):
            raise ReceiptError("the line `index N` is missing")
        index = from_decimal(lines.pop(0)[6:])
        if len(lines) > MAX_PROOF_HASHES:
            raise ReceiptError(f"a proof has at most {MAX_PROOF_HASHES} hashes, found {len(lines)}")
        proof = tuple(from_base64(line) for line in lines)
    except ValueError as error:
        raise ReceiptError(str(error)) from error
    if extra == b"":
        raise ReceiptError("a receipt without extra data has no line for it")
    return Receipt(index, proof, checkpoint, extra or b"")
