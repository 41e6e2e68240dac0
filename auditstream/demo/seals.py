"""How much of what was sent is under a published checkpoint, checked as a reader of the evidence would."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from auditstream.core.errors import VerificationError
from auditstream.core.settings import EvidenceSettings
from auditstream.ledger.checkpoints import open_checkpoint
from auditstream.ledger.policies import parse_policy
from auditstream.ledger.tiles import CHECKPOINT
from auditstream.sealer.key_file import load_ring
from auditstream.sealer.places import open_place


@dataclass(frozen=True, slots=True)
class Seal:
    """What is published of one log.

    Attributes:
        log_id: The log.
        size: Leaves under its checkpoint, which its key has signed.
        is_witnessed: Whether a witness has cosigned it, and the policy's quorum is met.
    """

    log_id: str
    size: int
    is_witnessed: bool


class Seals:
    """Reads what a deployment publishes.

    Args:
        evidence: Where, by whose keys, and under which policy; all of them said.
    """

    def __init__(self, evidence: EvidenceSettings) -> None:
        assert evidence.key_file is not None
        assert evidence.policy_file is not None
        self._name = evidence.deployment_name
        self._place = open_place(evidence.store, Path())
        self._key_file = evidence.key_file
        self._policy_file = evidence.policy_file

    def read(self, log_ids: Iterable[str]) -> list[Seal]:
        """Return what is published of some logs; one that has no valid checkpoint counts as empty.

        Raises:
            ConfigError: Keys or policy cannot be read.
            StoreDownError: The evidence cannot be read.
        """
        return [self._seal(log_id) for log_id in log_ids]

    def _seal(self, log_id: str) -> Seal:
        data = self._place.store(log_id).read(CHECKPOINT)
        policy = parse_policy(self._policy_file.read_bytes())
        keys = load_ring(self._key_file).verifiers(f"{self._name}/{log_id}")
        witnesses = [witness.key for witness in policy.witnesses]
        try:
            opened = open_checkpoint(data or b"", *keys, cosigners=witnesses)
        except VerificationError:
            return Seal(log_id, 0, is_witnessed=False)
        cosigners = [each.key for each in opened.by_cosigners]
        return Seal(
            log_id, opened.checkpoint.size, is_witnessed=bool(cosigners) and policy.is_met_by(cosigners)
        )
