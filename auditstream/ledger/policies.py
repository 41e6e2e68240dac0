"""Trust policies (c2sp.org/tlog-policy): which logs and witnesses are known, and how many must have cosigned.

A file of lines: `log <vkey> [<url>]`, `witness <name> <vkey> [<url>]`, `group <name> all|any|<k> <name>...`,
and one `quorum <name>|none`. Groups and quorum name what stands above them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sized
from dataclasses import dataclass

from auditstream.core.errors import ConfigError
from auditstream.ledger.checkpoints import (
    CheckpointError,
    OpenedCheckpoint,
    open_checkpoint,
    parse_checkpoint,
)
from auditstream.ledger.cosignatures import CosignerKey
from auditstream.ledger.keys import KeyTextError, VerifierKey
from auditstream.ledger.notes import parse_note
from auditstream.ledger.strict_text import from_decimal

MAX_POLICY_BYTES = 1_000_000
MAX_DEFINITIONS = 1024  # of each kind; the format asks for 32
NO_QUORUM = "none"

_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")


class PolicyError(ConfigError):
    """A policy file is malformed, or says what it must not."""

    code = "policy"
    hint = "Correct the named line; the format is c2sp.org/tlog-policy."


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A log that is known; `url` is where it answers, if the policy says."""

    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness that is known; `name` is the policy's own word for it."""

    name: str
    key: CosignerKey
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A group has witnessed a checkpoint when at least `threshold` of its members have."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Known logs, known witnesses and the quorum, as `parse_policy` has checked them.

    Attributes:
        logs: A log whose keys rotate has one entry a key.
        witnesses: Of distinct names and keys.
        groups: Members stand before the groups that they are in.
        quorum: Name of the witness or group that must have witnessed a checkpoint; "none" asks for nobody.
    """

    logs: tuple[LogEntry, ...]
    witnesses: tuple[Witness, ...]
    groups: tuple[Group, ...]
    quorum: str

    def open_checkpoint(self, data: bytes) -> OpenedCheckpoint:
        """Return a published checkpoint that is valid under the policy.

        Raises:
            NoteError: Not a note, or a known key's signature does not hold.
            CheckpointError: Not a checkpoint, of an unknown log, or without the quorum.
        """
        origin = parse_checkpoint(parse_note(data).text).origin
        log_keys = [log.key for log in self.logs if log.key.name == origin]
        if not log_keys:
            raise CheckpointError(f"the policy knows no log {origin[:200]!r}")
        witness_keys = [witness.key for witness in self.witnesses]
        opened = open_checkpoint(data, *log_keys, cosigners=witness_keys)
        cosigners = [each.key for each in opened.by_cosigners]
        if not self.is_met_by(cosigners):
            names = ", ".join(sorted({key.name for key in cosigners})) or "nobody"
            raise CheckpointError(f"the quorum {self.quorum!r} is not met: cosigned by {names}")
        return opened

    def is_met_by(self, cosigners: Iterable[VerifierKey]) -> bool:
        """Return whether the quorum is met by these keys, whose signatures have been verified."""
        keys = set(cosigners)
        witnessed = {NO_QUORUM} | {each.name for each in self.witnesses if each.key in keys}
        for group in self.groups:
            if sum(member in witnessed for member in group.members) >= group.threshold:
                witnessed.add(group.name)
        return self.quorum in witnessed


def parse_policy(data: bytes) -> Policy:
    """Return the policy that a file holds.

    Names are octets: they are compared as they are, and what is not UTF-8 in them is kept as surrogates.

    Raises:
        PolicyError: The file breaks the format; the message names the line.
    """
    if len(data) > MAX_POLICY_BYTES:
        raise PolicyError(f"a policy has at most {MAX_POLICY_BYTES} bytes, found {len(data)}")
    if not data.endswith(b"\n"):
        raise PolicyError("the last line does not end in a newline: the file may be cut off")
    reading = _Reading()
    for number, line in enumerate(data[:-1].split(b"\n"), start=1):
        try:
            reading.add(line)
        except (PolicyError, KeyTextError) as error:
            raise PolicyError(f"line {number}: {error.message}") from error
    return reading.policy()


class _Reading:
    """What the lines so far have defined."""

    def __init__(self) -> None:
        self.logs: list[LogEntry] = []
        self.witnesses: list[Witness] = []
        self.groups: list[Group] = []
        self.quorum: str | None = None
        self.names: set[str] = set()  # of witnesses and groups
        self.members: set[str] = set()  # those that are in a group

    def policy(self) -> Policy:
        if self.quorum is None:
            raise PolicyError("a policy has a quorum line, found none")
        return Policy(tuple(self.logs), tuple(self.witnesses), tuple(self.groups), self.quorum)

    def add(self, line: bytes) -> None:
        if _FORBIDDEN.search(line):
            raise PolicyError("no control characters but tab and newline")
        # Only space and tab part the items; octets that are not UTF-8 stay apart as surrogates.
        match [item for item in re.split("[ \t]+", line.decode("utf-8", "surrogateescape")) if item]:
            case []:
                pass
            case [comment, *_] if comment.startswith("#"):
                pass
            case ["log", vkey, *url] if len(url) <= 1:
                self._log(VerifierKey.parse(vkey), *url)
            case ["witness", name, vkey, *url] if len(url) <= 1:
                self._witness(name, CosignerKey.parse(vkey), *url)
            case ["group", name, threshold, first, *others]:
                self._group(name, threshold, (first, *others))
            case ["quorum", name]:
                self._quorum(name)
            case items:
                raise PolicyError(f"not a line of a policy: {' '.join(items)[:80]!r}")

    def _log(self, key: VerifierKey, url: str | None = None) -> None:
        if any(log.key.public_key == key.public_key for log in self.logs):
            raise PolicyError(f"a second log with the public key of {key.name!r}")
        _check_room(self.logs)
        self.logs.append(LogEntry(key, url))

    def _witness(self, name: str, key: CosignerKey, url: str | None = None) -> None:
        if any(witness.key.public_key == key.public_key for witness in self.witnesses):
            raise PolicyError(f"a second witness with the public key of {key.name!r}")
        self._take(name)
        _check_room(self.witnesses)
        self.witnesses.append(Witness(name, key, url))

    def _group(self, name: str, threshold: str, members: tuple[str, ...]) -> None:
        for member in members:
            self._check_defined(member)
            if member in self.members:  # else one witness would count twice
                raise PolicyError(f"{member!r} is in a group already")
            self.members.add(member)
        self._take(name)
        _check_room(self.groups)
        self.groups.append(Group(name, _threshold(threshold, len(members)), members))

    def _quorum(self, name: str) -> None:
        if self.quorum is not None:
            raise PolicyError("a second quorum line")
        if name != NO_QUORUM:
            self._check_defined(name)
        self.quorum = name

    def _take(self, name: str) -> None:
        if name == NO_QUORUM or name in self.names:
            raise PolicyError(f"the name {name!r} is taken")
        self.names.add(name)

    def _check_defined(self, name: str) -> None:
        if name not in self.names:
            raise PolicyError(f"no witness or group {name!r} above this line")


def _threshold(text: str, members: int) -> int:
    match text:
        case "all":
            return members
        case "any":
            return 1
    try:
        threshold = from_decimal(text)
    except ValueError as error:
        raise PolicyError(f"a threshold is all, any or a number: {error}") from error
    if not 1 <= threshold <= members:
        raise PolicyError(f"a threshold is 1 to the number of members, {members}: found {threshold}")
    return threshold


def _check_room(defined: Sized) -> None:
    if len(defined) >= MAX_DEFINITIONS:
        raise PolicyError(f"more than {MAX_DEFINITIONS} logs, witnesses or groups")
