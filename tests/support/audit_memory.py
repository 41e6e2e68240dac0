"""Clients of the SDK that keep their events in memory; all but the way to a gateway is the SDK's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auditstream_sdk.recorders import Recorders
from auditstream_sdk.recording import AsyncRecording, Captured, CapturedEvent, Kind, Recording


class _Memory:
    is_recording = True

    def __init__(self) -> None:
        self._taken: list[Captured] = []

    @property
    def events(self) -> list[dict[str, Any]]:
        """What was recorded, as it would be sent."""
        return [
            dict(captured.event("svc://test", "instance", number, {}))
            for number, captured in enumerate(self._taken, start=1)
        ]

    @property
    def event(self) -> dict[str, Any]:
        """The only event."""
        (event,) = self.events
        return event

    def take(self, recording: Captured) -> None:
        self._taken.append(recording)

    async def take_soon(self, recording: Captured) -> None:
        self._taken.append(recording)


class AuditMemory(_Memory, Recorders[Recording]):
    """In place of AuditClient."""

    def _recording(self, kind: Kind, fields: Mapping[str, Any]) -> Recording:
        return Recording(self, kind, fields)

    def record(self, event: Mapping[str, Any]) -> None:
        self.take(CapturedEvent(event))


class AsyncAuditMemory(_Memory, Recorders[AsyncRecording]):
    """In place of AsyncAuditClient."""

    def _recording(self, kind: Kind, fields: Mapping[str, Any]) -> AsyncRecording:
        return AsyncRecording(self, kind, fields)

    async def __aenter__(self) -> AsyncAuditMemory:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass
