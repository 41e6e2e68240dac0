"""A request's body: read with a deadline, decompressed within limits, and counted while it is in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from auditstream.core.room import NoRoomError, Room
from auditstream.core.settings import GatewaySettings
from auditstream.gateway.inflation import Inflation, inflation_of, too_large
from auditstream.gateway.problems import RefusedError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

_BUSY_S = 2.0
_STEP_BYTES = 256 * 1024
"""How much room a body takes at a time, so that a small one does not keep out others."""


class Bodies:
    """Reads bodies within the limits of the settings; all of them together within one room.

    Args:
        settings: The limits.
        room: How many bytes of bodies may be in memory.
    """

    def __init__(self, settings: GatewaySettings, room: Room) -> None:
        self._settings = settings
        self._room = room

    def read(self, headers: Mapping[bytes, bytes], receive: Receive) -> ReadBody:
        """Return what lends the decompressed body for the length of an `async with` block.

        Args:
            headers: Of the request, by lower-case name.
            receive: ASGI's.

        Raises:
            RefusedError: From here: it says itself that it is too large, or its coding is not known. From the
                block: it is too large, too slow, cut off, not of its coding; or there is no room for it now.
        """
        settings = self._settings
        _check_length(headers, settings.body_bytes)
        inflation = inflation_of(
            headers.get(b"content-encoding", b"").decode("latin-1"),
            most_bytes=settings.body_bytes,
            most_ratio=settings.body_ratio,
        )
        return ReadBody(inflation, receive, self._room, within_s=settings.body_s)


class ReadBody:
    """One body: read when the block begins, out of memory when it ends; see `Bodies.read`."""

    def __init__(self, inflation: Inflation, receive: Receive, room: Room, *, within_s: float) -> None:
        self._inflation = inflation
        self._receive = receive
        self._room = room
        self._within_s = within_s
        self._taken: list[int] = []

    async def __aenter__(self) -> bytes:
        """Return the body."""
        try:
            async with asyncio.timeout(self._within_s) as deadline:
                return await self._whole()
        except TimeoutError:
            self._give_back()
            if not deadline.expired():
                raise
            raise RefusedError(
                "too_slow", f"the body took longer than {self._within_s:g} s to arrive"
            ) from None
        except BaseException:
            self._give_back()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._give_back()

    async def _whole(self) -> bytes:
        pieces: list[bytes] = []
        size = taken = 0
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise RefusedError("incomplete", "the caller left before the end of the body")
            piece = self._inflation.feed(message.get("body", b""))
            more = message.get("more_body", False)
            pieces.append(piece)
            size += len(piece)
            if size > taken:
                step = max(_STEP_BYTES if more else 0, size - taken)
                await self._take(step)
                taken += step
        self._inflation.finish()
        return b"".join(pieces) if len(pieces) > 1 else pieces[0]

    def _give_back(self) -> None:
        for count in self._taken:
            self._room.give(count)
        self._taken.clear()

    async def _take(self, count: int) -> None:
        try:
            await self._room.take(count, within_s=_BUSY_S)
        except NoRoomError:
            raise RefusedError(
                "busy", "too many bodies are being read at this moment", retry_after_s=_BUSY_S
            ) from None
        self._taken.append(count)


def _check_length(headers: Mapping[bytes, bytes], most_bytes: int) -> None:
    """Refuse at once what says itself that it is too large."""
    said = headers.get(b"content-length", b"0")
    if not said.isdigit():
        raise RefusedError("malformed", "content-length is not a number", field="content-length")
    if int(said) > most_bytes:
        raise too_large(most_bytes)
