"""Secrets of gateway credentials and of API tokens: made, recognised, and kept as a hash only.

A key is `ask_<credential id>_<secret>`, a token `ast_<token id>_<secret>`; the secret is 32 random bytes in
base62. What is stored is the SHA-256 of the whole. A slow password hash would add nothing: nobody can try
2**256 secrets, fast or slow, and a slow one would let a caller with wrong keys keep the gateway busy.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string

PREFIX = "ask_"
TOKEN_PREFIX = "ast_"  # noqa: S105  what tokens begin with
_SCHEME = "sha256:"
_SECRET_BYTES = 32
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_LENGTH = 43
"""Digits of base 62 that hold 256 bits: 62**43 > 2**256."""

_FORM = re.compile(rf"(?P<id>[!-~]{{1,256}})_(?P<secret>[0-9A-Za-z]{{{_LENGTH}}})")


def new_key(credential_id: str, *, prefix: str = PREFIX) -> str:
    """Return a new key for a credential, or with `TOKEN_PREFIX` a token; it is not kept anywhere."""
    number = int.from_bytes(secrets.token_bytes(_SECRET_BYTES), "big")
    digits = []
    for _ in range(_LENGTH):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return f"{prefix}{credential_id}_{''.join(reversed(digits))}"


def credential_id_of(key: str, *, prefix: str = PREFIX) -> str | None:
    """Return the credential that a key names, None for what has not the form of a key."""
    found = _FORM.fullmatch(key, len(prefix)) if key.startswith(prefix) else None
    return found["id"] if found else None


def hash_of(key: str) -> str:
    """Return what reference data keeps of a key."""
    return _SCHEME + hashlib.sha256(key.encode()).hexdigest()


def matches(key: str, secret_hash: str) -> bool:
    """Return whether a key is the one that was hashed; the time taken tells nothing of either."""
    return hmac.compare_digest(hash_of(key).encode(), secret_hash.encode())


def new_credential_id(tenant_id: str) -> str:
    """Return an id for a new credential of a tenant."""
    return f"{tenant_id}-{_letters(8)}"


def new_token_id() -> str:
    """Return an id for a new token: it is public, and must be no other's."""
    return _letters(12)


def _letters(count: int) -> str:
    letters = string.ascii_lowercase + string.digits
    return "".join(secrets.choice(letters) for _ in range(count))
