"""Pipes between the event loop and a thread hold the faster side back and end properly."""

from __future__ import annotations

import asyncio
import os

import pytest

from auditstream.embedded.clickhouse_pipes import Pipe

SIZE = 20 << 20  # more than any pipe holds


def read_all(fd: int, *, at_a_time: int = 1 << 16) -> bytes:
    """Read to the end and close, as the engine does with rows."""
    found = []
    while piece := os.read(fd, at_a_time):
        found.append(piece)
    os.close(fd)
    return b"".join(found)


def write_all(fd: int, data: bytes) -> None:
    """Write everything and close, as the engine does with an answer."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
    os.close(fd)


def is_open(fd: int) -> bool:
    """Return whether a file descriptor is open."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


async def test_rows_reach_a_slow_reader_whole() -> None:
    rows = os.urandom(SIZE)
    with Pipe.for_rows() as pipe:
        reader = asyncio.get_running_loop().run_in_executor(None, read_all, pipe.engine_fd)
        pipe.hand_over()
        await pipe.write(rows[:1])
        await pipe.write(rows[1:])
        await pipe.write(b"")
        pipe.close()
        assert await reader == rows


async def test_an_answer_is_read_to_its_end() -> None:
    answer = os.urandom(SIZE)
    with Pipe.for_answer() as pipe:
        writer = asyncio.get_running_loop().run_in_executor(None, write_all, pipe.engine_fd, answer)
        pipe.hand_over()
        found = []
        while piece := await pipe.read():
            found.append(piece)
        await writer

    assert b"".join(found) == answer


async def test_the_engine_opens_its_end_by_name() -> None:
    with Pipe.for_answer() as pipe:
        write_all(os.open(f"/dev/fd/{pipe.engine_fd}", os.O_WRONLY | os.O_APPEND), b"by name")
        assert await pipe.read() == b"by name"


async def test_a_writer_does_not_wait_for_ever_for_a_reader_that_is_gone() -> None:
    with Pipe.for_rows() as pipe:
        os.close(pipe.engine_fd)
        pipe.hand_over()
        with pytest.raises(BrokenPipeError):
            await pipe.write(b"x")


async def test_a_blocked_writer_wakes_up_when_the_reader_goes() -> None:
    with Pipe.for_rows() as pipe:
        writing = asyncio.create_task(pipe.write(bytes(SIZE)))
        await asyncio.sleep(0)
        os.close(pipe.engine_fd)
        pipe.hand_over()
        with pytest.raises(BrokenPipeError):
            await writing


async def test_a_closed_pipe_takes_nothing() -> None:
    with Pipe.for_rows() as pipe:
        pipe.close()
        pipe.close()
        with pytest.raises(BrokenPipeError):
            await pipe.write(b"x")


async def test_both_ends_are_closed_unless_one_was_handed_over() -> None:
    with Pipe.for_rows() as kept:
        pass
    assert not is_open(kept.engine_fd)

    with Pipe.for_rows() as given:
        given.hand_over()
    assert is_open(given.engine_fd)
    os.close(given.engine_fd)
