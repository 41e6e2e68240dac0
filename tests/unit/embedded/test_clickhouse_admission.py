"""As many queries run as may; a few wait, and the rest are told to come again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from auditstream.embedded.clickhouse_admission import Admission, AdmissionLimits
from auditstream.embedded.clickhouse_errors import QueryError

BOUND_S = 10.0


class Gate:
    """Work that ends when it is let go."""

    def __init__(self) -> None:
        self._open = threading.Event()

    def __call__(self) -> str:
        assert self._open.wait(BOUND_S)
        return "done"

    def open(self) -> None:
        """Let the work end."""
        self._open.set()


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    made = Gate()
    yield made
    made.open()


def number(caught: pytest.ExceptionInfo[QueryError]) -> int:
    """Return ClickHouse's number of an error."""
    return caught.value.number


async def test_work_runs_and_its_place_is_free_again() -> None:
    admission = Admission(AdmissionLimits(running=1, waiting=0, wait_s=BOUND_S))

    answers = [await (await admission.start(f"q{n}", lambda n=n: n * 2)) for n in range(5)]

    assert answers == [0, 2, 4, 6, 8]
    assert not admission.running
    admission.close()


async def test_an_error_frees_the_place_too() -> None:
    admission = Admission(AdmissionLimits(running=1, waiting=0, wait_s=BOUND_S))
    for name in ("a", "b"):
        with pytest.raises(ZeroDivisionError):
            await (await admission.start(name, lambda: 1 // 0))
    admission.close()


async def test_whoever_waits_gets_the_next_place(gate: Gate) -> None:
    admission = Admission(AdmissionLimits(running=1, waiting=1, wait_s=BOUND_S))
    first = await admission.start("first", gate)
    second = asyncio.create_task(admission.start("second", lambda: "second"))
    await asyncio.sleep(0)
    assert not second.done()
    gate.open()

    assert await first == "done"
    assert await (await second) == "second"
    admission.close()


async def test_more_may_not_wait(gate: Gate) -> None:
    admission = Admission(AdmissionLimits(running=1, waiting=1, wait_s=BOUND_S))
    first = await admission.start("first", gate)
    second = asyncio.create_task(admission.start("second", lambda: "second"))
    await asyncio.sleep(0)

    with pytest.raises(QueryError) as caught:
        await admission.start("third", lambda: "third")
    gate.open()

    assert (number(caught), caught.value.status) == (202, 503)
    assert [await first, await (await second)] == ["done", "second"]
    admission.close()


async def test_nobody_waits_for_ever(gate: Gate) -> None:
    admission = Admission(AdmissionLimits(running=1, waiting=1, wait_s=0.01))
    first = await admission.start("first", gate)

    with pytest.raises(QueryError) as caught:
        await admission.start("second", lambda: "second")
    gate.open()

    assert number(caught) == 202
    assert await first == "done"
    admission.close()


async def test_an_id_in_use_is_refused_and_takes_no_place(gate: Gate) -> None:
    admission = Admission(AdmissionLimits(running=2, waiting=0, wait_s=BOUND_S))
    first = await admission.start("same", gate)

    for _ in range(3):
        with pytest.raises(QueryError) as caught:
            await admission.start("same", lambda: "never")
        assert number(caught) == 216
    other = await (await admission.start("other", lambda: "other"))
    gate.open()

    assert [await first, other] == ["done", "other"]
    assert await (await admission.start("same", lambda: "again")) == "again"
    admission.close()


async def test_a_waiter_that_gives_up_leaves_nothing_behind(gate: Gate) -> None:
    admission = Admission(AdmissionLimits(running=1, waiting=1, wait_s=BOUND_S))
    first = await admission.start("first", gate)
    waiter = asyncio.create_task(admission.start("second", lambda: "never"))
    await asyncio.sleep(0)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    gate.open()

    assert await first == "done"
    assert await (await admission.start("third", lambda: "third")) == "third"
    admission.close()


async def test_once_stopped_nothing_starts_and_the_rest_is_waited_for(gate: Gate) -> None:
    admission = Admission(AdmissionLimits(running=1, waiting=1, wait_s=BOUND_S))
    first = await admission.start("first", gate)
    waiter = asyncio.create_task(admission.start("second", lambda: "never"))
    await asyncio.sleep(0)
    admission.stop()

    assert list(admission.running) == ["first"]
    assert not await admission.drained(0.01)
    gate.open()
    assert await admission.drained(BOUND_S)
    assert await first == "done"
    for refused in (waiter, admission.start("third", lambda: "never")):
        with pytest.raises(QueryError) as caught:
            await refused
        assert number(caught) == 202
    admission.close()
