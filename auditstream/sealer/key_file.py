"""The secret that signs for a deployment: one file, from which the key of every log is derived.

The file is JSON and holds secrets of 32 bytes, one a generation, the newest last. A key is the Ed25519 key
whose seed is HKDF-SHA256 of a secret, over the role and the name of the key: so a log that appears needs no
new secret, and no two logs share a key. Rotation adds a generation; the older ones stay, since verifiers
know their public keys. `former` names public keys whose secret was lost.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from auditstream.core.secret_file import KeyFileError, create_secret, read_secret, replace_secret
from auditstream.ledger.cosignatures import CosignerSecretKey
from auditstream.ledger.keys import KeyTextError, SignerKey, VerifierKey
from auditstream.ledger.strict_text import from_base64, to_base64
from auditstream.ledger.vkeys import Vkeys, parse_vkey

_FORM = "auditstream-keys/v1"
_SECRET_BYTES = 32
_NONE = Vkeys()
_CACHED = 1 << 15


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All keys of a deployment.

    Attributes:
        generations: Secrets, the newest last.
        former: Public keys whose secret is gone; what they signed stays valid.
    """

    generations: tuple[bytes, ...] = field(repr=False)
    former: Vkeys = _NONE

    def signer(self, name: str) -> SignerKey:
        """Return the newest key of a log or of the deployment."""
        return self.signers(name)[-1]

    def signers(self, name: str) -> tuple[SignerKey, ...]:
        """Return every key of a log or of the deployment that can sign, oldest first."""
        return tuple(_signer(secret, name) for secret in self.generations)

    def cosigner(self, name: str) -> CosignerSecretKey:
        """Return the newest key with which a log states times."""
        return _cosigner(self.generations[-1], name)

    def verifiers(self, name: str) -> tuple[VerifierKey, ...]:
        """Return every public key of a log or of the deployment, oldest first, lost ones before all."""
        return (*self.former.signers(name), *(_signer_verifier(secret, name) for secret in self.generations))

    def cosigner_verifiers(self, name: str) -> tuple[VerifierKey, ...]:
        """Return every public key with which a log stated times, oldest first."""
        lost = (key for key in self.former.cosigners() if key.name == cosigner_name(name))
        return (*lost, *(_cosigner_verifier(secret, name) for secret in self.generations))

    def rotated(self) -> KeyRing:
        """Return the ring with one more generation."""
        return KeyRing((*self.generations, secrets.token_bytes(_SECRET_BYTES)), self.former)


def cosigner_name(origin: str) -> str:
    """Return the name of the key with which a log states times; another one than that of its checkpoints."""
    return f"{origin}/cosigner"


def new_ring(former: Vkeys = _NONE) -> KeyRing:
    """Return a ring of one generation."""
    return KeyRing((secrets.token_bytes(_SECRET_BYTES),), former)


def load_ring(path: Path) -> KeyRing:
    """Return the keys of a file.

    Raises:
        KeyFileError: There is none, others may read it, or it is damaged.
    """
    return _parse(path, read_secret(path))


def create_key_file(path: Path, ring: KeyRing) -> None:
    """Write a new file that only its owner reads; durable on return.

    Raises:
        KeyFileError: There is one already; it stays.
    """
    create_secret(path, _to_bytes(ring))


def replace_key_file(path: Path, former: KeyRing, ring: KeyRing) -> None:
    """Write a ring in place of the one that the file holds; durable on return.

    Raises:
        KeyFileError: It holds another one by now.
    """
    data = read_secret(path)
    if _parse(path, data) != former:
        raise KeyFileError(f"{path} was changed by another process", hint="Run it again.")
    replace_secret(path, data, _to_bytes(ring))


def _to_bytes(ring: KeyRing) -> bytes:
    document = {
        "format": _FORM,
        "generations": [to_base64(secret) for secret in ring.generations],
        "former": [key.text for key in ring.former.keys],
    }
    return (json.dumps(document, indent=2) + "\n").encode()


def _parse(path: Path, data: bytes) -> KeyRing:
    """Return the ring; errors repeat nothing of the file."""
    damaged = f"{path} is not a key file"
    try:
        document = json.loads(data)
    except ValueError:
        raise KeyFileError(damaged) from None
    if not isinstance(document, dict) or document.get("format") != _FORM:
        raise KeyFileError(f"{damaged} of form {_FORM}")
    try:
        generations = tuple(from_base64(text) for text in _texts(document, "generations"))
        former = _NONE.with_keys(parse_vkey(text) for text in _texts(document, "former"))
    except (ValueError, KeyTextError):
        raise KeyFileError(damaged) from None
    if not generations or any(len(secret) != _SECRET_BYTES for secret in generations):
        raise KeyFileError(f"{damaged}: secrets have {_SECRET_BYTES} bytes, and there is at least one")
    if len(set(generations)) != len(generations):
        raise KeyFileError(f"{damaged}: a generation is there twice")
    return KeyRing(generations, former)


def _texts(document: dict[str, object], name: str) -> Iterable[str]:
    found = document.get(name)
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise ValueError(name)
    return found


def _seed(secret: bytes, role: str, name: str) -> bytes:
    info = f"auditstream {role} v1\n{name}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)


# Deriving a key takes some 0.1 ms, and a round over many logs asks for each several times.
@lru_cache(maxsize=_CACHED)
def _signer(secret: bytes, name: str) -> SignerKey:
    return SignerKey(name, _seed(secret, "signer", name))


@lru_cache(maxsize=_CACHED)
def _cosigner(secret: bytes, name: str) -> CosignerSecretKey:
    own = cosigner_name(name)
    return CosignerSecretKey(own, _seed(secret, "cosigner", own))


@lru_cache(maxsize=_CACHED)
def _signer_verifier(secret: bytes, name: str) -> VerifierKey:
    return _signer(secret, name).verifier


@lru_cache(maxsize=_CACHED)
def _cosigner_verifier(secret: bytes, name: str) -> VerifierKey:
    return _cosigner(secret, name).verifier
