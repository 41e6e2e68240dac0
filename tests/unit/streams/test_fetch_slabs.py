"""Fetched record batches as slabs, held against what aiokafka's own iterator makes of the same bytes."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchError
from aiokafka.errors import CorruptRecordException, OffsetOutOfRangeError, TopicAuthorizationFailedError
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given, settings
from hypothesis import strategies as st

from auditstream.core.ports import Slab
from streams.transport.fetch import drain_fetched
from streams.transport.record_batches import FetchedRecords
from streams.transport.record_batches import batches as batches_of
from tests.support.examples import examples
from tests.support.record_batches import CODECS, FetcherWith, Rec, batch, damaged, marker

TP = TopicPartition("batches", 0)
OTHER = TopicPartition("batches", 1)
STOCK = TopicPartition("stock", 0)
BATCH_TOPICS = frozenset({"batches"})
PRODUCER, OTHER_PRODUCER = 7, 8

Plain = list[tuple[int, bytes | None, int, tuple[tuple[str, bytes], ...]]]


def recs(count: int, prefix: bytes = b"v") -> list[Rec]:
    return [Rec(prefix + b"%d" % n, timestamp=1000 + n) for n in range(count)]


async def drain(
    fetcher: FetcherWith, active: set[Any] | None = None, wait_s: float = 0.0, max_records: int | None = None
) -> dict[Any, list[Any]]:
    return await drain_fetched(fetcher.fetcher, BATCH_TOPICS, active, wait_s, max_records)


def plain(slab: Slab) -> Plain:
    headers = slab.headers or [()] * len(slab.values)
    return list(
        zip(slab.offsets, slab.values, slab.timestamps_ms, (tuple(each) for each in headers), strict=True)
    )


async def slab_and_oracle(
    *batches: bytes,
    position: int = 0,
    aborted: Sequence[tuple[int, int]] = (),
    isolation_level: str = "read_committed",
) -> Slab:
    """Return the slab of a fetch, after it was compared with what aiokafka's own call returns."""
    async with FetcherWith(TP, isolation_level=isolation_level) as ours:
        ours.receive(TP, *batches, position=position, aborted=aborted)
        [slab] = (await drain(ours))[TP]
    async with FetcherWith(TP, isolation_level=isolation_level, reader=MemoryRecords) as theirs:
        theirs.receive(TP, *batches, position=position, aborted=aborted)
        records = (await theirs.fetcher.fetched_records({TP})).get(TP, [])
        assert plain(slab) == [(r.offset, r.value, r.timestamp, r.headers) for r in records]
        assert (slab.first_offset, slab.next_offset) == (position, theirs.position(TP))
        assert ours.position(TP) == theirs.position(TP)
    assert slab.size_bytes == sum(len(value or b"") for value in slab.values)
    return slab


class TestRecords:
    async def test_a_slab_has_every_record_of_every_batch(self) -> None:
        slab = await slab_and_oracle(batch(0, recs(3)), batch(3, recs(1)), batch(4, recs(5)))
        assert slab.offsets == range(9)
        assert (slab.topic, slab.partition) == ("batches", 0)
        assert slab.headers is None

    @pytest.mark.parametrize("codec", CODECS)
    async def test_every_codec_is_read(self, codec: str) -> None:
        data = batch(0, [Rec(b"compressible " * 50, timestamp=n) for n in range(20)], codec=codec)
        assert DefaultRecordBatch(data).compression_type == CODECS[codec]
        slab = await slab_and_oracle(data, batch(20, recs(2), codec=codec))
        assert len(slab.values) == 22

    async def test_null_and_empty_values_are_told_apart(self) -> None:
        slab = await slab_and_oracle(batch(0, [Rec(None), Rec(b""), Rec(b"x")]))
        assert slab.values == [None, b"", b"x"]
        assert slab.size_bytes == 1

    async def test_headers_keep_step_with_their_records(self) -> None:
        marked = Rec(b"a", headers=(("schema", b"\x01"), ("schema", b"\x02")))
        slab = await slab_and_oracle(batch(0, recs(2)), batch(2, [marked]), batch(3, [Rec(b"b"), marked]))
        assert [tuple(each) for each in slab.headers or []] == [(), (), marked.headers, (), marked.headers]

    async def test_the_brokers_stamp_takes_the_place_of_the_producers(self) -> None:
        slab = await slab_and_oracle(batch(0, recs(3), append_time=5_000), batch(3, recs(2)))
        assert slab.timestamps_ms == [5_000, 5_000, 5_000, 1_000, 1_001]

    async def test_offsets_that_compaction_removed_are_covered_without_a_record(self) -> None:
        compacted = batch(10, recs(3), deltas=[1, 2, 5], last_delta=9)
        slab = await slab_and_oracle(compacted, batch(20, recs(2)), position=10)
        assert list(slab.offsets) == [11, 12, 15, 20, 21]
        assert (slab.first_offset, slab.next_offset) == (10, 22)

    async def test_a_batch_that_compaction_emptied_moves_the_position(self) -> None:
        emptied = batch(0, [], last_delta=4)
        slab = await slab_and_oracle(emptied, batch(5, recs(1)))
        assert list(slab.offsets) == [5]


class TestPosition:
    @pytest.mark.parametrize("position", [5, 6, 8, 9])
    @pytest.mark.parametrize("codec", ["none", "lz4"])
    async def test_a_fetch_may_begin_in_the_middle_of_a_batch(self, position: int, codec: str) -> None:
        slab = await slab_and_oracle(batch(5, recs(5), codec=codec), batch(10, recs(2)), position=position)
        assert slab.offsets == range(position, 12)
        assert len(slab.values) == 12 - position

    async def test_what_was_taken_is_not_taken_again(self) -> None:
        async with FetcherWith(TP) as fetcher:
            fetcher.receive(TP, batch(0, recs(4)))
            await drain(fetcher)
            assert fetcher.position(TP) == 4
            assert await drain(fetcher) == {}

    async def test_taking_lets_the_fetcher_ask_for_more(self) -> None:
        async with FetcherWith(TP) as fetcher:
            asking = fetcher.fetcher._wait_consume_future = asyncio.get_running_loop().create_future()
            fetcher.receive(TP, batch(0, recs(1)))
            await drain(fetcher)
            assert asking.done()
            assert TP not in fetcher.fetcher._records

    async def test_a_response_from_before_a_seek_is_thrown_away(self) -> None:
        async with FetcherWith(TP) as fetcher:
            fetcher.receive(TP, batch(0, recs(4)))
            fetcher.subscriptions.seek(TP, 2)
            assert await drain(fetcher) == {}
            assert fetcher.position(TP) == 2
            assert TP not in fetcher.fetcher._records

    async def test_a_response_from_before_a_rebalance_is_thrown_away(self) -> None:
        async with FetcherWith(TP) as fetcher:
            fetcher.receive(TP, batch(0, recs(4)))
            fetcher.assignment._unassign()
            assert await drain(fetcher) == {}


class TestTransactions:
    async def test_what_was_committed_is_read_and_its_marker_is_covered(self) -> None:
        slab = await slab_and_oracle(
            batch(0, recs(2), producer_id=PRODUCER, transactional=True), marker(2, PRODUCER, commit=True)
        )
        assert (list(slab.offsets), slab.next_offset) == ([0, 1], 3)

    async def test_what_was_aborted_is_not_read_but_covered(self) -> None:
        slab = await slab_and_oracle(
            batch(0, recs(2)),
            batch(2, recs(3, b"aborted"), producer_id=PRODUCER, transactional=True),
            marker(5, PRODUCER, commit=False),
            batch(6, recs(1)),
            aborted=[(PRODUCER, 2)],
        )
        assert list(slab.offsets) == [0, 1, 6]
        assert slab.next_offset == 7

    async def test_a_producer_that_aborted_once_is_read_again_later(self) -> None:
        slab = await slab_and_oracle(
            batch(0, recs(2), producer_id=PRODUCER, transactional=True),
            batch(2, recs(2, b"other"), producer_id=OTHER_PRODUCER, transactional=True),
            marker(4, PRODUCER, commit=False),
            batch(5, recs(2, b"again"), producer_id=PRODUCER, transactional=True),
            marker(7, OTHER_PRODUCER, commit=True),
            marker(8, PRODUCER, commit=True),
            aborted=[(PRODUCER, 0)],
        )
        assert list(slab.offsets) == [2, 3, 5, 6]

    async def test_a_producer_may_abort_twice_in_one_fetch(self) -> None:
        slab = await slab_and_oracle(
            batch(0, recs(1), producer_id=PRODUCER, transactional=True),
            marker(1, PRODUCER, commit=False),
            batch(2, recs(1, b"kept"), producer_id=PRODUCER, transactional=True),
            marker(3, PRODUCER, commit=True),
            batch(4, recs(1), producer_id=PRODUCER, transactional=True),
            marker(5, PRODUCER, commit=False),
            aborted=[(PRODUCER, 4), (PRODUCER, 0)],
        )
        assert slab.values == [b"kept0"]
        assert slab.next_offset == 6

    async def test_a_fetch_of_aborted_records_alone_is_a_slab_without_records(self) -> None:
        # The lane must learn that the offsets are covered, or it would see a hole before the next slab.
        slab = await slab_and_oracle(
            batch(0, recs(2), producer_id=PRODUCER, transactional=True),
            marker(2, PRODUCER, commit=False),
            aborted=[(PRODUCER, 0)],
        )
        assert (slab.values, slab.first_offset, slab.next_offset) == ([], 0, 3)

    async def test_markers_are_no_records_without_isolation_either(self) -> None:
        slab = await slab_and_oracle(
            batch(0, recs(2), producer_id=PRODUCER, transactional=True),
            marker(2, PRODUCER, commit=False),
            isolation_level="read_uncommitted",
        )
        assert list(slab.offsets) == [0, 1]


class TestMemory:
    async def test_the_bytes_of_a_fetch_are_gone_with_it_and_wait_for_no_collector(self) -> None:
        gone: list[str] = []
        async with FetcherWith(TP, OTHER) as fetcher:
            fetcher.receive(TP, batch(0, recs(3)))
            fetcher.receive(OTHER, batch(0, recs(3)))
            for tp in (TP, OTHER):
                records = fetcher.fetcher._records[tp]._partition_records._records
                weakref.finalize(records, gone.append, str(tp))
            del records
            fetcher.subscriptions.seek(OTHER, 7)  # what was fetched there is of no use any more
            gc.disable()
            try:
                assert [*await drain(fetcher)] == [TP]
            finally:
                gc.enable()
        assert sorted(gone) == sorted(map(str, (TP, OTHER)))


class TestErrors:
    @pytest.mark.parametrize("good_before", [0, 1])
    async def test_a_damaged_batch_is_an_error_and_loses_nothing(self, good_before: int) -> None:
        good = [batch(0, recs(2))][:good_before]
        bad = damaged(batch(2 * good_before, recs(2)))
        after = batch(2 * good_before + 2, recs(2))
        async with FetcherWith(TP) as fetcher:
            fetcher.receive(TP, *good, bad, after)
            with pytest.raises(CorruptRecordException, match="CRC"):
                await drain(fetcher)
            # What follows the damage must not be handed on as if it covered the damaged offsets.
            leftover = (await drain(fetcher)).get(TP, [])
            assert [plain(slab) for slab in leftover] == []
            # The same offsets are fetched again, this time undamaged.
            position = fetcher.position(TP)
            assert position <= 2 * good_before
            fetcher.receive(TP, *good, batch(2 * good_before, recs(2)), after)
            [slab] = (await drain(fetcher))[TP]
            assert slab.offsets == range(position, 2 * good_before + 4)

    @settings(max_examples=examples(100), deadline=None)
    @given(st.data())
    async def test_any_bit_that_flips_behind_the_checksum_is_found(self, data: st.DataObject) -> None:
        value = data.draw(st.binary(max_size=40))
        sound = batch(0, [Rec(value, timestamp=5), Rec(None, timestamp=6)])
        at, bit = data.draw(st.integers(17, len(sound) - 1)), data.draw(st.integers(0, 7))
        flipped = sound[:at] + bytes([sound[at] ^ 1 << bit]) + sound[at + 1 :]
        (verdict,) = [is_intact for _, is_intact in batches_of(FetchedRecords(flipped), checked=True)]
        assert not verdict
        assert not DefaultRecordBatch(flipped).validate_crc()

    async def test_a_batch_of_the_format_before_the_last_is_judged_by_its_own_checksum(self) -> None:
        builder = LegacyRecordBatchBuilder(magic=1, compression_type=0, batch_size=1 << 16)
        builder.append(0, timestamp=7, key=None, value=b"old")
        sound = bytes(builder.build())
        verdicts = [
            is_intact
            for data in (sound, sound[:-1] + bytes([sound[-1] ^ 1]))
            for _, is_intact in batches_of(FetchedRecords(data), checked=True)
        ]
        assert verdicts == [True, False]

    async def test_damage_is_read_over_where_crcs_are_not_checked(self) -> None:
        async with FetcherWith(TP) as fetcher:
            fetcher.receive(TP, damaged(batch(0, recs(2))), check_crcs=False)
            [slab] = (await drain(fetcher))[TP]
            assert slab.values == [b"v0", b"v0"]  # was v1

    @pytest.mark.parametrize(
        "error", [OffsetOutOfRangeError({TP: 3}), TopicAuthorizationFailedError("batches")], ids=repr
    )
    async def test_an_error_of_a_fetch_is_raised_once(self, error: Exception) -> None:
        async with FetcherWith(TP) as fetcher:
            fetcher.fetcher._records[TP] = FetchError(error=error, backoff=0)
            with pytest.raises(type(error)):
                await drain(fetcher)
            assert await drain(fetcher) == {}

    async def test_an_error_of_one_partition_does_not_swallow_anothers_records(self) -> None:
        async with FetcherWith(TP, OTHER) as fetcher:
            fetcher.receive(TP, batch(0, recs(3)))
            fetcher.fetcher._records[OTHER] = FetchError(error=OffsetOutOfRangeError({OTHER: 3}), backoff=0)
            assert await everything(fetcher, raised=OffsetOutOfRangeError) == [0, 1, 2]

    async def test_damage_in_one_partition_does_not_swallow_anothers_records(self) -> None:
        async with FetcherWith(TP, OTHER) as fetcher:
            fetcher.receive(TP, batch(0, recs(3)))
            fetcher.receive(OTHER, damaged(batch(0, recs(3))))
            assert await everything(fetcher, raised=CorruptRecordException) == [0, 1, 2]

    async def test_an_error_is_raised_though_other_partitions_never_run_dry(self) -> None:
        # Else a partition would stand still unseen for as long as the others have a backlog.
        async with FetcherWith(TP, OTHER) as fetcher:
            fetcher.fetcher._records[OTHER] = FetchError(error=OffsetOutOfRangeError({OTHER: 3}), backoff=0)
            with pytest.raises(OffsetOutOfRangeError):
                for base in range(3):
                    fetcher.receive(TP, batch(base, recs(1)))
                    await drain(fetcher)


async def everything(fetcher: FetcherWith, raised: type[Exception]) -> list[int]:
    """Drain four times and return the offsets of `TP`; the error must be seen once."""
    offsets: list[int] = []
    errors = 0
    for _ in range(4):
        try:
            for slab in (await drain(fetcher)).get(TP, []):
                offsets += slab.offsets
        except raised:
            errors += 1
    assert errors == 1
    return offsets


class TestPartitions:
    async def test_several_partitions_come_in_one_go(self) -> None:
        async with FetcherWith(TP, OTHER) as fetcher:
            fetcher.receive(TP, batch(0, recs(2)))
            fetcher.receive(OTHER, batch(0, recs(3)))
            drained = await drain(fetcher)
            assert {tp: [len(slab.values) for slab in slabs] for tp, slabs in drained.items()} == {
                TP: [2],
                OTHER: [3],
            }

    async def test_a_partition_that_is_not_active_keeps_its_records(self) -> None:
        async with FetcherWith(TP, OTHER) as fetcher:
            fetcher.receive(TP, batch(0, recs(2)))
            fetcher.receive(OTHER, batch(0, recs(3)))
            assert list(await drain(fetcher, active={OTHER})) == [OTHER]
            assert list(await drain(fetcher, active={TP})) == [TP]

    async def test_records_of_a_partition_that_is_gone_are_thrown_away(self) -> None:
        async with FetcherWith(TP, OTHER) as fetcher:
            fetcher.receive(TP, batch(0, recs(2)))
            gone = TopicPartition("batches", 9)
            fetcher.fetcher._records[gone] = fetcher.fetcher._records[TP]
            await drain(fetcher, active={OTHER})
            assert list(fetcher.fetcher._records) == [TP]

    async def test_other_topics_go_the_stock_way(self) -> None:
        async with FetcherWith(TP, STOCK) as fetcher:
            fetcher.receive(TP, batch(0, recs(2)))
            fetcher.receive(STOCK, batch(0, recs(5)))
            drained = await drain(fetcher, max_records=3)
            assert [record.offset for record in drained[STOCK]] == [0, 1, 2]
            assert [record.value for record in drained[STOCK]] == [b"v0", b"v1", b"v2"]
            assert isinstance(drained[TP][0], Slab)
            rest = await drain(fetcher, max_records=3)
            assert [record.offset for record in rest[STOCK]] == [3, 4]
            assert STOCK not in fetcher.fetcher._records


class TestWaiting:
    async def test_what_arrives_while_waiting_is_returned(self) -> None:
        async with FetcherWith(TP) as fetcher:
            waiting = asyncio.create_task(drain(fetcher, wait_s=30.0))
            await asyncio.sleep(0)
            fetcher.receive(TP, batch(0, recs(2)))
            assert len((await waiting)[TP][0].values) == 2

    async def test_nothing_is_returned_when_nothing_arrives(self) -> None:
        async with FetcherWith(TP) as fetcher:
            assert await drain(fetcher, wait_s=0.001) == {}
            await asyncio.sleep(0)
            assert not fetcher.fetcher._fetch_waiters

    async def test_an_error_that_ends_the_wait_is_raised(self) -> None:
        async with FetcherWith(TP) as fetcher:
            waiting = asyncio.create_task(drain(fetcher, wait_s=30.0))
            await asyncio.sleep(0)
            fetcher.subscriptions.abort_waiters(TopicAuthorizationFailedError("batches"))
            with pytest.raises(TopicAuthorizationFailedError):
                await waiting


@st.composite
def responses(draw: st.DrawFn) -> tuple[list[bytes], int]:
    """Return batches of any kind that follow one another, and a position in the first of them."""
    offset = draw(st.integers(0, 5))
    position = None
    batches = []
    for _ in range(draw(st.integers(1, 5))):
        deltas = sorted(draw(st.sets(st.integers(0, 8), min_size=1, max_size=6)))
        last = deltas[-1] + draw(st.integers(0, 2))
        records = [
            Rec(
                draw(st.none() | st.binary(max_size=4)),
                timestamp=draw(st.integers(1, 10)),
                headers=draw(st.sampled_from([(), (("k", b"v"),)])),
            )
            for _ in deltas
        ]
        stamp = draw(st.none() | st.integers(100, 200))
        codec = draw(st.sampled_from(sorted(CODECS)))
        batches.append(batch(offset, records, codec=codec, deltas=deltas, last_delta=last, append_time=stamp))
        if position is None:
            position = offset + draw(st.integers(0, last))
        offset += last + 1 + draw(st.integers(0, 2))
    return batches, position or 0


@settings(max_examples=examples(100), deadline=None)
@given(responses())
def test_a_slab_is_what_aiokafka_reads_whatever_the_batches(response: tuple[list[bytes], int]) -> None:
    batches, position = response
    asyncio.run(slab_and_oracle(*batches, position=position))
