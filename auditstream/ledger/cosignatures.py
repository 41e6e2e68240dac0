"""Cosignatures (c2sp.org/tlog-cosignature, Ed25519): a witness says when it saw a consistent checkpoint.

Payload of the signature line: POSIX seconds (u64, big-endian), then 64 bytes of Ed25519. Signed are the lines
`cosignature/v1` and `time N`, then the whole text of the checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from auditstream.ledger.checkpoints import Checkpoint, CheckpointError, parse_checkpoint
from auditstream.ledger.keys import SecretKey, VerifierKey
from auditstream.ledger.notes import Signature

MAX_TIME_S = 2**63 - 1

_TIME_BYTES = 8


@dataclass(frozen=True, slots=True)
class CosignerKey(VerifierKey):
    """The public key of a witness, or of a log that also states times."""

    TYPE: ClassVar[int] = 0x04

    def verifies(self, text: bytes, payload: bytes) -> bool:
        """Return whether this key cosigned the checkpoint with this text."""
        try:
            parse_checkpoint(text.decode("utf-8"))
        except (CheckpointError, UnicodeDecodeError):
            return False
        time_s = int.from_bytes(payload[:_TIME_BYTES], "big")
        if len(payload) <= _TIME_BYTES or time_s > MAX_TIME_S:
            return False
        return self.signed(_message(text, time_s), payload[_TIME_BYTES:])


@dataclass(frozen=True, slots=True)
class CosignerSecretKey(SecretKey):
    """The private key of a cosigner; one key serves one cosigner, since the name is not signed."""

    VERIFIER: ClassVar[type[VerifierKey]] = CosignerKey

    def cosign(self, checkpoint: Checkpoint, time_s: int) -> Signature:
        """Return the cosignature; the caller has checked that the checkpoint is consistent with the last one.

        Args:
            checkpoint: What is cosigned.
            time_s: POSIX seconds, 0 to 2^63 - 1.
        """
        if not 0 <= time_s <= MAX_TIME_S:
            raise ValueError(f"seconds since 1970, below 2^63: {time_s}")
        signature = self.sign_message(_message(checkpoint.text.encode(), time_s))
        return Signature(self.name, self.verifier.key_id, time_s.to_bytes(_TIME_BYTES, "big") + signature)


def cosigned_at(signature: Signature) -> int:
    """Return the POSIX seconds that a cosignature states."""
    return int.from_bytes(signature.payload[:_TIME_BYTES], "big")


def _message(text: bytes, time_s: int) -> bytes:
    return b"cosignature/v1\ntime %d\n%b" % (time_s, text)
