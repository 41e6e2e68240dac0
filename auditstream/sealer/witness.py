"""A witness: cosigns a checkpoint when the log only grew since the one before, and remembers it first.

It holds no log and serves no reader. What it cosigned last is kept a register a log, as the checkpoint that
its log signed, so that it is evidence too when a log shows it another history.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from auditstream.core.clock import Clock
from auditstream.ledger.checkpoints import Checkpoint, OpenedCheckpoint, parse_checkpoint
from auditstream.ledger.cosignatures import CosignerSecretKey
from auditstream.ledger.keys import VerifierKey
from auditstream.ledger.notes import Note, parse_note
from auditstream.ledger.witnessing import (
    SIZE_TYPE,
    RefusedError,
    Status,
    WitnessingError,
    WitnessRequest,
    answer_text,
    claimed_origin,
    judge,
    parse_request,
)
from auditstream.sealer.tile_store import MovedError, Register

_TEXT = "text/plain; charset=utf-8"
_TRIES = 8  # a log is asked about by few sealers at once


class KnownLogs(Protocol):
    """Which logs a witness cosigns, and by which keys it knows them. May block; threads may share it."""

    def keys(self, origin: str) -> tuple[VerifierKey, ...]:
        """Return the trusted keys of a log, none when it is not known.

        Raises:
            RetryableError: It cannot be told now.
        """
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered over HTTP."""

    status: int
    body: str
    content_type: str = _TEXT


class Witness:
    """Answers requests; threads and processes may share its registers.

    Args:
        key: What it cosigns with.
        logs: Which logs it cosigns.
        register: Returns the register of a name.
        clock: What time it states.
    """

    def __init__(
        self,
        key: CosignerSecretKey,
        logs: KnownLogs,
        register: Callable[[str], Register],
        clock: Clock,
    ) -> None:
        self._key = key
        self._logs = logs
        self._register = register
        self._clock = clock

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer a request `add-checkpoint`.

        Raises:
            RetryableError: The answer is not known now: memory or list of logs do not answer.
            VerificationError: The memory is damaged.
        """
        try:
            request = parse_request(body)
            keys = self._logs.keys(claimed_origin(request))
            opened = self._remembered(request, keys)
        except WitnessingError as error:
            return Answer(Status.MALFORMED, f"{error.message}\n")
        except RefusedError as refused:
            if refused.size is None:
                return Answer(refused.status, f"{refused.message}\n")
            return Answer(refused.status, f"{refused.size}\n", SIZE_TYPE)
        cosignature = self._key.cosign(opened.checkpoint, int(self._clock.now_s()))
        return Answer(Status.COSIGNED, answer_text([cosignature]))

    def _remembered(self, request: WitnessRequest, keys: tuple[VerifierKey, ...]) -> OpenedCheckpoint:
        """Judge a request and store its checkpoint as the last one, as one step as far as others can see."""
        register = self._register(register_name(claimed_origin(request)))
        for _ in range(_TRIES):
            former = register.read()
            last = None if former is None else _stored(former)
            opened = judge(request, keys, last)
            if last is not None and last == opened.checkpoint:
                return opened
            note = Note(opened.note.text, tuple(each.signature for each in opened.by_log))
            try:
                register.replace(former, note.to_bytes())
            except MovedError:
                continue  # another request came first: judge this one against what that one left
            return opened
        raise MovedError("this log's checkpoints keep changing", hint="Ask again.")


def register_name(origin: str) -> str:
    """Return the name of a log's register: any origin gives a file name of the same length."""
    return hashlib.sha256(origin.encode("utf-8", "surrogateescape")).hexdigest()


def _stored(data: bytes) -> Checkpoint:
    return parse_checkpoint(parse_note(data).text)
