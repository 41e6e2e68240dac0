"""Receipts of what was accepted lately, to be asked for again by the hash of the value."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from auditstream.core.ports import Placed
from auditstream.gateway.judging import Judged


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event that all in-sync replicas have.

    Attributes:
        event_id: Its id.
        value_sha256: SHA-256 of the value, to which its leaf in the log commits; lower-case hex.
        placed: Where it is.
    """

    event_id: str
    value_sha256: str
    placed: Placed

    def receipt(self) -> dict[str, Any]:
        """Return the receipt as JSON data."""
        placed = self.placed
        return {
            "value_sha256": self.value_sha256,
            "topic": placed.topic,
            "partition": placed.partition,
            "offset": placed.offset,
        }


class Receipts:
    """The newest receipts of this process, each for its own tenant only.

    Args:
        most: How many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[str, tuple[str, str, Placed]] = OrderedDict()

    def accept(self, judged: Judged, placed: Placed, tenant_id: str) -> Accepted:
        """Return what was accepted, and keep its receipt."""
        digest = judged.value_sha256
        if self._most:
            self._kept[digest] = (tenant_id, judged.event_id, placed)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return Accepted(judged.event_id, digest, placed)

    def find(self, value_sha256: str, tenant_id: str) -> Accepted | None:
        """Return the receipt of a value of a tenant's, None when it is not known here."""
        owner, event_id, placed = self._kept.get(value_sha256, ("", "", None))
        return Accepted(event_id, value_sha256, placed) if placed is not None and owner == tenant_id else None


def body_of(accepted: Sequence[Accepted]) -> dict[str, Any]:
    """Return ids and receipts, in the same order."""
    return {
        "ids": [each.event_id for each in accepted],
        "receipts": [each.receipt() for each in accepted],
    }
