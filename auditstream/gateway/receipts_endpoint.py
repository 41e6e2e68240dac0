"""`GET /v1/receipts/{value_sha256}`: where a value is.

This process remembers what it accepted lately. Of anything else the store is asked, for a caller who also
names the event: `?id=`. It has no index of hashes, and by the hash alone it would have to hash every value it
has.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import msgspec

from auditstream.core.errors import AuditStreamError
from auditstream.core.logs import get_logger
from auditstream.core.metrics import Metrics
from auditstream.gateway.answering import Answer, Door, Endpoint, json_answer
from auditstream.gateway.bodies import Receive
from auditstream.gateway.credentials import Principal
from auditstream.gateway.problems import RefusedError
from auditstream.gateway.receipts import Receipt, Receipts
from auditstream.gateway.requests import Head, Scope
from auditstream.query.receipts import RecordedValue

log = get_logger(__name__)

FindRecorded = Callable[[str, UUID, str], RecordedValue | None]
"""Asks the store, which blocks, for a hash, an event id and a tenant."""

_HASH = re.compile(r"[0-9a-f]{64}")
_AT_ONCE = 4
"""Questions to the store at a time: they are rare, and must not keep the threads that others need."""

_RETRY_S = 1.0


class ReceiptsEndpoint(Endpoint):
    """Tells receipts.

    Args:
        receipts: What was accepted lately.
        find_recorded: Asks for what was recorded; None where there is nobody to ask.
        door: Lets callers in.
        metrics: Counts.
    """

    def __init__(
        self, receipts: Receipts, find_recorded: FindRecorded | None, door: Door, metrics: Metrics
    ) -> None:
        super().__init__("/v1/receipts", door, metrics)
        self._receipts = receipts
        self._find_recorded = find_recorded
        self._asking = 0

    async def answer(self, head: Head, principal: Principal, receive: Receive, scope: Scope) -> Answer:
        """Return a receipt of the caller's tenant.

        Raises:
            RefusedError: There is none here, or it cannot be told now.
        """
        await receive()
        event_id = _event_id(head)
        value_sha256 = scope["path_params"]["value_sha256"]
        if _HASH.fullmatch(value_sha256):
            found = self._receipts.find(value_sha256, principal.tenant_id)
            if found is not None:
                return json_answer(200, _told(*found))
            if event_id is not None and self._find_recorded is not None:
                recorded = await self._recorded(self._find_recorded, value_sha256, event_id, principal)
                if recorded is not None:
                    placed = recorded.placed
                    receipt = Receipt(value_sha256, placed.topic, placed.partition, placed.offset)
                    leaf = {"log_id": recorded.log_id, "leaf_index": recorded.leaf_index}
                    return json_answer(200, _told(str(event_id), receipt) | {"recorded": leaf})
        raise RefusedError(
            "not_found",
            "no receipt of this value is known here; `?id=` with the event's id looks for it in the record",
            field="value_sha256",
        )

    async def _recorded(
        self, find: FindRecorded, value_sha256: str, event_id: UUID, principal: Principal
    ) -> RecordedValue | None:
        if self._asking >= _AT_ONCE:
            raise RefusedError("busy", "too many receipts are being looked for", retry_after_s=_RETRY_S)
        self._asking += 1
        try:
            return await asyncio.to_thread(find, value_sha256, event_id, principal.tenant_id)
        except AuditStreamError as error:
            log.warning("receipt_unread", error=error.code, detail=error.message[:300])
            raise RefusedError(
                "unavailable", "the store does not tell what is recorded", retry_after_s=_RETRY_S
            ) from error
        finally:
            self._asking -= 1


def _event_id(head: Head) -> UUID | None:
    """Return the id that the query names.

    Raises:
        RefusedError: It is none.
    """
    given = parse_qs(head.query.decode("latin-1")).get("id", [])[-1:]
    if not given:
        return None
    try:
        return UUID(given[0])
    except ValueError:
        raise RefusedError("malformed", "id: is no UUID", field="id") from None


def _told(event_id: str, receipt: Receipt) -> dict[str, Any]:
    return {"id": event_id, **msgspec.structs.asdict(receipt)}
