"""A new signing key as `ai.config.change` events, which Kafka has before the key signs anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from auditstream.emit.announcements import CONFIG_CHANGE, Said, announcement
from auditstream.ledger.keys import VerifierKey

OBJECT_TYPE = "evidence_key"


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A log, or the deployment, that is to sign with another key.

    Attributes:
        before: The key until now; None for the first.
        after: The key from now on; its name is the log's origin or the deployment's name.
        generation: Number of the secret that it comes from, from 1.
    """

    before: VerifierKey | None
    after: VerifierKey
    generation: int


def events_of(changes: Iterable[KeyChange], said: Said) -> Iterator[dict[str, Any]]:
    """Yield the event of each change: whose key it is, and the hash of the verifier key before and after."""
    for change in changes:
        yield announcement(
            CONFIG_CHANGE,
            said,
            change={
                "object_type": OBJECT_TYPE,
                "object_id": change.after.name,
                "before_hash": None if change.before is None else vkey_hash(change.before),
                "after_hash": vkey_hash(change.after),
            },
            attributes={"vkey": change.after.text, "generation": str(change.generation)},
        )


def vkey_hash(key: VerifierKey) -> str:
    """Return the SHA-256 of a verifier key's text, lower-case hex."""
    return sha256(key.text.encode()).hexdigest()
