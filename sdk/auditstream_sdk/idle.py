"""Recordings of a client that is not configured: they take everything, keep nothing, and change nothing."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Protocol, TypeVar, cast

from auditstream_sdk.ids import new_id
from auditstream_sdk.recording import Kind, Receipt

F = TypeVar("F", bound=Callable[..., Any])


class Client(Protocol):
    """A client that may start to record later, as it does under test."""

    @property
    def is_recording(self) -> bool:
        """Whether it records now."""
        ...

    def _recording(self, kind: Kind, fields: Mapping[str, Any]) -> Any: ...


class Idle:
    """What recorders return instead of a recording; as a decorator it asks again at every call."""

    __slots__ = ("_client", "family", "kind", "receipt")

    failed = False

    def __init__(self, client: Client, kind: Kind, fields: Mapping[str, Any]) -> None:
        self._client = client
        self.kind = kind
        self.family = fields
        self.receipt: Receipt | None = None

    @property
    def event_id(self) -> str:
        """An id that no event will have."""
        return new_id()

    def nothing(self, *_: Any, **__: Any) -> None:
        """Take anything."""

    set = usage = cost = fail = response = nothing

    def __enter__(self) -> Idle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def __aenter__(self) -> Idle:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def record(self) -> Any:
        """Record nothing."""
        return None

    def __call__(self, function: F) -> F:
        """Return a function that is recorded once its client records."""
        client, again = self._client, self._again

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                if client.is_recording:
                    return await again()(function)(*args, **kwargs)
                return await function(*args, **kwargs)

            return cast("F", awaited)

        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            if client.is_recording:
                return again()(function)(*args, **kwargs)
            return function(*args, **kwargs)

        return cast("F", called)

    def _again(self) -> Any:
        return self._client._recording(self.kind, self.family)


class AsyncIdle(Idle):
    """The same for a client that awaits."""

    __slots__ = ()

    async def _done(self) -> None:
        return None

    def record(self) -> Any:
        """Return something to await, that records nothing."""
        return self._done()
