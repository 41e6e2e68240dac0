"""The master key: one secret file, from which every tenant's HMAC key and the key that wraps its keys derive.

The file is JSON with 32 random bytes; only its owner may read it. Keys are HKDF-SHA256 (RFC 5869) of it over
their role and tenant, so that none of them is stored. Without the file nothing that was sealed opens again,
and pseudonyms of the same person no longer agree: keep a copy elsewhere than that of the keyring.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from auditstream.core.secret_file import KeyFileError, create_secret, read_secret

KEY_BYTES = 32

_FORM = "auditstream-master-key/v1"
_RESTORE = "Restore the file that was there: what was sealed under it opens with no other."


@dataclass(frozen=True, slots=True)
class MasterKey:
    """The secret of a deployment's identities."""

    secret: bytes = field(repr=False)

    def derived(self, role: str, tenant: str = "") -> bytes:
        """Return the 32 bytes of a role and a tenant."""
        info = f"auditstream {role} v1\n{tenant}".encode()
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(self.secret)


def load_master_key(path: Path) -> MasterKey:
    """Return the key of a file.

    Raises:
        KeyFileError: There is none, others may read it, or it is damaged.
    """
    try:
        data = read_secret(path)
    except KeyFileError as error:
        hint = error.hint if "chmod" in error.hint else _RESTORE
        raise KeyFileError(error.message, hint=hint) from error
    try:
        document = json.loads(data)
        known = isinstance(document, dict) and document.get("format") == _FORM
        secret = base64.b64decode(document["secret"], validate=True) if known else b""
    except (ValueError, KeyError, TypeError, binascii.Error):
        secret = b""
    if len(secret) != KEY_BYTES:
        raise KeyFileError(f"{path} is not a master key of form {_FORM}", hint=_RESTORE) from None
    return MasterKey(secret)


def create_master_key(path: Path) -> None:
    """Write a new key that only its owner reads; durable on return.

    Raises:
        KeyFileError: There is one already; it stays.
    """
    secret = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    create_secret(path, (json.dumps({"format": _FORM, "secret": secret}, indent=2) + "\n").encode())
