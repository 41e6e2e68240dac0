"""Keys that sign notes (c2sp.org/signed-note): Ed25519, named, and told apart by a 4-byte key id.

Key id = first 4 bytes of SHA-256(name || newline || type byte || public key).
Verifier key ("vkey") = name+id in hex+base64(type byte || public key). The text of a signer key is that of
Go's golang.org/x/mod/sumdb/note: PRIVATE+KEY+name+id in hex+base64(type byte || seed).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import ClassVar, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from auditstream.core.errors import ConfigError
from auditstream.ledger.strict_text import from_base64, to_base64

KEY_ID_BYTES = 4

_KEY_BYTES = 32  # Ed25519: public key and seed alike
_PRIVATE = "PRIVATE+KEY+"
_MAX_TEXT = 4096
_SURROGATES = map(chr, range(0xD800, 0xE000))  # Python's stand-ins for what is not UTF-8
_NOT_IN_NAMES = frozenset({"+", *map(chr, range(0x20)), *_SURROGATES})


class KeyTextError(ConfigError):
    """A text is not a key of the wanted kind."""

    code = "key_text"
    hint = "Copy the whole key, name included, as its owner publishes it."


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key that signs texts as they are, such as the key of a log.

    Attributes:
        name: Not empty, without spaces and plus signs; for a log also its origin.
        public_key: 32 bytes.

    Raises:
        KeyTextError: Name or key have not that form.
    """

    TYPE: ClassVar[int] = 0x01

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        if not is_key_name(self.name):
            raise KeyTextError(f"not a key name: {self.name[:80]!r}")
        if len(self.public_key) != _KEY_BYTES:
            raise KeyTextError(f"a public key has {_KEY_BYTES} bytes, found {len(self.public_key)}")

    @property
    def key_id(self) -> bytes:
        """4 bytes that stand for name, kind and public key in a signature line."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.TYPE]) + self.public_key).digest()[:4]

    @property
    def text(self) -> str:
        """The verifier key as text."""
        return _key_text(self.name, self.key_id, self.TYPE, self.public_key)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the key that a text holds.

        Raises:
            KeyTextError: Not a verifier key, of another kind, or with an id that is not its own.
        """
        name, key_id, public_key = _parse_key(text, cls.TYPE)
        key = cls(name, public_key)
        _check_id(key, key_id)
        return key

    def verifies(self, text: bytes, payload: bytes) -> bool:
        """Return whether this key made the payload of a signature over the text."""
        return self.signed(text, payload)

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Return whether these 64 bytes are the key's Ed25519 signature over the bare message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class SecretKey:
    """The private half of a key; what it signs is up to its kind.

    Attributes:
        name: As of a `VerifierKey`.
        seed: 32 bytes, secret.

    Raises:
        KeyTextError: Name or seed have not that form.
    """

    VERIFIER: ClassVar[type[VerifierKey]] = VerifierKey

    name: str
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.seed) != _KEY_BYTES:
            raise KeyTextError(f"a seed has {_KEY_BYTES} bytes, found {len(self.seed)}")
        if not is_key_name(self.name):
            raise KeyTextError(f"not a key name: {self.name[:80]!r}")

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return self.VERIFIER(self.name, self._private().public_key().public_bytes_raw())

    @property
    def secret_text(self) -> str:
        """The key as text, for a file that nobody else reads."""
        return _PRIVATE + _key_text(self.name, self.verifier.key_id, self.VERIFIER.TYPE, self.seed)

    @classmethod
    def generate(cls, name: str) -> Self:
        """Return a new key."""
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def parse(cls, secret_text: str) -> Self:
        """Return the key that a text holds; errors do not repeat the text.

        Raises:
            KeyTextError: Not a signer key, of another kind, or with an id that is not its own.
        """
        if not secret_text.startswith(_PRIVATE):
            raise KeyTextError(f"a signer key begins with {_PRIVATE}")
        name, key_id, seed = _parse_key(secret_text.removeprefix(_PRIVATE), cls.VERIFIER.TYPE)
        signer = cls(name, seed)
        _check_id(signer.verifier, key_id)
        return signer

    def sign_message(self, message: bytes) -> bytes:
        """Return the 64 bytes of the Ed25519 signature over the bare message."""
        return self._private().sign(message)

    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


@dataclass(frozen=True, slots=True)
class SignerKey(SecretKey):
    """A private key that signs texts as they are, such as the key of a log."""

    def sign(self, text: bytes) -> bytes:
        """Return the payload of this key's signature over the text."""
        return self.sign_message(text)


def is_key_name(name: str) -> bool:
    """Return whether a name can stand in a signature line: not empty, no Unicode spaces, no plus sign."""
    return bool(name) and not any(char in _NOT_IN_NAMES or char.isspace() for char in name)


def _key_text(name: str, key_id: bytes, kind: int, key: bytes) -> str:
    return f"{name}+{key_id.hex()}+{to_base64(bytes([kind]) + key)}"


def _parse_key(text: str, kind: int) -> tuple[str, str, bytes]:
    """Return name, key id in hex, and key without its type byte."""
    parts = text.split("+", 2) if len(text) <= _MAX_TEXT else []
    if len(parts) != 3:
        raise KeyTextError("a key is name+id+base64, in at most 4,096 characters")
    name, key_id, encoded = parts
    try:
        key = from_base64(encoded)
    except ValueError:
        raise KeyTextError(f"the key of {name[:80]!r} is not standard base64") from None  # it may be secret
    if key[:1] != bytes([kind]):
        found = f"{key[0]:#04x}" if key else "nothing"
        raise KeyTextError(f"the key of {name[:80]!r} is not of the wanted kind {kind:#04x}, found {found}")
    return name, key_id, key[1:]


def _check_id(key: VerifierKey, key_id: str) -> None:
    if key.key_id.hex() != key_id:
        raise KeyTextError(
            f"the id of the key of {key.name!r} is {key.key_id.hex()}, the text has {key_id[:80]!r}"
        )
