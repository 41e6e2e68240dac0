"""`GET /v1/receipts/{value_sha256}`: where a value is that this process accepted lately.

Older ones are not looked for in the store: it has no index of hashes, and a caller could make it hash every
value it has. `auditstream prove` finds an event by its id.
"""

from __future__ import annotations

import re

import msgspec

from auditstream.core.metrics import Metrics
from auditstream.gateway.answering import Answer, Door, Endpoint, json_answer
from auditstream.gateway.bodies import Receive
from auditstream.gateway.credentials import Principal
from auditstream.gateway.problems import RefusedError
from auditstream.gateway.receipts import Receipts
from auditstream.gateway.requests import Head, Scope

_HASH = re.compile(r"[0-9a-f]{64}")


class ReceiptsEndpoint(Endpoint):
    """Tells receipts.

    Args:
        receipts: What was accepted lately.
        door: Lets callers in.
        metrics: Counts.
    """

    def __init__(self, receipts: Receipts, door: Door, metrics: Metrics) -> None:
        super().__init__("/v1/receipts", door, metrics)
        self._receipts = receipts

    async def answer(self, _head: Head, principal: Principal, receive: Receive, scope: Scope) -> Answer:
        """Return a receipt of the caller's tenant.

        Raises:
            RefusedError: There is none here.
        """
        await receive()
        value_sha256 = scope["path_params"]["value_sha256"]
        found = None
        if _HASH.fullmatch(value_sha256):
            found = self._receipts.find(value_sha256, principal.tenant_id)
        if found is None:
            raise RefusedError(
                "not_found",
                "no receipt of this value is kept here; `auditstream prove` finds an event by its id",
                field="value_sha256",
            )
        event_id, receipt = found
        return json_answer(200, {"id": event_id, **msgspec.structs.asdict(receipt)})
