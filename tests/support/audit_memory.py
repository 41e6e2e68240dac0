"""Clients of the SDK that keep their events in memory: all but the way to a gateway is the SDK's own."""

from __future__ import annotations

from typing import Any

from auditstream_sdk import AsyncAuditClient, AuditClient, Receipt
from auditstream_sdk.recording import Captured


class _Memory:
    """Takes recordings in place of a pipeline."""

    def __init__(self) -> None:
        self.taken: list[Captured] = []
        self.breaks: Exception | None = None

    def take(self, recording: Captured) -> Receipt | None:
        if self.breaks is not None:
            raise self.breaks
        self.taken.append(recording)
        return None

    async def take_soon(self, recording: Captured) -> Receipt | None:
        return self.take(recording)

    @property
    def events(self) -> list[dict[str, Any]]:
        numbered = enumerate(self.taken, start=1)
        return [dict(captured.event("svc://test", "instance", number, {})) for number, captured in numbered]


class _Remembering:
    """What a client over a memory tells of it."""

    memory: _Memory

    @property
    def events(self) -> list[dict[str, Any]]:
        """What was recorded, as it would be sent."""
        return self.memory.events

    @property
    def event(self) -> dict[str, Any]:
        """The only event."""
        (event,) = self.events
        return event


class AuditMemory(_Remembering, AuditClient):
    """An AuditClient without a gateway."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        self.memory = _Memory()
        self._use(self.memory)


class AsyncAuditMemory(_Remembering, AsyncAuditClient):
    """An AsyncAuditClient without a gateway."""

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        self.memory = _Memory()
        self._use(self.memory)
