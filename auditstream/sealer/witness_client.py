"""Asks one witness over HTTP to cosign checkpoints (c2sp.org/tlog-witness)."""

from __future__ import annotations

import time

from urllib3 import BaseHTTPResponse, PoolManager, Timeout
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as HTTPTimeoutError

from auditstream.core.errors import RetryableError, VerificationError
from auditstream.ledger.checkpoints import Checkpoint
from auditstream.ledger.notes import Note, NoteError, Signature, verify_note
from auditstream.ledger.policies import Witness
from auditstream.ledger.tile_reader import HashReader, prove_consistency
from auditstream.ledger.witnessing import (
    ADD_CHECKPOINT,
    MAX_ANSWER_BYTES,
    Status,
    WitnessingError,
    WitnessRequest,
    parse_answer,
    parse_size,
)

_TRIES = 4  # the first may not know the size, and other sealers of the log may be asking too


class WitnessAwayError(RetryableError):
    """A witness does not answer, or not now."""

    code = "witness_away"
    hint = "Checkpoints wait until enough witnesses answer; recording goes on. Look at the witness."


class WitnessRefusesError(RetryableError):
    """A witness does not know the log or its key, or does not speak the protocol."""

    code = "witness_refuses"
    hint = "Its operator must let it trust this log: `--trust-deployment`, or the log's line of vkeys.txt."


class WitnessContradictsError(VerificationError):
    """A witness has seen another history of the log than the one that is to be published."""

    code = "witness_contradicts"
    hint = (
        "Stop. Keep rows, tiles and memory, ask the witness what it cosigned, and run `auditstream verify`."
    )


class WitnessAheadError(WitnessContradictsError):
    """A witness has cosigned more leaves of the log than this sealer knows of.

    Attributes:
        size: How many.
    """

    code = "witness_ahead"
    hint = "The sealer's state is an old copy. Restore the newest one: nothing is signed until it is there."

    def __init__(self, message: str, size: int) -> None:
        super().__init__(message)
        self.size = size


class WitnessClient:
    """Asks one witness; may be shared by threads.

    Args:
        witness: Its key, and the URL under which it answers.
        timeout_s: How long an answer may take.
    """

    def __init__(self, witness: Witness, *, timeout_s: float = 5.0) -> None:
        self.witness = witness
        self._url = (witness.url or "").rstrip("/") + ADD_CHECKPOINT
        self._timeout_s = timeout_s
        self._http = PoolManager(maxsize=4, retries=False, timeout=Timeout(total=timeout_s))
        self._sizes: dict[str, int] = {}  # by origin, what the witness cosigned last as far as we know

    def cosign(self, signed: Note, checkpoint: Checkpoint, reader: HashReader) -> tuple[Signature, ...]:
        """Return the witness's cosignatures of a checkpoint, verified.

        Args:
            signed: The checkpoint signed by its log.
            checkpoint: What it says.
            reader: Node hashes of the log at the checkpoint's size.

        Raises:
            WitnessAwayError: No answer.
            WitnessRefusesError: It knows neither log nor key, or answers anything else.
            WitnessAheadError: It has cosigned a larger size.
            WitnessContradictsError: It has cosigned another root, of which this one is no continuation.
        """
        origin = checkpoint.origin
        for _ in range(_TRIES):
            old = min(self._sizes.get(origin, 0), checkpoint.size)
            proof = tuple(prove_consistency(reader, old)) if old else ()
            status, body = self._post(WitnessRequest(old, proof, signed.to_bytes()).to_bytes())
            match status:
                case Status.COSIGNED:
                    cosignatures = self._verified(body, checkpoint)
                    self._sizes[origin] = checkpoint.size
                    return cosignatures
                case Status.CONFLICT:
                    self._sizes[origin] = self._size_of_conflict(body, checkpoint, old)
                case Status.NOT_CONSISTENT:
                    message = f"{self._name} says that {origin} at {checkpoint.size} does not continue {old}"
                    raise WitnessContradictsError(message)
                case _ if status >= 500 or status == 429:
                    raise WitnessAwayError(f"{self._name} answered {status}")
                case _:
                    raise WitnessRefusesError(f"{self._name} answered {status} about {origin}")
        raise WitnessAwayError(f"{self._name} names another size of {origin} each time")

    @property
    def _name(self) -> str:
        return f"the witness {self.witness.name!r}"

    def _size_of_conflict(self, body: bytes, checkpoint: Checkpoint, old: int) -> int:
        try:
            size = parse_size(body)
        except WitnessingError as error:
            raise WitnessRefusesError(f"{self._name}: {error.message}") from error
        if size > checkpoint.size:
            message = (
                f"{self._name} has cosigned size {size} of {checkpoint.origin}, here is {checkpoint.size}"
            )
            raise WitnessAheadError(message, size)
        if size == old:
            message = f"{self._name} has cosigned another root of {checkpoint.origin} at size {size}"
            raise WitnessContradictsError(message)
        return size

    def _verified(self, body: bytes, checkpoint: Checkpoint) -> tuple[Signature, ...]:
        try:
            note = Note(checkpoint.text, parse_answer(body, checkpoint))
            _, verified = verify_note(note.to_bytes(), [self.witness.key])
        except (WitnessingError, NoteError) as error:
            raise WitnessRefusesError(f"{self._name}: {error.message}") from error
        return tuple(each.signature for each in verified)

    def _post(self, body: bytes) -> tuple[int, bytes]:
        deadline = time.monotonic() + self._timeout_s
        try:
            answer = self._http.request("POST", self._url, body=body, redirect=False, preload_content=False)
            try:
                return answer.status, self._body(answer, deadline)
            finally:
                answer.release_conn()
        except (HTTPError, OSError) as error:
            # Without the error's own words, which differ each time: a log line tells of what is new.
            why = "in time" if isinstance(error, TimeoutError | HTTPTimeoutError) else f"at {self._url}"
            raise WitnessAwayError(f"{self._name} does not answer {why}") from error

    def _body(self, answer: BaseHTTPResponse, deadline: float) -> bytes:
        """Return the body as far as an answer may be long and may take."""
        body = b""
        while len(body) <= MAX_ANSWER_BYTES:
            if time.monotonic() > deadline:
                raise WitnessAwayError(f"{self._name} did not end its answer in {self._timeout_s:g} s")
            piece = answer.read1(MAX_ANSWER_BYTES)
            if not piece:
                return body
            body += piece
        answer.close()
        raise WitnessRefusesError(f"{self._name} answered more than {MAX_ANSWER_BYTES} bytes")
