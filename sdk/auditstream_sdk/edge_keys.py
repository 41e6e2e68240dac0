"""Keys at the edge: where they come from, and boxes under them; needs `auditstream-sdk[sealing]`."""

from __future__ import annotations

import json
import os
import struct
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError as error:
    raise ImportError("sealing needs cryptography: pip install 'auditstream-sdk[sealing]'") from error

Fetch = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Sends a request for keys and returns the answer, both as JSON gives them; raises KeysError."""

MOST_BYTES = 256 * 1024
"""Longest value that is sealed."""

_NONCE_BYTES = 12
_OVERHEAD_BYTES = 29
_OWN_MACHINE = frozenset({"127.0.0.1", "::1", "localhost"})
_VERSION = 1


class KeysError(Exception):
    """The gateway gives no keys: it is away, or the credential may not have them."""


class BoxError(Exception):
    """A box does not open: it was changed, moved, or sealed with another key."""


@dataclass(frozen=True)
class EdgeKey:
    """A data key of a subject and month."""

    key_id: str
    secret: bytes = field(repr=False)

    def seal(self, tenant: str, event_id: uuid.UUID, name: str, value: bytes) -> bytes:
        """Return a value as a box for one field of one event."""
        nonce = os.urandom(_NONCE_BYTES)
        bound = _bound(tenant, event_id, name, self.key_id)
        return bytes([_VERSION]) + nonce + AESGCM(self.secret).encrypt(nonce, value, bound)

    def open(self, tenant: str, event_id: uuid.UUID, name: str, box: bytes) -> bytes:
        """Return the value in a box.

        Raises:
            BoxError: It is none of this key and place, or was changed.
        """
        if not _OVERHEAD_BYTES <= len(box) <= MOST_BYTES + _OVERHEAD_BYTES or box[0] != _VERSION:
            raise BoxError(f"{name}: no box")
        bound = _bound(tenant, event_id, name, self.key_id)
        try:
            return AESGCM(self.secret).decrypt(box[1 : 1 + _NONCE_BYTES], box[1 + _NONCE_BYTES :], bound)
        except InvalidTag:
            raise BoxError(f"{name}: does not open with key {self.key_id} in this place") from None


def fetch_from(url: str, *, key: str, timeout_s: float = 5.0) -> Fetch:
    """Return what asks a gateway for keys.

    Args:
        url: Address of the gateway, `https://` but on the own machine.
        key: Credential with `edge_keys`.
        timeout_s: How long an answer may take.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and (parts.scheme, parts.hostname in _OWN_MACHINE) != ("http", True):
        raise ValueError(f"{url}: keys travel over https alone, but on the own machine")

    def fetch(request: Mapping[str, Any]) -> Mapping[str, Any]:
        asked = urllib.request.Request(  # noqa: S310  the scheme is looked at above
            f"{url.rstrip('/')}/v1/keys",
            data=json.dumps(request).encode(),
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
            method="POST",
        )
        try:
            with urllib.request.urlopen(asked, timeout=timeout_s) as answer:  # noqa: S310
                found = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            error.close()
            raise KeysError(f"the gateway refuses keys: {error.code}") from None
        except (OSError, ValueError) as error:
            raise KeysError(f"no keys: {error}") from error
        if not isinstance(found, dict):
            raise KeysError("the gateway's answer is not one")
        return found

    return fetch


def _bound(tenant: str, event_id: uuid.UUID, name: str, key_id: str) -> bytes:
    parts = (tenant.encode(), event_id.bytes, name.encode(), key_id.encode())
    return b"auditstream box v1\x00" + b"".join(struct.pack(">I", len(part)) + part for part in parts)
