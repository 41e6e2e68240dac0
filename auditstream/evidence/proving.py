"""Receipts: one event's proof, made from what is published, and checked by whoever gets it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from auditstream.core.errors import RetryableError, VerificationError
from auditstream.evidence.findings import Finding
from auditstream.evidence.leaf_fields import differences, event_id_of
from auditstream.evidence.listing import Trust, read_checkpoint
from auditstream.evidence.published import Published
from auditstream.evidence.tree_files import TreeFiles
from auditstream.ledger.checkpoints import Checkpoint, open_checkpoint, parse_checkpoint
from auditstream.ledger.leaves import ENTRY_BYTES
from auditstream.ledger.merkle import leaf_hash
from auditstream.ledger.notes import parse_note
from auditstream.ledger.proofs import verify_inclusion
from auditstream.ledger.receipts import Receipt
from auditstream.ledger.tile_reader import HashReader, prove_inclusion
from auditstream.ledger.tiles import FULL_WIDTH

_VALUE_AT = ENTRY_BYTES - 32


class NotSealedError(RetryableError):
    """The event is recorded, and no checkpoint covers it yet."""

    code = "not_sealed"
    hint = (
        "A checkpoint comes within seconds while `auditstream seal` runs; `auditstream status` shows sizes."
    )


class NotProvedError(VerificationError):
    """A receipt, or what it would be made of, does not hold."""

    code = "not_proved"
    hint = "Keep it as evidence, and run `auditstream verify`."


@dataclass(frozen=True, slots=True)
class Proved:
    """What a receipt proves.

    Attributes:
        checkpoint: The log at the size that it was signed at.
        index: The leaf's index.
        entry: The leaf's entry.
        cosigners: Names of the known cosigners of the checkpoint.
    """

    checkpoint: Checkpoint
    index: int
    entry: bytes
    cosigners: tuple[str, ...]

    def record(self) -> dict[str, object]:
        """Return what is proved by name."""
        return {
            "log": self.checkpoint.origin,
            "index": self.index,
            "size": self.checkpoint.size,
            "event_id": str(event_id_of(self.entry)),
            "value_sha256": self.entry[_VALUE_AT:].hex(),
            "cosigners": list(self.cosigners),
        }


def prove(published: Published, trust: Trust, log_id: str, index: int, entry: bytes) -> Receipt:
    """Return the receipt of a recorded leaf; it has been checked as its reader will.

    Args:
        published: What was published.
        trust: Keys, policy, and the name of the deployment.
        log_id: The log, as `topic/partition/epoch`.
        index: Index of the leaf.
        entry: The entry that the recorded row gives.

    Raises:
        NotSealedError: No checkpoint covers the leaf yet.
        NotProvedError: The row is not what was sealed, or what is published does not hold.
    """
    origin = f"{trust.deployment}/{log_id}"
    findings: list[Finding] = []
    if published.read(f"{log_id}/checkpoint") is None:
        raise NotSealedError(f"leaf {index} of {origin}: the log has no checkpoint yet")
    found = read_checkpoint(published, log_id, origin, trust, findings)
    if found is None or findings:
        raise NotProvedError("; ".join(map(str, findings)))
    opened, data = found
    size = opened.checkpoint.size
    if index >= size:
        raise NotSealedError(f"leaf {index} of {origin}: the newest checkpoint covers {size} leaves")
    sealed = TreeFiles(published, log_id, opened.checkpoint).entries(index // FULL_WIDTH)
    if sealed is None:
        raise NotProvedError(f"leaf {index} of {origin}: its bundle of entries is missing or malformed")
    if sealed[index % FULL_WIDTH] != entry:
        told = "; ".join(
            f"{name}: sealed {wanted}, recorded {seen}"
            for name, wanted, seen in differences(sealed[index % FULL_WIDTH], entry)
        )
        raise NotProvedError(f"leaf {index} of {origin} is not what was sealed: {told}")
    reader = HashReader(size, lambda name: published.read(f"{log_id}/{name}"))
    receipt = Receipt(index, tuple(prove_inclusion(reader, index)), data, extra=entry)
    verify_inclusion(index, size, leaf_hash(entry), receipt.proof, opened.checkpoint.root)
    return receipt


def check(receipt: Receipt, trust: Trust, value: bytes | None = None) -> Proved:
    """Return what a receipt proves.

    Args:
        receipt: The receipt; its extra data is the leaf's entry, as in those of ours.
        trust: Keys and policy.
        value: The event's bytes as received; when given, the leaf must commit to them.

    Raises:
        NotProvedError: The entry is not of this leaf, the value is another one, or no key is known.
        NoteError, CheckpointError: The checkpoint does not hold.
        ProofError: The entry is not in the tree of the checkpoint.
    """
    entry = receipt.extra
    if len(entry) != ENTRY_BYTES:
        raise NotProvedError(f"the receipt carries no leaf entry of {ENTRY_BYTES} bytes")
    if int.from_bytes(entry[2:10], "big") != receipt.index:
        raise NotProvedError(f"the receipt is of leaf {receipt.index}, its entry of another one")
    if value is not None and hashlib.sha256(value).digest() != entry[_VALUE_AT:]:
        raise NotProvedError(
            f"the leaf commits to value {entry[_VALUE_AT:].hex()}, "
            f"the given one is {hashlib.sha256(value).hexdigest()}"
        )
    origin = parse_checkpoint(parse_note(receipt.checkpoint).text).origin
    keys = trust.vkeys.signers(origin)
    if not keys:
        raise NotProvedError(f"no key of {origin[:200]!r} is known")
    witnesses = [witness.key for witness in trust.policy.witnesses] if trust.policy else []
    cosigners = dict.fromkeys([*witnesses, *trust.vkeys.cosigners()])
    opened = open_checkpoint(receipt.checkpoint, *keys, cosigners=cosigners)
    by = [each.key for each in opened.by_cosigners]
    if trust.policy is not None and not trust.policy.is_met_by(by):
        raise NotProvedError(f"the quorum {trust.policy.quorum!r} has not cosigned the checkpoint")
    checkpoint = opened.checkpoint
    verify_inclusion(receipt.index, checkpoint.size, leaf_hash(entry), receipt.proof, checkpoint.root)
    return Proved(checkpoint, receipt.index, entry, tuple(dict.fromkeys(key.name for key in by)))
