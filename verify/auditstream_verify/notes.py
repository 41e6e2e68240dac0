"""Keys and signed notes: who has signed what.

C2SP signed-note, tlog-checkpoint, tlog-cosignature and tlog-policy, and the list of all logs.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519, COSIGNATURE = 0x01, 0x04  # type bytes of the keys that are known here
MAX_SIZE = 2**63 - 1
MAX_NOTE_BYTES = 1_000_000
MAX_KEYS_BYTES = 8_000_000
MAX_SIGNATURES = 256
MAX_LOGS = 10_000
EMPTY_ROOT = hashlib.sha256(b"").digest()


class BrokenError(Exception):
    """Something does not hold, or is not of the form that it must have."""


@dataclass(frozen=True)
class Key:
    """A public key with its name; `kind` is its type byte."""

    name: str
    kind: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        """First 4 bytes of SHA-256(name, newline, type byte, public key)."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def has_signed(self, text: bytes, payload: bytes) -> bool:
        """Return whether the payload of a signature line is this key's over a note's text."""
        if self.kind == COSIGNATURE:
            time = int.from_bytes(payload[:8], "big")
            if len(payload) != 72 or time > MAX_SIZE:
                return False
            text, payload = b"cosignature/v1\ntime %d\n%b" % (time, text), payload[8:]
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(payload, text)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class Checkpoint:
    """A log's statement of its size and root."""

    origin: str
    size: int
    root: bytes


def number(text: str) -> int:
    """Return a decimal number below 2^63 that is written the one way it can be."""
    if not re.fullmatch("0|[1-9][0-9]{0,18}", text) or int(text) > MAX_SIZE:
        raise BrokenError(f"not a decimal number below 2^63: {text[:40]!r}")
    return int(text)


def from_base64(text: str) -> bytes:
    """Return the bytes of standard base64 that is written the one way it can be."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BrokenError(f"not base64: {text[:60]!r}") from error
    if base64.b64encode(data).decode() != text:
        raise BrokenError(f"not the one base64 text of its bytes: {text[:60]!r}")
    return data


def is_name(name: str) -> bool:
    """Return whether a key can be called so: not empty, no space, no plus sign, no control character."""
    return bool(name) and not any(
        c == "+" or c.isspace() or c < " " or 0xD800 <= ord(c) < 0xE000 for c in name
    )


def parse_key(text: str) -> Key:
    """Return the key of a line `name+id+base64`."""
    parts = text.split("+", 2)
    if len(parts) != 3 or len(text) > 4096:
        raise BrokenError(f"not a verifier key: {text[:60]!r}")
    data = from_base64(parts[2])
    key = Key(parts[0], data[0] if data else 0, data[1:])
    if key.kind not in {ED25519, COSIGNATURE} or len(key.public) != 32 or not is_name(key.name):
        raise BrokenError(f"not an Ed25519 key of a log or a cosigner: {text[:60]!r}")
    if key.key_id.hex() != parts[1]:
        raise BrokenError(f"the id of the key of {key.name} is not its own")
    return key


def parse_vkeys(data: bytes) -> list[Key]:
    """Return the keys of a file with a line `name vkey` each."""
    if len(data) > MAX_KEYS_BYTES or not data.endswith(b"\n"):
        raise BrokenError("the list of keys is too long, or cut off")
    keys = []
    for line in _text(data)[:-1].split("\n"):
        name, _, text = line.partition(" ")
        key = parse_key(text)
        if key.name != name:
            raise BrokenError(f"the key of {key.name} stands under the name {name[:100]!r}")
        keys.append(key)
    return keys


def open_note(data: bytes, keys: Iterable[Key]) -> tuple[str, list[Key]]:
    """Return a note's text, and those of the keys that have signed it; at least one.

    Signatures of unknown keys are passed over. One of a known key that does not hold spoils the note.
    """
    text, signatures = _parts(data)
    known = {(key.name, key.key_id): key for key in keys}
    signed = []
    for line in signatures:
        name, _, encoded = line.removeprefix("\u2014 ").partition(" ")
        if not line.startswith("\u2014 ") or not is_name(name):
            raise BrokenError(f"not a signature line: {line[:60]!r}")
        payload = from_base64(encoded)
        if len(payload) < 5:
            raise BrokenError(f"the signature of {name[:60]!r} is too short")
        key = known.get((name, payload[:4]))
        if key is None:
            continue
        if not key.has_signed(text.encode(), payload[4:]):
            raise BrokenError(f"the signature of {key.name} does not hold")
        signed.append(key)
    if not signed:
        raise BrokenError("nobody who is known has signed it")
    return text, signed


def note_text(data: bytes) -> str:
    """Return a note's text, which nobody has vouched for yet."""
    return _parts(data)[0]


def open_checkpoint(data: bytes, origin: str, keys: Iterable[Key]) -> tuple[Checkpoint, list[Key]]:
    """Return the checkpoint of a log, and the cosigners that have signed it; the log itself must have."""
    keys = list(keys)
    text, signed = open_note(data, [key for key in keys if key.kind == COSIGNATURE or key.name == origin])
    checkpoint = parse_checkpoint(text)
    if checkpoint.origin != origin:
        raise BrokenError(f"the checkpoint is of {checkpoint.origin[:200]!r}")
    if not any(key.kind == ED25519 and key.name == origin for key in signed):
        raise BrokenError("the log itself has not signed its checkpoint")
    return checkpoint, [key for key in signed if key.kind == COSIGNATURE]


def parse_checkpoint(text: str) -> Checkpoint:
    """Return what the text of a checkpoint says."""
    lines = text.removesuffix("\n").split("\n")
    if len(lines) < 3 or not all(lines):
        raise BrokenError("a checkpoint has origin, size and root")
    return _checkpoint(lines[0], lines[1], lines[2])


def open_log_list(data: bytes, keys: Iterable[Key]) -> tuple[str, list[Checkpoint]]:
    """Return the deployment's name and every log that its signed list names, with size and root."""
    lines = note_text(data).removesuffix("\n").split("\n")
    if len(lines) < 3 or lines[0] != "auditstream-logs/v1" or len(lines) > MAX_LOGS + 3:
        raise BrokenError("not a list of logs")
    deployment = lines[1]
    open_note(data, [key for key in keys if key.name == deployment and key.kind == ED25519])
    if not lines[2].startswith("time "):
        raise BrokenError("the list of logs has no time")
    number(lines[2].removeprefix("time "))
    logs = []
    for line in lines[3:]:
        items = line.split(" ")
        if len(items) != 4 or parse_key(items[1]).name != items[0]:
            raise BrokenError(f"not a log of the list: {line[:80]!r}")
        if not items[0].startswith(f"{deployment}/"):
            raise BrokenError(f"{items[0][:80]!r} is not of the deployment {deployment!r}")
        logs.append(_checkpoint(items[0], items[2], items[3]))
    origins = [log.origin.encode() for log in logs]
    if sorted(set(origins)) != origins:
        raise BrokenError("the list of logs is out of order, or names one twice")
    return deployment, logs


@dataclass(frozen=True)
class Policy:
    """Witnesses by key, groups from the inside out, and the one that must have cosigned."""

    witnesses: dict[str, Key]
    groups: list[tuple[str, int, list[str]]]
    quorum: str

    def is_met_by(self, cosigners: Iterable[Key]) -> bool:
        """Return whether these keys, whose signatures hold, are enough."""
        keys = set(cosigners)
        met = {"none"} | {name for name, key in self.witnesses.items() if key in keys}
        for name, threshold, members in self.groups:
            if len(met & set(members)) >= threshold:
                met.add(name)
        return self.quorum in met


def parse_policy(data: bytes) -> Policy:
    """Return the policy of a C2SP tlog-policy file."""
    if len(data) > MAX_NOTE_BYTES or not data.endswith(b"\n"):
        raise BrokenError("the policy is too long, or cut off")
    policy, quorum = Policy({}, [], ""), ""
    taken: set[str] = set()
    for line in _text(data)[:-1].split("\n"):
        match re.split("[ \t]+", line.strip(" \t")):
            case [""]:
                continue
            case [comment, *_] if comment.startswith("#"):
                continue
            case ["log", _] | ["log", _, _]:
                continue
            case ["witness", name, key] | ["witness", name, key, _] if name not in taken and name != "none":
                policy.witnesses[name] = parse_key(key)
                if policy.witnesses[name].kind != COSIGNATURE:
                    raise BrokenError(f"the key of witness {name} is no cosigner's")
            case ["group", name, threshold, *members] if members and name not in taken and name != "none":
                policy.groups.append(_group(policy, taken, name, threshold, members))
            case ["quorum", name] if not quorum and (name in taken or name == "none"):
                quorum = name
                continue
            case _:
                raise BrokenError(f"not a line of a policy: {line[:80]!r}")
        taken.add(line.split()[1])
    if not quorum or len({key.public for key in policy.witnesses.values()}) != len(policy.witnesses):
        raise BrokenError("the policy has no quorum, or one key for two witnesses")
    return Policy(policy.witnesses, policy.groups, quorum)


def _group(
    policy: Policy, taken: set[str], name: str, threshold: str, members: list[str]
) -> tuple[str, int, list[str]]:
    named = {each for _, _, group in policy.groups for each in group}
    if not set(members) <= taken or set(members) & named or len(set(members)) != len(members):
        raise BrokenError(f"group {name}: a member is unknown, or in a group already")
    least = {"all": len(members), "any": 1}.get(threshold) or number(threshold)
    if not 1 <= least <= len(members):
        raise BrokenError(f"group {name}: a threshold of {least}")
    return name, least, members


def _checkpoint(origin: str, size: str, root: str) -> Checkpoint:
    found = Checkpoint(origin, number(size), from_base64(root))
    if len(found.root) != 32 or (found.size == 0) != (found.root == EMPTY_ROOT):
        raise BrokenError(f"size {found.size} cannot have the root {root!r}")
    return found


def _parts(data: bytes) -> tuple[str, list[str]]:
    if len(data) > MAX_NOTE_BYTES:
        raise BrokenError("the note is too long")
    text, separator, lines = _text(data).rpartition("\n\n")
    if not separator or not lines.endswith("\n") or not 1 <= lines.count("\n") <= MAX_SIGNATURES:
        raise BrokenError("a note is a text, an empty line, and 1 to 256 signature lines")
    if re.search(r"[\x00-\x09\x0b-\x1f]", text):
        raise BrokenError("a note has no control characters but newlines")
    return text + "\n", lines[:-1].split("\n")


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BrokenError("not UTF-8") from error
