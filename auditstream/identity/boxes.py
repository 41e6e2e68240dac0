"""Sealed fields: a value of an event as a box that opens in its own place only, and only while its key lives.

A box is one version byte (1), a nonce of 12 bytes, and AES-256-GCM's ciphertext with its tag of 16 bytes
(NIST SP 800-38D). The nonce is random: a key is of one subject and month, far from the 2^32 boxes at which
random nonces begin to repeat. The associated data binds the box to its place, so that it opens nowhere else:

    "auditstream box v1" NUL, then tenant, event id, field name and key id, each with its length before it
    (four bytes, big-endian); text is UTF-8, the event id its 16 bytes.

The SDK seals in the same form (`auditstream_sdk.sealing`).
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from auditstream.core.errors import VerificationError

VERSION = 1
OVERHEAD_BYTES = 1 + 12 + 16
"""How much longer a box is than what it holds."""

MOST_BYTES = 256 * 1024
"""Longest value that is sealed: with a few of them an event stays below the 1 MB that Kafka takes."""

_LABEL = b"auditstream box v1\x00"
_NONCE_BYTES = 12


class BoxError(VerificationError):
    """A box does not open: it was changed, moved, or sealed with another key."""

    code = "box"
    hint = (
        "`auditstream verify` says whether the record is as it was sealed; if so, the producer's box was bad."
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a box belongs.

    Attributes:
        tenant: Whose event.
        event_id: Which event.
        field: Name of the field within it.
    """

    tenant: str
    event_id: UUID
    field: str


def seal(aead: AESGCM, key_id: str, place: Place, value: bytes) -> bytes:
    """Return a value as a box.

    Args:
        aead: The key.
        key_id: Its name.
        place: Where the box will be.
        value: At most `MOST_BYTES`; more is a fault of the caller's.
    """
    if len(value) > MOST_BYTES:
        raise ValueError(f"{place.field}: {len(value)} bytes, at most {MOST_BYTES} are sealed")
    nonce = os.urandom(_NONCE_BYTES)
    return bytes([VERSION]) + nonce + aead.encrypt(nonce, value, _bound(place, key_id))


def open_box(aead: AESGCM, key_id: str, place: Place, box: bytes) -> bytes:
    """Return the value in a box.

    Raises:
        BoxError: It is none of this key and place, or was changed; says which field.
    """
    if not OVERHEAD_BYTES <= len(box) <= MOST_BYTES + OVERHEAD_BYTES:
        raise BoxError(f"sealed[{place.field}]: {len(box)} bytes are no box", field=place.field)
    if box[0] != VERSION:
        raise BoxError(f"sealed[{place.field}]: version {box[0]} of boxes is unknown", field=place.field)
    nonce, ciphertext = box[1 : 1 + _NONCE_BYTES], box[1 + _NONCE_BYTES :]
    try:
        return aead.decrypt(nonce, ciphertext, _bound(place, key_id))
    except InvalidTag:
        raise BoxError(
            f"sealed[{place.field}]: does not open with key {key_id} in this place", field=place.field
        ) from None


def _bound(place: Place, key_id: str) -> bytes:
    parts = (place.tenant.encode(), place.event_id.bytes, place.field.encode(), key_id.encode())
    return _LABEL + b"".join(struct.pack(">I", len(part)) + part for part in parts)
