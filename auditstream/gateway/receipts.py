"""Receipts of what was accepted lately, to be asked for again by the hash of the value."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from auditstream.core.ports import Placed


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """Where an event is that all in-sync replicas have; in JSON as callers get it.

    Attributes:
        value_sha256: SHA-256 of the value, to which its leaf in the log commits; lower-case hex.
        topic: Topic.
        partition: Partition.
        offset: Offset.
    """

    value_sha256: str
    topic: str
    partition: int
    offset: int


class Receipts:
    """The newest receipts of this process, each for its own tenant only.

    Args:
        most: How many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[str, tuple[str, str, Receipt]] = OrderedDict()

    def accept(self, event_id: str, value_sha256: str, placed: Placed, tenant_id: str) -> Receipt:
        """Return the receipt of what was accepted, and keep it."""
        receipt = Receipt(value_sha256, placed.topic, placed.partition, placed.offset)
        if self._most:
            self._kept[value_sha256] = (tenant_id, event_id, receipt)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return receipt

    def find(self, value_sha256: str, tenant_id: str) -> tuple[str, Receipt] | None:
        """Return id and receipt of a value of a tenant's, None when it is not known here."""
        owner, event_id, receipt = self._kept.get(value_sha256, ("", "", None))
        return (event_id, receipt) if receipt is not None and owner == tenant_id else None
