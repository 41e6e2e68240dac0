"""Where a private name of aiokafka is missing, the public call must deliver the same slabs."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition

from auditstream.core.ports import Slab
from streams.transport.consumer_thread import BatchConsumerThread
from streams.transport.fetch import drain_fetched
from tests.support.record_batches import FetcherWith, Rec, batch, marker

TP = TopicPartition("batches", 0)
STOCK = TopicPartition("stock", 0)
BATCH_TOPICS = frozenset({"batches"})
PRODUCER = 7
Response = tuple[Sequence[bytes], Sequence[tuple[int, int]]]


def recs(count: int) -> list[Rec]:
    return [Rec(b"v%d" % n, timestamp=1000 + n, headers=(("n", b"%d" % n),)) for n in range(count)]


def committed(base: int, count: int) -> list[bytes]:
    records = batch(base, recs(count), producer_id=PRODUCER, transactional=True)
    return [records, marker(base + count, PRODUCER, commit=True)]


def aborted(base: int, count: int) -> Response:
    records = batch(base, recs(count), producer_id=PRODUCER, transactional=True)
    return [records, marker(base + count, PRODUCER, commit=False)], [(PRODUCER, base)]


async def fall_back(fetcher: FetcherWith, active: set[Any] | None = None) -> dict[Any, list[Any]]:
    thread = cast("BatchConsumerThread", None)  # the method needs nothing of it
    consumer = SimpleNamespace(_subscription=fetcher.subscriptions, _fetcher=fetcher.fetcher)
    return await BatchConsumerThread._getmany(thread, consumer, BATCH_TOPICS, active or {TP}, 0.0)


async def slabs(responses: Sequence[Response], *, fallback: bool) -> list[Slab]:
    found: list[Slab] = []
    async with FetcherWith(TP) as fetcher:
        for batches, aborted_list in responses:
            fetcher.receive(TP, *batches, aborted=aborted_list)
            drained = (
                await fall_back(fetcher)
                if fallback
                else await drain_fetched(fetcher.fetcher, BATCH_TOPICS, {TP}, 0.0, None)
            )
            found += drained.get(TP, [])
    return found


CASES: list[list[Response]] = [
    [([batch(0, recs(3)), batch(3, recs(2))], []), ([batch(5, recs(4))], [])],
    [([batch(0, recs(3), append_time=77)], []), ([batch(3, recs(1), deltas=[1], last_delta=4)], [])],
    [(committed(0, 3), []), (committed(4, 2), []), ([batch(7, recs(1))], [])],
    [aborted(0, 2), ([batch(3, recs(2))], [])],
    [([batch(0, recs(2))], []), aborted(2, 3), (committed(6, 1), [])],
]
NAMES = ["plain", "stamped and compacted", "transactions", "aborted first", "aborted alone between others"]


@pytest.mark.parametrize("responses", CASES, ids=NAMES)
async def test_the_same_records_come_as_from_draining(responses: list[Response]) -> None:
    def records(found: list[Slab]) -> list[tuple[Any, ...]]:
        return [
            (offset, value, stamp, tuple(headers))
            for slab in found
            for offset, value, stamp, headers in zip(
                slab.offsets, slab.values, slab.timestamps_ms, slab.headers or [], strict=True
            )
        ]

    ours = await slabs(responses, fallback=True)
    assert records(ours) == records(await slabs(responses, fallback=False))


@pytest.mark.parametrize("responses", CASES, ids=NAMES)
async def test_slabs_follow_one_another_without_a_hole(responses: list[Response]) -> None:
    # A lane takes a hole between two slabs for lost records, and stops the worker.
    found = await slabs(responses, fallback=True)
    assert found[0].first_offset == 0
    for before, after in zip(found, found[1:], strict=False):
        assert after.first_offset == before.next_offset


async def test_a_partition_without_a_position_yet_is_no_error() -> None:
    async with FetcherWith(TP) as fetcher:
        fetcher.assignment.state_value(TP).await_reset(-2)
        assert await fall_back(fetcher) == {}


async def test_other_topics_go_the_stock_way() -> None:
    async with FetcherWith(TP, STOCK) as fetcher:
        fetcher.receive(STOCK, batch(0, recs(2)))
        found = await fall_back(fetcher, {TP, STOCK})
        assert [record.value for record in found[STOCK]] == [b"v0", b"v1"]
        assert TP not in found
