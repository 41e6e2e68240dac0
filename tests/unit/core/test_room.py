"""Bytes that are taken and given back, in turn."""

from __future__ import annotations

import asyncio

import pytest

from auditstream.core.room import NoRoomError, Room


async def test_who_asked_first_is_let_in_first_and_a_small_wish_does_not_overtake() -> None:
    room = Room(100)
    await room.take(80, within_s=1)
    order: list[int] = []

    async def wait(size: int) -> None:
        await room.take(size, within_s=5)
        order.append(size)

    waiting = [asyncio.create_task(wait(size)) for size in (90, 10, 5)]
    await asyncio.sleep(0)
    room.give(80)
    await asyncio.sleep(0.01)

    assert order == [90, 10]
    room.give(90)
    await asyncio.gather(*waiting)
    assert (order, room.taken_bytes) == ([90, 10, 5], 15)


async def test_who_waits_too_long_is_told_and_keeps_nothing_and_nobody_back() -> None:
    room = Room(100)
    await room.take(60, within_s=1)
    late = asyncio.create_task(room.take(30, within_s=5))
    with pytest.raises(NoRoomError):
        await room.take(50, within_s=0.01)
    await late

    assert room.taken_bytes == 90


async def test_who_leaves_while_waiting_takes_nothing() -> None:
    room = Room(10)
    await room.take(10, within_s=1)
    leaving = asyncio.create_task(room.take(5, within_s=5))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    room.give(10)

    assert room.taken_bytes == 0
    await room.take(10, within_s=0.01)


async def test_who_leaves_at_the_moment_of_being_let_in_gives_back() -> None:
    room = Room(10)
    await room.take(10, within_s=1)
    leaving = asyncio.create_task(room.take(5, within_s=5))
    await asyncio.sleep(0)
    room.give(10)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving

    assert room.taken_bytes == 0


async def test_more_than_there_is_is_all_of_it() -> None:
    room = Room(10)
    await room.take(1_000, within_s=0.01)

    assert room.taken_bytes == 10
    room.give(1_000)
    assert room.taken_bytes == 0
