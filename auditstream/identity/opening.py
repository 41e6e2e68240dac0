"""Opening what is sealed in an event, for who may read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from auditstream.core.errors import NotFoundError
from auditstream.identity.boxes import Place, open_box
from auditstream.identity.keyring import Keyring


@dataclass(frozen=True, slots=True)
class Sealed:
    """The sealed part of an event.

    Attributes:
        tenant: Whose.
        event_id: Which.
        key_id: Key that the boxes are under.
        boxes: By field name.
    """

    tenant: str
    event_id: UUID
    key_id: str
    boxes: Mapping[str, bytes]

    @classmethod
    def of(cls, datum: Mapping[str, Any]) -> Sealed:
        """Return the sealed part of a decoded event.

        Raises:
            NotFoundError: Nothing in it is sealed.
        """
        event_id = UUID(str(datum["event_id"]))
        if not datum.get("sealed"):
            raise NotFoundError(f"{event_id}: nothing in this event is sealed")
        return cls(datum["tenant_id"], event_id, datum["seal_key_id"] or "", datum["sealed"])

    def opened(self, keyring: Keyring) -> dict[str, bytes]:
        """Return what is in the boxes, all of them or none.

        Raises:
            KeyDestroyedError: Their key was destroyed; says when and why.
            KeyUnknownError: The keyring has no such key.
            BoxError: One does not open; says which.
        """
        key = keyring.key(self.tenant, self.key_id)
        return {
            name: open_box(key.aead, key.key_id, Place(self.tenant, self.event_id, name), box)
            for name, box in sorted(self.boxes.items())
        }
