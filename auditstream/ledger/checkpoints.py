"""Checkpoints (c2sp.org/tlog-checkpoint): a log's signed statement of its size and root.

Text: origin, size, root in base64, one a line, then optional extension lines. The origin is the name of the
log's key. Our own checkpoints have no extension lines: no auditor sees what is in them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from auditstream.core.errors import VerificationError
from auditstream.ledger.hashing import HASH_BYTES
from auditstream.ledger.keys import SignerKey, VerifierKey
from auditstream.ledger.merkle import EMPTY_ROOT, MAX_SIZE
from auditstream.ledger.notes import Note, VerifiedSignature, sign_note, verify_note
from auditstream.ledger.strict_text import from_base64, from_decimal, to_base64


class CheckpointError(VerificationError):
    """A text is no checkpoint, or not one of the expected log."""

    code = "checkpoint"
    hint = "Fetch the checkpoint again and check the log's verifier key; if still wrong, keep it as evidence."


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint says.

    Attributes:
        origin: Name of the log.
        size: Leaves in the log.
        root: 32 bytes.
        extensions: Further lines, not empty, without newlines.

    Raises:
        CheckpointError: No log can be in such a state, or no text say so.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_SIZE:
            raise CheckpointError(f"a size is 0 to 2^63 - 1, found {self.size}")
        if len(self.root) != HASH_BYTES:
            raise CheckpointError(f"a root has {HASH_BYTES} bytes, found {len(self.root)}")
        if (self.size == 0) != (self.root == EMPTY_ROOT):
            raise CheckpointError(f"size {self.size} cannot have root {self.root.hex()}")
        if any(not line or "\n" in line for line in (self.origin, *self.extensions)):
            raise CheckpointError("origin and extensions are lines, and none is empty")

    @property
    def text(self) -> str:
        """The text that is signed."""
        return "".join(
            f"{line}\n" for line in (self.origin, self.size, to_base64(self.root), *self.extensions)
        )


@dataclass(frozen=True, slots=True)
class OpenedCheckpoint:
    """A checkpoint that its log has signed.

    Attributes:
        checkpoint: What it says.
        note: The note it came in, with all its signatures.
        by_log: The log's own signatures, one or more.
        by_cosigners: Signatures of other known keys.
    """

    checkpoint: Checkpoint
    note: Note
    by_log: tuple[VerifiedSignature, ...]
    by_cosigners: tuple[VerifiedSignature, ...]


def parse_checkpoint(text: str) -> Checkpoint:
    """Return the checkpoint that the text of a note says; nothing is verified.

    Raises:
        CheckpointError: The text is not a checkpoint.
    """
    if not text.endswith("\n"):
        raise CheckpointError("a checkpoint ends in a newline")
    lines = text[:-1].split("\n")
    if len(lines) < 3:
        raise CheckpointError(f"a checkpoint has origin, size and root, found {len(lines)} lines")
    try:
        size, root = from_decimal(lines[1]), from_base64(lines[2])
    except ValueError as error:
        raise CheckpointError(f"size or root of {lines[0][:80]!r}: {error}") from error
    return Checkpoint(lines[0], size, root, tuple(lines[3:]))


def sign_checkpoint(checkpoint: Checkpoint, signer: SignerKey) -> Note:
    """Return the checkpoint signed; the caller has checked that it is consistent with the last one signed.

    Raises:
        CheckpointError: The origin is not the name of the key.
    """
    _check_origin(checkpoint.origin, signer.name)
    return sign_note(checkpoint.text, signer)


def open_checkpoint(
    data: bytes, *log_keys: VerifierKey, cosigners: Iterable[VerifierKey] = ()
) -> OpenedCheckpoint:
    """Return a published checkpoint once a key of its log has verified it.

    Args:
        data: The note.
        log_keys: One log's keys: one, or several while keys rotate. At least one must have signed.
        cosigners: Further keys whose signatures are verified where there are any.

    Raises:
        NoteError: Not a note, nobody known signed it, or a known key's signature does not hold.
        CheckpointError: Not a checkpoint, of another origin, or signed by cosigners alone.
    """
    note, verified = verify_note(data, (*log_keys, *cosigners))
    checkpoint = parse_checkpoint(note.text)
    for key in log_keys:
        _check_origin(checkpoint.origin, key.name)
    by_log = tuple(each for each in verified if each.key in log_keys)
    if not by_log:
        raise CheckpointError(f"the log {checkpoint.origin!r} itself has not signed its checkpoint")
    return OpenedCheckpoint(
        checkpoint, note, by_log, tuple(each for each in verified if each.key not in log_keys)
    )


def _check_origin(origin: str, name: str) -> None:
    if origin != name:
        raise CheckpointError(f"the key is of {name!r}, the checkpoint of {origin[:200]!r}")
