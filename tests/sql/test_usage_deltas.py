"""Usage deltas against the rollup that ClickHouse makes of the same blocks."""

from __future__ import annotations

from typing import Any

from tests.support.bad_messages import framed
from tests.support.recorders import messages_to, record_in, recorder_of, segment_of
from tests.support.stores import ClickHouseStore
from tests.support.usage import events_of_all_kinds, summed_deltas, usage_1m


def test_what_is_published_is_what_the_rollup_says(store: ClickHouseStore) -> None:
    first = recorder_of().build(segment_of(events_of_all_kinds(range(600))))
    second = recorder_of(first).build(segment_of(events_of_all_kinds(range(500, 900)), lo=len(first)))
    for block in (first, second, second):
        store.insert(block)

    deltas: list[dict[str, Any]] = [
        record_in(message, "usage_delta")
        for block in (first, second)
        for message in messages_to("audit.usage.v1", block)
    ]
    expected = usage_1m(store.ask)

    assert second.duplicates > 90
    assert len(expected) > 100
    assert summed_deltas(deltas) == expected


def test_a_repeat_that_was_counted_would_be_seen(store: ClickHouseStore) -> None:
    block = recorder_of().build(segment_of([framed(1), framed(2)]))
    store.insert(block)
    [message] = messages_to("audit.usage.v1", block)
    delta = record_in(message, "usage_delta")

    assert summed_deltas([delta]) == usage_1m(store.ask)
    assert summed_deltas([delta, delta]) != usage_1m(store.ask)
