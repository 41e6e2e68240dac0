"""The witness protocol (c2sp.org/tlog-witness) without network or disk: requests, and what a witness decides.

Body of a request `add-checkpoint`: `old N`, the size that the witness cosigned last; the hashes of the proof
that the log only grew since, in base64, one a line; an empty line; the checkpoint with its signatures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from auditstream.core.errors import AuditStreamError, VerificationError
from auditstream.ledger.checkpoints import Checkpoint, OpenedCheckpoint, open_checkpoint, parse_checkpoint
from auditstream.ledger.hashing import HASH_BYTES
from auditstream.ledger.keys import VerifierKey
from auditstream.ledger.merkle import EMPTY_ROOT, MAX_SIZE
from auditstream.ledger.notes import MAX_NOTE_BYTES, NoteError, Signature, parse_note
from auditstream.ledger.proofs import ProofError, verify_consistency
from auditstream.ledger.strict_text import from_base64, from_decimal, to_base64

ADD_CHECKPOINT = "/add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"
MAX_PROOF_HASHES = 63
MAX_ANSWER_BYTES = 64_000

_OLD = "old "
_MAX_HEAD_BYTES = 32 + 45 * MAX_PROOF_HASHES + 2
MAX_REQUEST_BYTES = _MAX_HEAD_BYTES + MAX_NOTE_BYTES


class WitnessingError(VerificationError):
    """The bytes are no request to a witness, or no answer of one."""

    code = "witnessing"
    hint = "Both sides speak c2sp.org/tlog-witness; one of them does not, or something between them."


@dataclass(frozen=True, slots=True)
class WitnessRequest:
    """What a log asks of a witness, with nothing verified yet.

    Attributes:
        old_size: Size that the witness cosigned last, as far as the log knows.
        proof: Consistency proof from that size to the checkpoint's; empty when one of them is 0.
        checkpoint: The signed checkpoint.

    Raises:
        WitnessingError: A part has not the form or size that a request can hold.
    """

    old_size: int
    proof: tuple[bytes, ...]
    checkpoint: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.old_size <= MAX_SIZE:
            raise WitnessingError(f"a size is 0 to 2^63 - 1, found {self.old_size}")
        if len(self.proof) > MAX_PROOF_HASHES:
            raise WitnessingError(f"a proof has at most {MAX_PROOF_HASHES} hashes, found {len(self.proof)}")
        if any(len(each) != HASH_BYTES for each in self.proof):
            raise WitnessingError(f"a hash of the proof is not {HASH_BYTES} bytes long")

    def to_bytes(self) -> bytes:
        """Return the body of the request."""
        lines = (f"{_OLD}{self.old_size}", *map(to_base64, self.proof), "")
        return "".join(f"{line}\n" for line in lines).encode() + self.checkpoint


def parse_request(data: bytes) -> WitnessRequest:
    """Return the request that a body holds; nothing is verified.

    Raises:
        WitnessingError: It is not one.
    """
    if len(data) > MAX_REQUEST_BYTES:
        raise WitnessingError(f"a request has at most {MAX_REQUEST_BYTES} bytes, found {len(data)}")
    head, separator, checkpoint = data[:_MAX_HEAD_BYTES].partition(b"\n\n")
    if not separator:
        raise WitnessingError("a request has an empty line above its checkpoint, found none")
    checkpoint = data[len(head) + len(separator) :]
    try:
        old, *proof = head.decode("ascii").split("\n")
        if not old.startswith(_OLD):
            raise WitnessingError("a request begins with `old N`")
        old_size, hashes = from_decimal(old.removeprefix(_OLD)), tuple(map(from_base64, proof))
    except ValueError as error:
        raise WitnessingError(str(error)) from error
    return WitnessRequest(old_size, hashes, checkpoint)


class Status(IntEnum):
    """Answers of a witness, as HTTP says them."""

    COSIGNED = 200
    MALFORMED = 400
    NOT_SIGNED = 403
    UNKNOWN_LOG = 404
    CONFLICT = 409
    NOT_CONSISTENT = 422


class RefusedError(AuditStreamError):
    """A witness does not cosign what it was given.

    Attributes:
        status: Its answer.
        size: What it cosigned last, where the answer says so.
    """

    code = "witness_refused"

    def __init__(self, status: Status, message: str, *, size: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.size = size


def claimed_origin(request: WitnessRequest) -> str:
    """Return the origin that a request's checkpoint names, so that its keys can be looked up.

    Raises:
        RefusedError: There is no checkpoint in it.
    """
    return _claimed(request).origin


def judge(
    request: WitnessRequest, log_keys: Sequence[VerifierKey], last: Checkpoint | None
) -> OpenedCheckpoint:
    """Return the checkpoint of a request that may be cosigned, once it is stored as the last one.

    Store it by compare-and-set against `last`, and only then answer: else two requests at once could roll
    the witness back.

    Args:
        request: What is asked.
        log_keys: Trusted keys of the log that the checkpoint names; none when it is not known.
        last: The checkpoint of this log that was cosigned last, None before the first.

    Raises:
        RefusedError: It may not.
    """
    claimed = _claimed(request)
    if not log_keys:
        raise RefusedError(Status.UNKNOWN_LOG, f"unknown log {claimed.origin[:200]!r}")
    try:
        opened = open_checkpoint(request.checkpoint, *log_keys)
    except VerificationError as error:
        raise RefusedError(Status.NOT_SIGNED, error.message) from error
    new = opened.checkpoint
    if request.old_size > new.size:
        raise RefusedError(Status.MALFORMED, f"old size {request.old_size} above the new one, {new.size}")
    old_size, old_root = (last.size, last.root) if last is not None else (0, EMPTY_ROOT)
    if request.old_size != old_size:
        message = f"cosigned last is size {old_size}, not {request.old_size}"
        raise RefusedError(Status.CONFLICT, message, size=old_size)
    if new.size == old_size and new.root != old_root:
        raise RefusedError(Status.CONFLICT, f"another root was cosigned at size {old_size}", size=old_size)
    try:
        _check_growth(old_size, old_root, new, request.proof)
    except ProofError as error:
        raise RefusedError(Status.NOT_CONSISTENT, error.message) from error
    return opened


def answer_text(signatures: Sequence[Signature]) -> str:
    """Return the body of the answer with cosignatures."""
    return "".join(f"{signature.line}\n" for signature in signatures)


def parse_answer(data: bytes, checkpoint: Checkpoint) -> tuple[Signature, ...]:
    """Return the signature lines of an answer, not verified.

    Raises:
        WitnessingError: It has no such lines.
    """
    if len(data) > MAX_ANSWER_BYTES:
        raise WitnessingError(f"an answer has at most {MAX_ANSWER_BYTES} bytes, found {len(data)}")
    try:
        note = parse_note(f"{checkpoint.text}\n".encode() + data)
    except NoteError as error:
        raise WitnessingError(f"no cosignatures: {error.message}") from error
    if note.text != checkpoint.text:
        raise WitnessingError("an answer is signature lines and nothing else")
    return note.signatures


def parse_size(data: bytes) -> int:
    """Return the size that the answer to a conflict states.

    Raises:
        WitnessingError: It states none.
    """
    try:
        return from_decimal(data[:64].decode("ascii").removesuffix("\n"))
    except ValueError as error:
        raise WitnessingError(f"no size: {error}") from error


def _claimed(request: WitnessRequest) -> Checkpoint:
    try:
        return parse_checkpoint(parse_note(request.checkpoint).text)
    except VerificationError as error:
        raise RefusedError(Status.MALFORMED, error.message) from error


def _check_growth(old_size: int, old_root: bytes, new: Checkpoint, proof: Sequence[bytes]) -> None:
    if old_size:
        verify_consistency(old_size, new.size, old_root, new.root, proof)
    elif proof:
        raise ProofError("a proof from the empty log has no hashes")
