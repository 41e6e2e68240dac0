"""Pipes between the event loop and the engine's threads: rows in, answers out, with back-pressure."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Self

# As much as an unprivileged process may have on Linux; the default of 64 KiB costs a wake-up for each piece.
_PIPE_BYTES = 1 << 20
PIECE_BYTES = 1 << 18


class Pipe:
    """A pipe of which the event loop has one end and the engine the other.

    The engine opens its end by name (`/dev/fd/N`), and whoever runs the statement closes `engine_fd` when the
    engine is done: only then does the loop's end see the end of an answer, or a broken pipe.

    Attributes:
        engine_fd: The engine's end.
    """

    def __init__(self, ours: int, engine_fd: int) -> None:
        os.set_blocking(ours, False)
        if sys.platform == "linux":
            with suppress(OSError):  # over the user's limit for large pipes
                fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._ours: int | None = ours
        self._is_handed_over = False
        self.engine_fd = engine_fd

    @classmethod
    def for_rows(cls) -> Pipe:
        """Return a pipe that the loop writes and the engine reads."""
        read_fd, write_fd = os.pipe()
        return cls(write_fd, read_fd)

    @classmethod
    def for_answer(cls) -> Pipe:
        """Return a pipe that the engine writes and the loop reads."""
        read_fd, write_fd = os.pipe()
        return cls(read_fd, write_fd)

    async def read(self) -> bytes:
        """Return the next piece; empty at the end."""
        loop = asyncio.get_running_loop()
        while True:
            fd = self._fd()
            try:
                return os.read(fd, PIECE_BYTES)
            except BlockingIOError:
                await _ready(fd, loop.add_reader, loop.remove_reader)

    async def write(self, data: bytes) -> None:
        """Write all of `data`.

        Raises:
            BrokenPipeError: The engine is done and reads no more.
        """
        loop = asyncio.get_running_loop()
        rest = memoryview(data)
        while rest:
            fd = self._fd()
            try:
                rest = rest[os.write(fd, rest) :]
            except BlockingIOError:
                await _ready(fd, loop.add_writer, loop.remove_writer)

    def hand_over(self) -> None:
        """Leave it to the engine's thread to close `engine_fd`."""
        self._is_handed_over = True

    def close(self) -> None:
        """Close the loop's end: the end of the rows, or of interest in the answer."""
        if self._ours is not None:
            os.close(self._ours)
            self._ours = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        if not self._is_handed_over:
            os.close(self.engine_fd)

    def _fd(self) -> int:
        if self._ours is None:
            raise BrokenPipeError("the pipe is closed")
        return self._ours


async def _ready(
    fd: int, watch: Callable[[int, Callable[[], None]], None], unwatch: Callable[[int], bool]
) -> None:
    """Wait until the event loop reports the file descriptor."""
    reported: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    watch(fd, lambda: None if reported.done() else reported.set_result(None))
    try:
        await reported
    finally:
        unwatch(fd)
