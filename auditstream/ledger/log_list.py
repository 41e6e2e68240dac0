"""The list of all logs of a deployment, signed by its key: a log that somebody leaves out is missed.

A signed note (c2sp.org/signed-note). Text: `auditstream-logs/v1`; the deployment's name, which is the name
of its key; `time N` in POSIX seconds; then a line a log, in order of origins: origin, verifier key, size and
root in base64, with a space between. A log whose key was rotated is listed with the newest one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from auditstream.core.errors import VerificationError
from auditstream.ledger.checkpoints import Checkpoint, CheckpointError
from auditstream.ledger.keys import KeyTextError, SignerKey, VerifierKey
from auditstream.ledger.merkle import MAX_SIZE
from auditstream.ledger.notes import MAX_NOTE_BYTES, Note, sign_note, verify_note
from auditstream.ledger.strict_text import from_base64, from_decimal, to_base64

MAX_LOGS = 10_000

_FIRST_LINE = "auditstream-logs/v1"
_TIME = "time "


class LogListError(VerificationError):
    """A text is no list of logs, or not one of the expected deployment."""

    code = "log_list"
    hint = (
        "Fetch the list again and check the deployment's verifier key; if still wrong, keep it as evidence."
    )


@dataclass(frozen=True, slots=True)
class ListedLog:
    """One log as the list knows it.

    Attributes:
        key: Its newest verifier key; the key's name is the log's origin.
        size: Leaves under its checkpoint.
        root: Their root, 32 bytes.

    Raises:
        CheckpointError: No log can be in such a state.
    """

    key: VerifierKey
    size: int
    root: bytes

    def __post_init__(self) -> None:
        Checkpoint(self.origin, self.size, self.root)

    @property
    def origin(self) -> str:
        """Name of the log."""
        return self.key.name

    @property
    def line(self) -> str:
        """The line in the list, without its newline."""
        return f"{self.origin} {self.key.text} {self.size} {to_base64(self.root)}"


@dataclass(frozen=True, slots=True)
class LogList:
    """What a list says.

    Attributes:
        deployment: `<host>/<deployment>`; each origin begins with it and a slash.
        time_s: When it was made, POSIX seconds.
        logs: In order of origins, each origin and each public key once.

    Raises:
        LogListError: No list can say so.
    """

    deployment: str
    time_s: int
    logs: tuple[ListedLog, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.time_s <= MAX_SIZE:
            raise LogListError(f"a time is 0 to 2^63 - 1 seconds, found {self.time_s}")
        if len(self.logs) > MAX_LOGS:
            raise LogListError(f"a list has at most {MAX_LOGS} logs, found {len(self.logs)}")
        for log in self.logs:
            if not log.origin.startswith(f"{self.deployment}/"):
                raise LogListError(f"the log {log.origin!r} is not of the deployment {self.deployment!r}")
        for left, right in pairwise(self.logs):
            if left.origin.encode() >= right.origin.encode():
                raise LogListError(f"the log {right.origin!r} is out of order, or there twice")
        if len({log.key.public_key for log in self.logs}) != len(self.logs):
            raise LogListError("two logs have the same public key")

    @property
    def text(self) -> str:
        """The text that is signed."""
        lines = (_FIRST_LINE, self.deployment, f"{_TIME}{self.time_s}", *(log.line for log in self.logs))
        return "".join(f"{line}\n" for line in lines)

    def find(self, origin: str) -> ListedLog | None:
        """Return a log by its origin, None when it is not listed."""
        return next((log for log in self.logs if log.origin == origin), None)


def log_list(deployment: str, time_s: int, logs: Iterable[ListedLog]) -> LogList:
    """Return the list of these logs, put in order.

    Raises:
        LogListError: No list can say so.
    """
    return LogList(deployment, time_s, tuple(sorted(logs, key=lambda log: log.origin.encode())))


def parse_log_list(text: str) -> LogList:
    """Return the list that the text of a note says; nothing is verified.

    Raises:
        LogListError: The text is not a list of logs; the message names the line.
    """
    if len(text) > MAX_NOTE_BYTES:
        raise LogListError(f"a list has at most {MAX_NOTE_BYTES} bytes")
    lines = text.split("\n")
    if lines.pop():
        raise LogListError("a list ends in a newline")
    if len(lines) < 3 or lines[0] != _FIRST_LINE:
        raise LogListError(f"a list begins with {_FIRST_LINE}, a deployment and a time")
    deployment, time, *logs = lines[1:]
    if len(logs) > MAX_LOGS:
        raise LogListError(f"a list has at most {MAX_LOGS} logs, found {len(logs)}")
    if not time.startswith(_TIME):
        raise LogListError(f"line 3: no time: {time[:80]!r}")
    try:
        time_s = from_decimal(time.removeprefix(_TIME))
    except ValueError as error:
        raise LogListError(f"line 3: {error}") from error
    listed = tuple(_parse_line(number, line) for number, line in enumerate(logs, start=4))
    return LogList(deployment, time_s, listed)


def sign_log_list(listed: LogList, *signers: SignerKey) -> Note:
    """Return the list signed by the deployment's key; by its former ones too where keys were rotated.

    Raises:
        LogListError: A key is of another deployment.
        NoteError: The list is longer than a note can be.
    """
    for signer in signers:
        _check_name(listed, signer.name)
    note = sign_note(listed.text, *signers)
    if len(note.to_bytes()) > MAX_NOTE_BYTES:
        raise LogListError(f"the list of {len(listed.logs)} logs is longer than {MAX_NOTE_BYTES} bytes")
    return note


def open_log_list(data: bytes, *deployment_keys: VerifierKey) -> LogList:
    """Return a published list once a key of its deployment has verified it.

    Args:
        data: The note.
        deployment_keys: One deployment's keys: one, or several while keys rotate. One must have signed.

    Raises:
        NoteError: Not a note, nobody known signed it, or a known key's signature does not hold.
        LogListError: Not a list, or of another deployment.
    """
    note, _ = verify_note(data, deployment_keys)
    listed = parse_log_list(note.text)
    for key in deployment_keys:
        _check_name(listed, key.name)
    return listed


def _parse_line(number: int, line: str) -> ListedLog:
    items = line.split(" ")
    if len(items) != 4:
        raise LogListError(f"line {number}: a log is origin, key, size and root, found {len(items)} items")
    origin, vkey, size, root = items
    try:
        log = ListedLog(VerifierKey.parse(vkey), from_decimal(size), from_base64(root))
    except (ValueError, KeyTextError, CheckpointError) as error:
        raise LogListError(f"line {number}: {error}") from error
    if log.origin != origin:
        raise LogListError(f"line {number}: the key is of {log.origin!r}, the log is {origin[:200]!r}")
    return log


def _check_name(listed: LogList, name: str) -> None:
    if listed.deployment != name:
        raise LogListError(f"the key is of {name!r}, the list of {listed.deployment[:200]!r}")
