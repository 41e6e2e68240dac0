"""Cosignatures under one log's checkpoints: its own, which states the time, and those of the witnesses."""

from __future__ import annotations

from auditstream.core.clock import Clock
from auditstream.core.errors import RetryableError
from auditstream.ledger.checkpoints import Checkpoint, open_checkpoint, parse_checkpoint
from auditstream.ledger.cosignatures import CosignerSecretKey
from auditstream.ledger.keys import VerifierKey
from auditstream.ledger.notes import Note, Signature
from auditstream.ledger.tile_reader import HashReader, ReadFile
from auditstream.sealer.witness_client import WitnessContradictsError
from auditstream.sealer.witness_panel import WitnessPanel


class QuorumMissedError(RetryableError):
    """Too few witnesses have cosigned; the checkpoint before this one stays published."""

    code = "quorum_missed"
    hint = "Look at the witnesses that are named. Recording goes on, and sealing does when they answer."


class Endorser:
    """Endorses the checkpoints of one log; see `sealing.Endorse`.

    Args:
        cosigner: The log's own cosigner.
        log_keys: The log's keys.
        read: Reads the log's files.
        panel: The witnesses.
        clock: What times are stated.

    Attributes:
        contradictions: Of witnesses that saw another history, also where the quorum was met without them.
    """

    def __init__(
        self,
        cosigner: CosignerSecretKey,
        log_keys: tuple[VerifierKey, ...],
        *,
        read: ReadFile,
        panel: WitnessPanel,
        clock: Clock,
    ) -> None:
        self._cosigner = cosigner
        self._log_keys = log_keys
        self._read = read
        self._panel = panel
        self._clock = clock
        self.contradictions: list[WitnessContradictsError] = []

    def __call__(self, signed: Note, former: Note | None) -> Note:
        """Return the checkpoint with a fresh cosignature of the log and of each witness that answers.

        Cosignatures that the published note carries stay where there is no fresh one of the same key.

        Raises:
            QuorumMissedError: Too few witnesses have cosigned it.
            WitnessContradictsError: Likewise, and one of them has seen another history.
        """
        checkpoint = parse_checkpoint(signed.text)
        answers = self._panel.ask(signed, checkpoint, HashReader(checkpoint.size, self._read))
        self.contradictions += answers.contradictions
        own = self._cosigner.cosign(checkpoint, int(self._clock.now_s()))
        fresh = _by_key([own, *answers.cosignatures])
        cosignatures = self._former(former, checkpoint) | fresh
        note = Note(signed.text, (*signed.signatures, *cosignatures.values()))
        opened = open_checkpoint(note.to_bytes(), *self._log_keys, cosigners=self._panel.keys)
        if not self._panel.is_met_by({each.key for each in opened.by_cosigners}):
            if answers.contradictions:
                raise answers.contradictions[0]
            reasons = "; ".join(error.message for error in answers.absences)
            raise QuorumMissedError(f"{checkpoint.origin} at {checkpoint.size} lacks witnesses: {reasons}")
        return note

    def _former(self, former: Note | None, checkpoint: Checkpoint) -> dict[tuple[str, bytes], Signature]:
        if former is None or former.text != checkpoint.text:
            return {}
        known = (self._cosigner.verifier, *self._panel.keys)
        opened = open_checkpoint(former.to_bytes(), *self._log_keys, cosigners=known)
        return _by_key([each.signature for each in opened.by_cosigners])


def _by_key(signatures: list[Signature]) -> dict[tuple[str, bytes], Signature]:
    return {(each.name, each.key_id): each for each in signatures}
