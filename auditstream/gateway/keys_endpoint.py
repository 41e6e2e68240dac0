"""`POST /v1/keys`: keys for producers that hide data where it arises; see `identity.provisioning`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from auditstream.core.clock import Clock
from auditstream.core.errors import DecodeError, NotAllowedError, RequestError, RetryableError
from auditstream.core.metrics import Metrics
from auditstream.gateway.answering import Answer, Door, Endpoint, json_answer
from auditstream.gateway.bodies import Bodies, Receive
from auditstream.gateway.credentials import Principal
from auditstream.gateway.problems import RefusedError
from auditstream.gateway.requests import Head, Scope
from auditstream.identity.keys import Keys
from auditstream.identity.provisioning import Asking, provisioned
from schemas.strict_json import parse

_NO_STORE = ((b"cache-control", b"no-store"),)
_RETRY_S = 2.0


class KeysEndpoint(Endpoint):
    """Hands keys to credentials that may have them.

    Args:
        keys: The deployment's keys.
        lifetime_s: How long a holder may use what it gets.
        door: Lets callers in.
        bodies: Reads bodies.
        clock: Tells the month.
        metrics: Counts.
    """

    def __init__(
        self, keys: Keys, *, lifetime_s: float, door: Door, bodies: Bodies, clock: Clock, metrics: Metrics
    ) -> None:
        super().__init__("/v1/keys", door, metrics)
        self._keys = keys
        self._lifetime_s = lifetime_s
        self._bodies = bodies
        self._clock = clock

    async def answer(self, head: Head, principal: Principal, receive: Receive, _scope: Scope) -> Answer:
        """Return keys, which nobody may cache.

        Raises:
            RefusedError: The credential may have none, or the request is malformed.
        """
        if head.media_type() != "application/json":
            raise RefusedError(
                "unsupported_type", "content-type: is not application/json", field="content-type"
            )
        async with self._bodies.read(head.headers, receive) as body:
            try:
                request = parse(body, depth=4)
            except DecodeError as error:
                raise RefusedError("malformed", f"the body {error.message}") from None
        asking = Asking(principal.tenant_id, principal.edge_keys, principal.policy)
        now = datetime.fromtimestamp(self._clock.now_s(), UTC)
        try:
            # On a thread: a key that is new waits for the disk.
            found = await asyncio.to_thread(
                provisioned, self._keys, asking, request, now=now, lifetime_s=self._lifetime_s
            )
        except NotAllowedError as error:
            raise RefusedError("not_allowed", error.message) from None
        except RequestError as error:
            raise RefusedError(
                "contract", error.message, field=str(error.context.get("field") or "")
            ) from None
        except RetryableError as error:
            raise RefusedError("unavailable", error.message, retry_after_s=_RETRY_S) from error
        answer = json_answer(200, found)
        return Answer(answer.status, answer.body, headers=_NO_STORE)
