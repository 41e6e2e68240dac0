"""One observed call: opened before it, told what came of it, and recorded once, however it ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from time import perf_counter_ns
from typing import Any

from auditstream_sdk.integrations.faults import FAULTS
from auditstream_sdk.usage import ResponseFacts, StreamFacts, fill, read_response


class Observation:
    """Holds the recording of one call.

    Nothing here raises, but for the word of mode `blocking-strict`. Ending it again does nothing, so that
    the several ways in which a stream can end need not know of each other.

    Args:
        recording: A recording that was not entered yet.
        provider: Who is called.
        waits: Whether ending the recording may wait for the gateway, as it does in the blocking modes.
    """

    def __init__(self, recording: Any, provider: str, *, waits: bool = False) -> None:
        self.recording = recording
        self._waits = waits
        self._provider = provider
        self._stream: StreamFacts | None = None
        self._started_ns = perf_counter_ns()
        self._is_open = True
        self._is_known = False
        self._lock = threading.Lock()

    def responded(self, response: Any) -> None:
        """Fill in what a whole response says."""
        self._is_known = True
        with FAULTS:
            fill(self.recording, read_response(response, provider=self._provider))

    def streaming(self) -> None:
        """Expect pieces in place of a response."""
        self._stream = StreamFacts(provider=self._provider)

    def piece(self, piece: Any) -> None:
        """Take in a piece of a stream."""
        with FAULTS:
            if self._stream is None:
                self.streaming()
            self.first_piece()
            if self._stream is not None:
                self._stream.feed(piece)

    def first_piece(self) -> None:
        """Note how long the first piece took; later ones change nothing."""
        self.recording.family.setdefault("ttft_us", (perf_counter_ns() - self._started_ns) // 1000)

    def end(self, error: BaseException | None = None, *, exhausted: bool = True) -> None:
        """Record it.

        Args:
            error: What the call raised.
            exhausted: Whether a stream was read to its end.

        Raises:
            AuditError: Mode `blocking-strict`: there is no acknowledgement.
        """
        if self._close(exhausted=exhausted):
            with FAULTS:
                self.recording.__exit__(type(error) if error else None, error, None)

    async def enter_soon(self) -> None:
        """Begin, from a coroutine."""
        enter = getattr(self.recording, "__aenter__", None)
        if enter is not None:
            await enter()
        else:
            self.recording.__enter__()

    async def end_soon(self, error: BaseException | None = None, *, exhausted: bool = True) -> None:
        """Record it from a coroutine, without holding up the loop.

        Raises:
            AuditError: Mode `blocking-strict`: there is no acknowledgement.
        """
        if not self._close(exhausted=exhausted):
            return
        kind = type(error) if error else None
        with FAULTS:
            leave = getattr(self.recording, "__aexit__", None)
            if leave is not None:
                await leave(kind, error, None)
            elif self._waits:
                await asyncio.to_thread(self.recording.__exit__, kind, error, None)
            else:
                self.recording.__exit__(kind, error, None)

    def _close(self, *, exhausted: bool) -> bool:
        """Return whether this is the end, and not one more of it."""
        with self._lock:
            if not self._is_open:
                return False
            self._is_open = False
        with FAULTS:
            if self._stream is not None:
                fill(self.recording, self._stream.facts(exhausted=exhausted))
            elif not exhausted and not self._is_known:
                fill(self.recording, ResponseFacts(complete=False))
        return True

    def abandon(self, error: BaseException | None = None) -> None:
        """Record without waiting for the gateway: a stream that was dropped, a task that was cancelled.

        Also called by the garbage collector, in any thread.
        """
        if not self._close(exhausted=False):
            return
        kind = type(error) if error else None
        with FAULTS:
            leave = getattr(self.recording, "__aexit__", None)
            if leave is not None:
                _step(leave(kind, error, None))
            elif self._waits:
                threading.Thread(
                    target=self.recording.__exit__, args=(kind, error, None), daemon=True
                ).start()
            else:
                self.recording.__exit__(kind, error, None)


def _step(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine to where it would wait: the event is on its way by then, and nobody awaits its word."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
