"""The key by which events name queries: the same query has the same HMAC, and nobody can guess it back."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from auditstream.core.errors import ConfigError

KEY_BYTES = 32

_LABEL = b"auditstream/query/v1\n"


def access_key(path: Path) -> bytes:
    """Return the key that a file holds; the file is made when it is not there.

    Raises:
        ConfigError: It cannot be read or made, or holds something else.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}", hint="AUDITSTREAM_ACCESS__KEY_FILE says where."
        ) from error
    if len(key) != KEY_BYTES:
        raise ConfigError(f"{path}: a key has {KEY_BYTES} bytes, found {len(key)}")
    return key


def query_hmac(key: bytes, query: bytes) -> str:
    """Return the HMAC-SHA256 of a query's text, in hex."""
    return hmac.new(key, _LABEL + query, hashlib.sha256).hexdigest()


def _make(path: Path) -> None:
    """Make the file whole or not at all; of several who do so at once, one's stays."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(fd, secrets.token_bytes(KEY_BYTES))
        os.fsync(fd)
    finally:
        os.close(fd)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
