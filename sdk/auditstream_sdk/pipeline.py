"""From recordings to a running instance: made at the first recording, made anew in a forked child."""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
import weakref
from collections.abc import Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYetError
from contextlib import suppress
from typing import Any

from auditstream_sdk.encoding import Protect
from auditstream_sdk.errors import ClosedError, NotAcknowledgedError
from auditstream_sdk.gateway import Transport
from auditstream_sdk.instance import Instance
from auditstream_sdk.notices import LOGGER
from auditstream_sdk.pending import Waiter
from auditstream_sdk.recording import Captured, Receipt
from auditstream_sdk.settings import Settings

_ALL: weakref.WeakSet[Pipeline] = weakref.WeakSet()
_RUNNING: set[Pipeline] = set()
"""Pipelines to be closed at exit: one whose client was forgotten still has events to send."""


class Pipeline:
    """Takes recordings as a client's mode says.

    Args:
        settings: The client's settings.
        defaults: Envelope fields that all its events have.
        transport: The way to the gateway.
        protect: What every event goes through before it is written down.
    """

    def __init__(
        self,
        settings: Settings,
        defaults: Mapping[str, Any],
        transport: Transport,
        protect: Protect | None = None,
    ) -> None:
        self._settings = settings
        self._defaults = defaults
        self._transport = transport
        self._protect = protect
        self._mode = settings.mode
        self._instance: Instance | None = None
        self._lock = threading.Lock()
        self._is_closed = False
        _ALL.add(self)

    def take(self, captured: Captured) -> Receipt | None:
        """Take a recording; returns the receipt in the blocking modes, None where there is none.

        Raises:
            NotAcknowledgedError: Mode `blocking-strict`: there is no acknowledgement within the deadline.
            ClosedError: Mode `blocking-strict`: the client was closed.
        """
        waiter = self._put(captured)
        if waiter is None:
            return None
        try:
            return waiter.result(self._settings.deadline_s)
        except NotYetError:
            return self._failed(self._late(captured))
        except NotAcknowledgedError as error:
            return self._failed(error)

    async def take_soon(self, captured: Captured) -> Receipt | None:
        """Take a recording; waits as `take` does, without holding up the event loop.

        Raises:
            NotAcknowledgedError: As `take`.
            ClosedError: As `take`.
        """
        waiter = self._put(captured)
        if waiter is None:
            return None
        try:
            return await asyncio.wait_for(asyncio.wrap_future(waiter), self._settings.deadline_s)
        except asyncio.TimeoutError:
            return self._failed(self._late(captured))
        except NotAcknowledgedError as error:
            return self._failed(error)

    def _put(self, captured: Captured) -> Waiter | None:
        """Queue a recording; returns what to wait for, None when there is nothing to wait for."""
        if captured.sequence:
            raise RuntimeError("a recording is recorded once; ask the client for another one")
        waiter: Waiter | None = None if self._mode == "batch" else Future()
        try:
            instance = self._instance or self._started()
            is_queued = instance.put(captured, waiter)
        except ClosedError as error:
            if self._mode == "blocking-strict":
                raise
            LOGGER.error("%s", error.message)
            return None
        if not is_queued and waiter is not None:
            self._failed(_dropped())
            return None
        return waiter

    def flush(self, deadline_s: float) -> bool:
        """Wait until all that was recorded is acknowledged, or refused and told of; whether it is."""
        return self._instance is None or self._instance.flush(deadline_s)

    def close(self, deadline_s: float | None = None) -> bool:
        """Send what there is within a deadline and end; whether all was sent."""
        with self._lock:
            self._is_closed = True
            instance = self._instance
        if instance is None:
            return True
        _RUNNING.discard(self)
        return instance.close(self._settings.exit_deadline_s if deadline_s is None else deadline_s)

    @property
    def instance_id(self) -> str:
        """Id of the running instance; empty before the first recording."""
        return self._instance.id if self._instance is not None else ""

    @property
    def dropped(self) -> int:
        """Events that this process's instance lost, each of which is told of."""
        return self._instance.dropped if self._instance is not None else 0

    @property
    def unsettled(self) -> int:
        """Events recorded that are not acknowledged, refused or dropped."""
        return self._instance.unsettled if self._instance is not None else 0

    def _started(self) -> Instance:
        with self._lock:
            if self._is_closed:
                raise ClosedError("the client was closed; the event is not recorded")
            if self._instance is None:
                try:
                    self._instance = Instance(self._settings, self._transport, self._defaults, self._protect)
                except RuntimeError as error:  # the interpreter ends, or there are too many threads
                    raise ClosedError(f"recording cannot start: {error}; the event is not recorded") from None
                _RUNNING.add(self)
                _close_in_worker()
            return self._instance

    def _failed(self, error: NotAcknowledgedError) -> Receipt | None:
        if self._mode == "blocking-strict":
            raise error
        return None

    def _late(self, captured: Captured) -> NotAcknowledgedError:
        if self._instance is not None:
            self._instance.withdraw(captured)
        return NotAcknowledgedError(
            f"no acknowledgement within {self._settings.deadline_s} s; the event waits in the spool",
            event_id=captured.event_id,
        )

    def begin_anew(self) -> None:
        """Forget the parent's instance; called in a forked child."""
        self._lock = threading.Lock()
        _RUNNING.discard(self)
        instance, self._instance = self._instance, None
        if instance is not None:
            instance.abandon()


def _dropped() -> NotAcknowledgedError:
    return NotAcknowledgedError(
        "queue and spool are full: the event was dropped, and an event will tell of it"
    )


def _at_exit() -> None:
    for pipeline in list(_RUNNING):
        pipeline.close()


def _close_in_worker() -> None:
    """Close clients at the end of a worker of multiprocessing, which does not run what is for the exit."""
    util, process = sys.modules.get("multiprocessing.util"), sys.modules.get("multiprocessing.process")
    if util is not None and process is not None and process.parent_process() is not None:
        util.Finalize(None, _at_exit, exitpriority=10)


def _in_child() -> None:
    for pipeline in list(_ALL):
        with suppress(OSError):  # one that cannot let go of its files must not keep the others from it
            pipeline.begin_anew()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
