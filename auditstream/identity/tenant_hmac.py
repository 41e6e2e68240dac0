"""Keyed hashes of a tenant: pseudonyms of persons, and HMACs by which equal contents are found equal.

Each is HMAC-SHA256 under the tenant's own key of `auditstream/<purpose>/v1`, a newline, and the value: the
same value has the same HMAC within a tenant and purpose, another one elsewhere, and nobody without the key
can try guesses. The SDK computes them the same way (`auditstream_sdk.sealing`).
"""

from __future__ import annotations

import base64
import hmac
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

NOBODY = "nobody"
"""Handle of the subject of content that names neither person nor conversation."""

CONVERSATION = "conversation:"
"""Before the id of a conversation where a subject is named by a person."""

_HANDLE = re.compile(r"(?:user|conversation)-[a-z2-7]{26}")
_HANDLE_BYTES = 16


@dataclass(frozen=True, slots=True)
class TenantHmac:
    """Hashes of one tenant.

    Attributes:
        key: The tenant's key, 32 bytes.
    """

    key: bytes = field(repr=False)

    def hexdigest(self, purpose: str, value: bytes) -> str:
        """Return the HMAC of a value for a purpose (`content`, `arguments`, `query`, …), lower-case hex."""
        return self._digest(purpose, value).hex()

    def person(self, readable: str) -> tuple[str, str]:
        """Return what stands for a person, and the whole HMAC of the readable id, lower-case hex.

        The first is the pseudonym, `user-` and 128 bits of the HMAC in base32; the second is `actor_hash`.
        """
        digest = self._digest("person", readable.encode())
        return f"user-{_short(digest)}", digest.hex()

    def pseudonym(self, readable: str) -> str:
        """Return what stands for a person."""
        return self.person(readable)[0]

    def conversation(self, conversation: str) -> str:
        """Return the handle of a conversation without a person."""
        return f"conversation-{_short(self._digest('conversation', conversation.encode()))}"

    def contents_hmac(self, pieces: Mapping[str, bytes]) -> str:
        """Return the HMAC of an event's content: each piece after its name, lengths before both."""
        whole = b"".join(
            struct.pack(">I", len(name)) + name.encode() + struct.pack(">Q", len(value)) + value
            for name, value in sorted(pieces.items())
        )
        return self.hexdigest("content", whole)

    def subjects(self, named: str) -> tuple[str, ...]:
        """Return the handles that a subject's name can mean.

        Args:
            named: A readable id, a handle as events have it, `conversation:ID`, or `nobody`.
        """
        found = [self.pseudonym(named)]
        if named.startswith(CONVERSATION):
            found.append(self.conversation(named.removeprefix(CONVERSATION)))
        if is_handle(named):
            found.append(named)
        return tuple(found)

    def _digest(self, purpose: str, value: bytes) -> bytes:
        # By name: given the function, it would go the slow way in Python.
        return hmac.digest(self.key, f"auditstream/{purpose}/v1\n".encode() + value, "sha256")


def is_handle(text: str) -> bool:
    """Return whether a text is a pseudonym already: hashing it again would only part it from its person."""
    return text == NOBODY or _HANDLE.fullmatch(text) is not None


def _short(digest: bytes) -> str:
    return base64.b32encode(digest[:_HANDLE_BYTES]).decode().rstrip("=").lower()
