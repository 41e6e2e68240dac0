"""A request's body: read with a deadline, decompressed within limits, and counted while it is in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from auditstream.core.room import NoRoomError, Room
from auditstream.core.settings import GatewaySettings
from auditstream.gateway.inflation import inflation_of, too_large
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

    @asynccontextmanager
    async def read(self, headers: Mapping[bytes, bytes], receive: Receive) -> AsyncIterator[bytes]:
        """Lend the decompressed body for the length of the block.

        Args:
            headers: Of the request, by lower-case name.
            receive: ASGI's.

        Raises:
            RefusedError: It is too large, too slow, cut off, of an unknown coding or not of its coding; or
                there is no room for it now.
        """
        settings = self._settings
        self._check_length(headers)
        coding = headers.get(b"content-encoding", b"").decode("latin-1")
        inflation = inflation_of(coding, most_bytes=settings.body_bytes, most_ratio=settings.body_ratio)
        taken: list[int] = []
        try:
            pieces: list[bytes] = []
            size = 0
            async with asyncio.timeout(settings.body_s) as deadline:
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise RefusedError("incomplete", "the caller left before the end of the body")
                    piece = inflation.feed(message.get("body", b""))
                    more = message.get("more_body", False)
                    pieces.append(piece)
                    size += len(piece)
                    while size > sum(taken):
                        await self._take(taken, max(_STEP_BYTES if more else 0, size - sum(taken)))
            inflation.finish()
            yield b"".join(pieces) if len(pieces) > 1 else pieces[0]
        except TimeoutError:
            if not deadline.expired():
                raise
            raise RefusedError(
                "too_slow", f"the body took longer than {settings.body_s:g} s to arrive"
            ) from None
        finally:
            for count in taken:
                self._room.give(count)

    async def _take(self, taken: list[int], count: int) -> None:
        try:
            await self._room.take(count, within_s=_BUSY_S)
        except NoRoomError:
            raise RefusedError(
                "busy", "too many bodies are being read at this moment", retry_after_s=_BUSY_S
            ) from None
        taken.append(count)

    def _check_length(self, headers: Mapping[bytes, bytes]) -> None:
        """Refuse at once what says itself that it is too large."""
        said = headers.get(b"content-length", b"0")
        if not said.isdigit():
            raise RefusedError("malformed", "content-length is not a number", field="content-length")
        if int(said) > self._settings.body_bytes:
            raise too_large(self._settings.body_bytes)
