"""The two clients: `AuditClient` for code that blocks, `AsyncAuditClient` for code that awaits."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Mapping
from os import environ
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from auditstream_sdk.context import checked
from auditstream_sdk.encoding import Protect
from auditstream_sdk.gateway import GatewayTransport, Transport
from auditstream_sdk.idle import AsyncIdle, Idle
from auditstream_sdk.pipeline import Pipeline
from auditstream_sdk.recorders import Recorders
from auditstream_sdk.recording import (
    AsyncRecording,
    CapturedEvent,
    Kind,
    Receipt,
    Recorder,
    Recording,
)
from auditstream_sdk.settings import settings_from
from auditstream_sdk.version import __version__

if TYPE_CHECKING:
    from typing_extensions import Self

_LIVE: weakref.WeakSet[_Client] = weakref.WeakSet()


class _Client:
    """What both clients have.

    Args:
        protect: Returns each event as it may leave the process, as `Sealer(…).protect` of
            `auditstream_sdk.sealing` does. It is called in the background, before an event is written to the
            spool; an event that it raises for is lost, and told of as `unprotected`.
        arguments: Settings by name (`url`, `key`, `source`, `mode`; all are in `Settings`), and envelope
            fields that all events of this client have (`environment`, `project_id`). What is not given is
            read from `AUDITSTREAM_SDK_<NAME>`. Without `url` the client records nothing.

    Raises:
        SettingsError: A setting is wrong.
        TypeError: A name is neither a setting nor an envelope field.

    Attributes:
        settings: Its settings.
        defaults: Envelope fields that all its events have.
    """

    stand_in: Recorder | None = None
    """What takes the recordings of all clients instead, under test."""

    def __init__(self, *, protect: Protect | None = None, **arguments: Any) -> None:
        self.settings, fields = settings_from(arguments, environ)
        self.defaults: Mapping[str, Any] = checked(fields)
        if self.settings.tenant:
            self.defaults = {"tenant_id": self.settings.tenant, **self.defaults}
        self._pipeline: Pipeline | None = None
        if self.settings.is_complete:
            self._pipeline = Pipeline(self.settings, self.defaults, self._transport(), protect)
        self._recorder: Recorder | None = _Client.stand_in or self._pipeline
        _LIVE.add(self)

    @classmethod
    def from_env(cls, **arguments: Any) -> Self:
        """Return a client that the environment configures, or that records nothing where it does not."""
        return cls(**arguments)

    def _transport(self) -> Transport:
        if self.settings.is_kafka:
            from auditstream_sdk.kafka import KafkaTransport  # noqa: PLC0415  most never need it

            return KafkaTransport(self.settings)
        return GatewayTransport(self.settings, f"auditstream-sdk/{__version__}")

    @property
    def is_recording(self) -> bool:
        """Whether what is recorded goes anywhere."""
        return self._recorder is not None

    @property
    def instance_id(self) -> str:
        """The `source_instance` of this process's events; empty before the first one."""
        return self._pipeline.instance_id if self._pipeline is not None else ""

    @property
    def dropped(self) -> int:
        """Events of this process that were lost; each is told of by an event."""
        return self._pipeline.dropped if self._pipeline is not None else 0

    @property
    def waiting(self) -> int:
        """Events of this process that are neither acknowledged nor refused nor dropped yet."""
        return self._pipeline.unsettled if self._pipeline is not None else 0

    def _use(self, stand_in: Recorder | None) -> None:
        self._recorder = stand_in or self._pipeline


class AuditClient(_Client, Recorders[Recording]):
    """Records what happens in a service, and sends it to the gateway in the background.

    Threads may share one; a forked child goes on with its own instance.
    """

    def _recording(self, kind: Kind, fields: Mapping[str, Any]) -> Recording:
        if self._recorder is None:
            return cast("Recording", Idle(self, kind, fields))
        return Recording(self._recorder, kind, fields)

    def record(self, event: Mapping[str, Any]) -> Receipt | None:
        """Record one finished event, given as fields of the contract; at least `event_type`.

        Id, time, source and numbers are filled in where they are missing.

        Returns:
            The receipt in the blocking modes; None in mode `batch`, and where there is none in time.

        Raises:
            NotAcknowledgedError: Mode `blocking-strict`: there is no acknowledgement.
        """
        return self._recorder.take(CapturedEvent(event)) if self._recorder is not None else None

    def flush(self, deadline_s: float = 5.0) -> bool:
        """Wait until all that was recorded so far is acknowledged, or refused and told of; whether it is."""
        return self._pipeline is None or self._pipeline.flush(deadline_s)

    def close(self, deadline_s: float | None = None) -> bool:
        """Send what there is within a deadline, leave the rest in the spool, and end; whether all was sent.

        Called at exit by itself.
        """
        return self._pipeline is None or self._pipeline.close(deadline_s)

    def __enter__(self) -> AuditClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncAuditClient(_Client, Recorders[AsyncRecording]):
    """The same for code that awaits: `async with` recorders, and an event loop that is never held up."""

    def _recording(self, kind: Kind, fields: Mapping[str, Any]) -> AsyncRecording:
        if self._recorder is None:
            return cast("AsyncRecording", AsyncIdle(self, kind, fields))
        return AsyncRecording(self._recorder, kind, fields)

    async def record(self, event: Mapping[str, Any]) -> Receipt | None:
        """Record one finished event, as `AuditClient.record`."""
        return await self._recorder.take_soon(CapturedEvent(event)) if self._recorder is not None else None

    async def flush(self, deadline_s: float = 5.0) -> bool:
        """Wait until all that was recorded so far is acknowledged, or refused and told of; whether it is."""
        if self._pipeline is None:
            return True
        return await asyncio.to_thread(self._pipeline.flush, deadline_s)

    async def close(self, deadline_s: float | None = None) -> bool:
        """Send what there is within a deadline, leave the rest in the spool, and end."""
        if self._pipeline is None:
            return True
        return await asyncio.to_thread(self._pipeline.close, deadline_s)

    async def __aenter__(self) -> AsyncAuditClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def stand_in(recorder: Recorder | None) -> None:
    """Let something else take the recordings of all clients, those still to be made too; None ends that."""
    _Client.stand_in = recorder
    for client in list(_LIVE):
        client._use(recorder)
