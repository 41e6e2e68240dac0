"""The port of keyrings: data keys by tenant, subject and month, and their destruction.

A subject is named by its handle (`tenant_hmac`), never by a readable id, and a key's own id is random. A KMS
can be another implementation. Every method blocks and may be called from any thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from auditstream.core.errors import NotFoundError


class KeyUnknownError(NotFoundError):
    """A keyring has no such key of the tenant."""

    code = "key_unknown"
    hint = "Was it sealed in another deployment, or is the keyring an older copy?"


class KeyDestroyedError(NotFoundError):
    """The key was destroyed: nothing under it opens again."""

    code = "key_destroyed"
    hint = "That is what erasure means. The event itself, and every proof of it, stays."


@dataclass(frozen=True, slots=True)
class DataKey:
    """A living key.

    Attributes:
        key_id: Its random name, as `seal_key_id` has it.
        tenant: Whose.
        subject: Handle of the subject.
        month: As `2026-01`, UTC.
        secret: 32 bytes.
        aead: The cipher under it.
    """

    key_id: str
    tenant: str
    subject: str
    month: str
    secret: bytes = field(repr=False)
    aead: AESGCM = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "aead", AESGCM(self.secret))


@dataclass(frozen=True, slots=True)
class Destruction:
    """Why keys are destroyed.

    Attributes:
        at: When (UTC).
        by: Who says so.
        ground: On what ground.
    """

    at: datetime
    by: str
    ground: str


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is known of a key, living or not.

    Attributes:
        key_id: Its name.
        month: As `2026-01`.
        created_at: When it was made (UTC).
        destroyed: When it was destroyed, and why; None while it lives.
    """

    key_id: str
    month: str
    created_at: datetime
    destroyed: Destruction | None


class Keyring(Protocol):
    """Keeps keys."""

    def data_key(self, tenant: str, subject: str, month: str) -> DataKey:
        """Return the key of a subject and month; makes it, durably, when there is none yet.

        Raises:
            KeyDestroyedError: The subject was erased in that month or later. No other is made.
            RetryableError: The keyring is busy or full.
        """
        ...

    def key(self, tenant: str, key_id: str) -> DataKey:
        """Return a key by its name.

        Raises:
            KeyUnknownError: The tenant has none of this name.
            KeyDestroyedError: It was destroyed; says when and why.
            RetryableError: The keyring is busy.
        """
        ...

    def records(self, tenant: str, subjects: Sequence[str]) -> list[KeyRecord]:
        """Return every key of some subjects, living or not, oldest month first.

        Raises:
            RetryableError: The keyring is busy.
        """
        ...

    def destroy(self, tenant: str, subjects: Sequence[str], destruction: Destruction) -> list[KeyRecord]:
        """Destroy every key of some subjects, and return those that lived until now; durable on return.

        For the months up to that of the destruction no key of theirs is made again. Doing it again is
        harmless.

        Raises:
            RetryableError: The keyring is busy. Some traces of the keys may be left on the disk: do it again.
        """
        ...
