"""A service that tells of what it does by the SDK, as most do: in the background, in batches."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auditstream.core.errors import RetryableError
from auditstream.demo.sendings import Sending
from auditstream_sdk import AuditClient

_MOST_WAITING = 1_500
"""Events of an instance that may be on their way. Mode `batch` never waits for the gateway, and drops what
has no room; who replays a day in seconds waits himself."""

_TIMEOUT_S = 30.0
_PAUSE_S = 0.01
_NO_HEARTBEATS = 0.0
"""The day has those of its own time."""


class SdkService:
    """Records finished events with an `AuditClient`, as one instance of a service.

    The client numbers them by itself, and a heartbeat tells how far its numbers are.

    Args:
        url: Address of the gateway.
        key: Key of the service.
        first: Its first event, which says who it is.
        spool: Folder for what is not sent yet; instances of a service may share it, as on one machine.
    """

    def __init__(self, url: str, key: str, first: Mapping[str, Any], spool: Path) -> None:
        self._source = first["source"]
        self._recorded = 0
        self._client = AuditClient(
            url=url,
            key=key,
            source=self._source,
            mode="batch",
            tenant=first["tenant_id"],
            spool=spool / self._source.replace(":", "-"),
            heartbeat_s=_NO_HEARTBEATS,
        )

    @property
    def acknowledged(self) -> int:
        """Events that all in-sync replicas have."""
        return self._recorded - self._client.waiting - self._client.dropped

    def send(self, sending: Sending) -> None:
        """Record an event; waits while many are on their way.

        Raises:
            RetryableError: The gateway takes none of them.
        """
        draft = dict(sending.draft)
        self._recorded += 1
        if "heartbeat" in draft:
            draft["heartbeat"] = draft["heartbeat"] | {"last_seq": self._recorded}
        self._client.record(draft)
        if self._client.waiting > _MOST_WAITING:
            self._wait()

    def finish(self) -> None:
        """Return once everything is acknowledged.

        Raises:
            RetryableError: Something is not, in time or at all.
        """
        self._client.flush(_TIMEOUT_S)
        if self.acknowledged != self._recorded:
            raise RetryableError(
                f"of {self._recorded} events of {self._source}, {self._client.waiting} are not acknowledged"
                f" and {self._client.dropped} were refused or dropped"
            )
        self._client.close()

    def abandon(self) -> None:
        """End the client."""
        self._client.close(0.0)

    def _wait(self) -> None:
        least, deadline = self._client.waiting, time.monotonic() + _TIMEOUT_S
        while (now := self._client.waiting) > _MOST_WAITING // 2:
            if now < least:
                least, deadline = now, time.monotonic() + _TIMEOUT_S
            if time.monotonic() > deadline:
                raise RetryableError(f"the gateway takes no events of {self._source}; {now} wait")
            time.sleep(_PAUSE_S)
