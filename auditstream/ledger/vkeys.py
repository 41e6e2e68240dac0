"""The published verifier keys of a deployment: `vkeys.txt`, a line `name vkey` for each key there ever was.

A name with several keys of one kind was rotated; the oldest is first. Keys of kind 0x01 are those of logs
(named as their origins) and of the deployment, keys of kind 0x04 those of cosigners. Whoever verifies takes
the file from somebody they trust: a key that a store names itself proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from auditstream.core.errors import VerificationError
from auditstream.ledger.cosignatures import CosignerKey
from auditstream.ledger.keys import KeyTextError, VerifierKey

MAX_VKEYS_BYTES = 8_000_000
MAX_KEYS = 40_000


class VkeysError(VerificationError):
    """A text is no list of verifier keys."""

    code = "vkeys"
    hint = "A line is `name vkey`. Fetch the file again, from the deployment or from who keeps a copy of it."


@dataclass(frozen=True, slots=True)
class Vkeys:
    """Verifier keys in the order of the file, each once."""

    keys: tuple[VerifierKey, ...] = ()

    def signers(self, name: str) -> tuple[VerifierKey, ...]:
        """Return the keys of a log or a deployment, oldest first; none when it is unknown."""
        return tuple(key for key in self.keys if key.name == name and not isinstance(key, CosignerKey))

    def cosigners(self) -> tuple[CosignerKey, ...]:
        """Return the keys of all cosigners."""
        return tuple(key for key in self.keys if isinstance(key, CosignerKey))

    def with_keys(self, keys: Iterable[VerifierKey]) -> Vkeys:
        """Return these keys, and behind them those of the others that are new."""
        return Vkeys(tuple(dict.fromkeys((*self.keys, *keys))))

    def to_bytes(self) -> bytes:
        """Return the file."""
        return "".join(f"{key.name} {key.text}\n" for key in self.keys).encode()


def parse_vkeys(data: bytes) -> Vkeys:
    """Return the keys that a file holds.

    Raises:
        VkeysError: It is malformed, too long, or has a key twice; the message names the line.
    """
    if len(data) > MAX_VKEYS_BYTES:
        raise VkeysError(f"a list of keys has at most {MAX_VKEYS_BYTES} bytes, found {len(data)}")
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise VkeysError(f"a list of keys is UTF-8: {error}") from error
    if lines.pop():
        raise VkeysError("the last line does not end in a newline: the file may be cut off")
    if len(lines) > MAX_KEYS:
        raise VkeysError(f"a list has at most {MAX_KEYS} keys, found {len(lines)}")
    keys: dict[VerifierKey, int] = {}
    for number, line in enumerate(lines, start=1):
        key = _parse_line(number, line)
        if (first := keys.setdefault(key, number)) != number:
            raise VkeysError(f"line {number}: the key of line {first} again")
    return Vkeys(tuple(keys))


def parse_vkey(text: str) -> VerifierKey:
    """Return the key that a text holds: a `CosignerKey` where it is of that kind.

    Raises:
        KeyTextError: It is of neither kind.
    """
    try:
        return CosignerKey.parse(text)
    except KeyTextError:
        return VerifierKey.parse(text)


def _parse_line(number: int, line: str) -> VerifierKey:
    name, _, vkey = line.partition(" ")
    try:
        key = parse_vkey(vkey)
    except KeyTextError as error:
        raise VkeysError(f"line {number}: {error.message}") from error
    if key.name != name:
        raise VkeysError(f"line {number}: the key is of {key.name!r}, the line of {name[:200]!r}")
    return key
