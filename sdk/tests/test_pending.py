"""The queue in memory: dense numbers, bounds, and gaps in place of what did not fit."""

from __future__ import annotations

import pytest

from auditstream_sdk.errors import ClosedError
from auditstream_sdk.pending import Gap, Pending
from auditstream_sdk.recording import CapturedEvent


def event(size: int = 10) -> CapturedEvent:
    return CapturedEvent({"event_type": "ai.tool_call", "attributes": {"text": "x" * size}})


def test_drops_in_a_row_for_one_reason_are_one_gap_in_their_place():
    numbers: list[int] = []
    pending = Pending(2, 1 << 20, numbers.append)
    assert pending.put(event())
    for reason in ("queue_full", "queue_full", "spool_full", "queue_full"):
        pending.drop(reason)
    assert pending.put(event())
    assert not pending.put(event())

    first, *gaps, last = pending.take(100)

    assert (first.sequence, last.sequence) == (1, 6)
    assert [(gap.first, gap.last, gap.reason) for gap in gaps if isinstance(gap, Gap)] == [
        (2, 3, "queue_full"),
        (4, 4, "spool_full"),
        (5, 5, "queue_full"),
    ]
    assert numbers == [1, 2, 3, 4, 5, 6]


def test_it_is_bounded_in_bytes_too_and_taking_makes_room():
    pending = Pending(100, 5_000, lambda _: None)
    assert pending.put(event(3_000))
    assert not pending.put(event(3_000))

    pending.take(1)

    assert pending.put(event(3_000))


def test_recording_from_within_itself_keeps_numbers_in_order():
    inner = [event()]

    def recorded(_: int) -> None:
        if inner:  # as a signal handler or a finalizer would, in the middle of it
            pending.put(inner.pop())

    pending = Pending(100, 1 << 20, recorded)
    outer = event()
    pending.put(outer)

    assert [item.sequence for item in pending.take(10)] == [1, 2]
    assert outer.sequence == 1


def test_once_closed_it_takes_nothing_and_keeps_what_it_has():
    pending = Pending(100, 1 << 20, lambda _: None)
    pending.put(event())
    pending.close()

    with pytest.raises(ClosedError):
        pending.put(event())
    pending.drop("queue_full")
    assert (pending.last, len(pending.take(10))) == (1, 1)
