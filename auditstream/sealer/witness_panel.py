"""The witnesses of a trust policy, asked all at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Self

from auditstream.core.errors import AuditStreamError, ConfigError
from auditstream.ledger.checkpoints import Checkpoint
from auditstream.ledger.cosignatures import CosignerKey
from auditstream.ledger.keys import VerifierKey
from auditstream.ledger.notes import Note, Signature
from auditstream.ledger.policies import NO_QUORUM, Policy
from auditstream.ledger.tile_reader import HashReader
from auditstream.sealer.witness_client import WitnessAwayError, WitnessClient, WitnessContradictsError

NO_WITNESSES = Policy((), (), (), NO_QUORUM)

COSIGNED = "cosigned"
Answered = Callable[[str, str], object]
"""Is told the name of a witness, and `cosigned` or the code of what it did instead."""


@dataclass(slots=True)
class Answers:
    """What the witnesses answered about one checkpoint.

    Attributes:
        cosignatures: Verified ones.
        contradictions: Of witnesses that saw another history.
        absences: Why others did not cosign.
    """

    cosignatures: list[Signature] = field(default_factory=list)
    contradictions: list[WitnessContradictsError] = field(default_factory=list)
    absences: list[AuditStreamError] = field(default_factory=list)


class WitnessPanel:
    """Asks the witnesses of a policy; one that was away is left alone until `new_round`.

    Args:
        policy: Witnesses and quorum; its logs are not looked at.
        timeout_s: How long one witness may take.
        answered: Is told of every answer.

    Raises:
        ConfigError: Those witnesses that have a URL are not enough for the quorum.
    """

    def __init__(
        self, policy: Policy, *, timeout_s: float = 5.0, answered: Answered = lambda name, answer: None
    ) -> None:
        asked = [witness for witness in policy.witnesses if witness.url]
        if not policy.is_met_by(witness.key for witness in asked):
            raise ConfigError(
                f"the quorum {policy.quorum!r} of the policy cannot be met by witnesses that have a URL",
                hint="Add the URL to the witness's line: witness NAME VKEY URL.",
            )
        self._policy = policy
        self._clients = [WitnessClient(witness, timeout_s=timeout_s) for witness in asked]
        self._answered = answered
        self._away: set[str] = set()
        self._threads = ThreadPoolExecutor(max(1, 4 * len(asked)), thread_name_prefix="witness")

    @property
    def keys(self) -> tuple[CosignerKey, ...]:
        """Keys of all witnesses of the policy."""
        return tuple(witness.key for witness in self._policy.witnesses)

    def is_met_by(self, cosigners: set[VerifierKey]) -> bool:
        """Return whether the quorum has cosigned."""
        return self._policy.is_met_by(cosigners)

    def new_round(self) -> None:
        """Ask those again that were away."""
        self._away.clear()

    def ask(self, signed: Note, checkpoint: Checkpoint, reader: HashReader) -> Answers:
        """Return what the witnesses say of a checkpoint; see `WitnessClient.cosign`."""
        answers = Answers()
        asked: list[tuple[str, Future[tuple[Signature, ...]]]] = []
        for client in self._clients:
            if client.witness.name in self._away:
                answers.absences.append(WitnessAwayError(f"the witness {client.witness.name!r} is away"))
            else:
                future = self._threads.submit(client.cosign, signed, checkpoint, reader)
                asked.append((client.witness.name, future))
        for name, future in asked:
            self._take(answers, name, future)
        return answers

    def _take(self, answers: Answers, name: str, future: Future[tuple[Signature, ...]]) -> None:
        try:
            answers.cosignatures += future.result()
        except WitnessContradictsError as error:
            answers.contradictions.append(error)
            self._answered(name, error.code)
        except AuditStreamError as error:
            answers.absences.append(error)
            self._answered(name, error.code)
            if isinstance(error, WitnessAwayError):
                self._away.add(name)
        else:
            self._answered(name, COSIGNED)

    def close(self) -> None:
        """End the threads; an answer under way is waited for."""
        self._threads.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
